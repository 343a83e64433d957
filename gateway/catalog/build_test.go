package catalog

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

func TestOrderOfTasks(t *testing.T) {
	s := source()
	dir := t.TempDir()
	c := start(t, s, dir)
	if m := lookup(t, c, "m"); m.Source != FromParameter || m.Dir != "" {
		t.Errorf("without a file: %s %q", m.Source, m.Dir)
	}
	file := filepath.Join(dir, "m", "task.yaml")
	put(t, file, "task: tabular-classification\ninput: {columns: [one, two, three, four]}\n")
	refresh(t, c)
	m := lookup(t, c, "m")
	if m.Source != FromFile || m.Spec.Input.Columns[0] != "one" || len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "label_filename") || m.Dir != filepath.Join(dir, "m") {
		t.Errorf("with a file: %+v", m)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	settle(t, filepath.Join(dir, "m"))
	s.set(func(s *fake) { s.configs["m"] = rows("m", "") })
	refresh(t, c)
	if m := lookup(t, c, "m"); m.Source != FromGuess || m.Spec.Task != task.Raw || len(m.Warnings) == 0 {
		t.Errorf("with neither: %+v", m)
	}
}

func TestTaskAndLabelsChange(t *testing.T) {
	dir := t.TempDir()
	file, labels := filepath.Join(dir, "m", "task.yaml"), filepath.Join(dir, "m", "labels.txt")
	put(t, file, rowsTask)
	put(t, labels, "a\nb\nc\n")
	s := source()
	c := start(t, s, dir)
	first := lookup(t, c, "m")
	if !reflect.DeepEqual(first.Labels, []string{"a", "b", "c"}) || first.Source != FromFile {
		t.Fatalf("%+v", first)
	}
	refresh(t, c)
	if lookup(t, c, "m") != first {
		t.Error("unchanged files made a new model")
	}
	put(t, labels, "a\nb\nx\n")
	refresh(t, c)
	second := lookup(t, c, "m")
	if second.Labels[2] != "x" || second.TaskDigest == first.TaskDigest {
		t.Errorf("after labels: %+v", second)
	}
	put(t, labels, "a\nb\nc\nd\n") // one too many
	refresh(t, c)
	if m := lookup(t, c, "m"); len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "4 labels") {
		t.Errorf("warnings %v", m.Warnings)
	}
	put(t, labels, "a\nb\nc\n")
	refresh(t, c)
	if m := lookup(t, c, "m"); m.TaskDigest != first.TaskDigest || len(m.Warnings) != 0 {
		t.Errorf("the digest of the same files is another one: %+v", m)
	}
	put(t, file, strings.Replace(rowsTask, "none", "softmax", 1))
	refresh(t, c)
	if m := lookup(t, c, "m"); m.Spec.Output.Activation != "softmax" || m.TaskDigest == first.TaskDigest {
		t.Errorf("after task.yaml: %+v", m.Spec.Output)
	}
}

func TestBadTaskKeepsTheEarlierOne(t *testing.T) {
	for name, bad := range map[string]struct{ file, text, want string }{
		"no yaml":     {"task.yaml", "{", "task.yaml"},
		"unknown key": {"task.yaml", "task: raw\ncolour: red\n", "colour"},
		"empty":       {"task.yaml", "", "empty"},
		"misfit":      {"task.yaml", "{task: tabular-classification, input: {columns: [a, b]}}", "2 columns"},
		"labels":      {"labels.txt", "\xff\xfe", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "m", "task.yaml"), rowsTask)
			put(t, filepath.Join(dir, "m", "labels.txt"), "a\nb\nc\n")
			s := source()
			c := start(t, s, dir)
			first := lookup(t, c, "m")
			put(t, filepath.Join(dir, "m", bad.file), bad.text)
			for range 2 {
				refresh(t, c)
				m := lookup(t, c, "m")
				if m.Spec != first.Spec || m.TaskDigest != first.TaskDigest || len(m.Warnings) != 1 || !strings.HasPrefix(m.Warnings[0], kept) || !strings.Contains(m.Warnings[0], bad.want) {
					t.Errorf("%v", m.Warnings)
				}
				if strings.Contains(m.Warnings[0], dir) {
					t.Errorf("the warning shows a path of the server: %s", m.Warnings[0])
				}
			}
			s.set(func(s *fake) { s.index[0].Epoch = "e2" }) // new weights under a task that cannot be used
			refresh(t, c)
			if _, err := c.Lookup("m"); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("after a reload: %v", err)
			}
			put(t, filepath.Join(dir, "m", "task.yaml"), rowsTask)
			put(t, filepath.Join(dir, "m", "labels.txt"), "a\nb\nc\n")
			refresh(t, c)
			if m := lookup(t, c, "m"); len(m.Warnings) != 0 || m.TaskDigest != first.TaskDigest {
				t.Errorf("after the repair: %v", m.Warnings)
			}
		})
	}
}

// TestFileInTheMakingIsNotRead: the file was written this moment, and may go on to be.
func TestFileInTheMakingIsNotRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "m", "task.yaml")
	put(t, file, rowsTask)
	s := source()
	c := start(t, s, dir)
	first := lookup(t, c, "m")
	if err := os.WriteFile(file, []byte("task: im"), 0o600); err != nil {
		t.Fatal(err)
	}
	stamp := stat(file)
	refresh(t, c)
	if m := lookup(t, c, "m"); m != first && stat(file).young() && stamp.young() {
		t.Errorf("it was read: %v", m.Warnings)
	}
	put(t, file, "task: raw")
	refresh(t, c)
	if m := lookup(t, c, "m"); m.Spec.Task != task.Raw {
		t.Errorf("%+v", m.Spec)
	}
}

func TestSamples(t *testing.T) {
	dir := t.TempDir()
	golden := filepath.Join(dir, "m", "golden")
	put(t, filepath.Join(golden, "b.png"), "bee")
	put(t, filepath.Join(golden, "a.JPG"), "ay")
	put(t, filepath.Join(golden, "expected.json"), "{}")
	put(t, filepath.Join(dir, "secret.png"), "secret")
	if err := os.Symlink(filepath.Join(dir, "secret.png"), filepath.Join(golden, "link.png")); err != nil {
		t.Fatal(err)
	}
	settle(t, golden, filepath.Join(dir, "m"))
	c := start(t, source(), dir)
	m := lookup(t, c, "m")
	if want := []string{"a.JPG", "b.png"}; !slices.Equal(m.Samples(), want) {
		t.Errorf("%v", m.Samples())
	}
	if data, err := m.Sample("b.png"); err != nil || string(data) != "bee" {
		t.Errorf("%q %v", data, err)
	}
	for _, name := range []string{"", "expected.json", "../../secret.png", "link.png", "c.png"} {
		if data, err := m.Sample(name); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %q %v", name, data, err)
		}
	}
	put(t, filepath.Join(golden, "c.png"), "sea")
	refresh(t, c)
	if m := lookup(t, c, "m"); len(m.Samples()) != 3 {
		t.Errorf("a new sample is not seen: %v", m.Samples())
	}
	if (&Model{}).Samples() != nil {
		t.Error("samples without a folder")
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"shapes": true, "a.b-c_d+e:f=g@h,i~j": true, "9": true, "": false, ".x": false, "..": false, "a/b": false,
		"a b": false, "é": false, "a\"": false, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false} {
		if plain(name) != want {
			t.Errorf("%q is not %v", name, want)
		}
	}
}
