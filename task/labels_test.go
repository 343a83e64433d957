package task

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"triton-gateway/modelconfig"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func labelSpec(l Labels) *Spec {
	return &Spec{Task: ImageClassification, Output: Output{Name: "y"}, Labels: l}
}

func TestLoadLabels(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("unix.txt", "cat\ndog\n")
	write("dos.txt", "\ufeffcat\r\n\r\n dog \r\n\r\n")
	write("triton.txt", "a\nb")
	cfg, err := modelconfig.Parse("m", []byte(`output { name: "y" data_type: TYPE_FP32 dims: [2] label_filename: "triton.txt" }`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		labels Labels
		dir    string
		cfg    *modelconfig.Config
		want   []string
	}{
		{"list", Labels{List: []string{"x"}}, dir, cfg, []string{"x"}},
		{"list without a folder", Labels{List: []string{"x"}}, "", cfg, []string{"x"}},
		{"file", Labels{File: "unix.txt"}, dir, cfg, []string{"cat", "dog"}},
		{"file of Windows, a class without a name", Labels{File: "dos.txt"}, dir, cfg, []string{"cat", "", "dog"}},
		{"the config's file", Labels{}, dir, cfg, []string{"a", "b"}},
		{"no file", Labels{}, dir, nil, nil},
		{"no folder", Labels{File: "unix.txt"}, "", cfg, nil},
	} {
		got, err := LoadLabels(labelSpec(c.labels), c.dir, c.cfg)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	if got, err := LoadLabels(&Spec{Task: TabularRegression}, dir, cfg); err != nil || got != nil {
		t.Errorf("a regression has labels: %q, %v", got, err)
	}
}

func TestLoadLabelsStaysInsideTheFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "m")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"secret": "s", "m/empty": " \n\n", "m/binary": "\xff\xfe", "m/huge": strings.Repeat("x\n", MaxLabelBytes/2+1)} {
		if err := os.WriteFile(filepath.Join(parent, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", filepath.Join(parent, "secret"), "link", "sub", "none", "empty", "binary", "huge"} {
		if got, err := LoadLabels(labelSpec(Labels{File: name}), dir, nil); err == nil {
			t.Errorf("%s was read: %.20q", name, got)
		}
	}
}

func TestMissingLabelsAreNamedInWords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "resnet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := LoadLabels(labelSpec(Labels{File: "names.txt"}), dir, nil)
	if err == nil || !errors.Is(err, fs.ErrNotExist) ||
		err.Error() != `labels of model "resnet": the file names.txt is not in the model's folder; put it there, or write the labels into task.yaml` {
		t.Errorf("%v", err)
	}
	for name, want := range map[string]string{"../secret": "the file ../secret cannot be opened: path escapes from parent", ".": "is not a file"} {
		_, err = LoadLabels(labelSpec(Labels{File: name}), dir, &modelconfig.Config{Name: "m"})
		if err == nil || !strings.HasPrefix(err.Error(), `labels of model "m": `) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "openat") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = LoadLabels(labelSpec(Labels{File: "x"}), filepath.Join(dir, "none"), nil)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Errorf("no folder: %v", err)
	}
}
