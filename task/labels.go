package task

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"triton-gateway/modelconfig"
)

// MaxLabelBytes is the largest file of labels that is read; ImageNet-21k's has half a megabyte.
const MaxLabelBytes = 8 << 20

// LoadLabels gives the classes by index: the list of the spec, else the file that it names, else the label_filename of the
// output in the config, as Triton reads it. dir is the model's folder; "" where there is none, as with a remote Triton: then
// only a list can be had. None of these gives nil. A file outside dir, symbolic links followed, is refused.
func LoadLabels(spec *Spec, dir string, cfg *modelconfig.Config) ([]string, error) {
	if spec.Labels.List != nil {
		return spec.Labels.List, nil
	}
	if !spec.Task.Classes() || dir == "" {
		return nil, nil
	}
	name := spec.Labels.File
	if name == "" && cfg != nil {
		if out := cfg.Output(spec.Output.Name); out != nil {
			name = out.LabelFilename
		}
	}
	if name == "" {
		return nil, nil
	}
	labels, err := readLabels(dir, name)
	if err != nil {
		model := filepath.Base(dir)
		if cfg != nil && cfg.Name != "" {
			model = cfg.Name
		}
		return nil, fmt.Errorf("labels of model %q: %w", model, err)
	}
	return labels, nil
}

// absent is the name of a file that is not there. It is fs.ErrNotExist in words for people.
type absent string

func (a absent) Error() string {
	return fmt.Sprintf("the file %s is not in the model's folder; put it there, or write the labels into task.yaml", string(a))
}

// Is lets errors.Is find fs.ErrNotExist.
func (a absent) Is(target error) bool { return target == fs.ErrNotExist }

// reason takes the system call and the path off an error.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readLabels reads one label a line. Line ends may be CR LF; empty lines at the end don't count, one in between is a class
// without a name.
func readLabels(dir, name string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the model's folder cannot be opened: %w", reason(err))
	}
	defer root.Close()
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent(name)
	}
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be opened: %w", name, reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxLabelBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxLabelBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, MaxLabelBytes)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%s is not UTF-8 text", name)
	}
	lines := strings.Split(strings.TrimRight(text, " \t\r\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil, fmt.Errorf("%s is empty", name)
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines, nil
}
