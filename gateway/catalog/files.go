package catalog

import (
	"path/filepath"
	"slices"
	"time"

	"triton-gateway/internal/watchfile"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// settleTime is how long a file must have been left alone to be read: a younger one may still be written to.
const settleTime = 100 * time.Millisecond

// files remembers what the files looked like that a Model is made of. Looking again costs a few stat calls and reads nothing.
type files []file

type file struct {
	path string
	watchfile.Look
}

// watch looks at what matters of a folder: itself (files that come and go), task.yaml, the samples, and the labels if the last look
// has found where they are. The folder need not exist.
func watch(dir string, was *Model) files {
	if dir == "" {
		return nil
	}
	f := files{stat(dir), stat(filepath.Join(dir, FromFile)), stat(filepath.Join(dir, sampleFolder))}
	if was != nil && len(was.files) > len(f) {
		f = append(f, stat(was.files[len(f)].path))
	}
	return f
}

func stat(path string) file { return file{path, watchfile.LookAt(path)} }

// withLabels adds the file that the labels were read from, unless it was looked at before that. One that changed in between is young.
func (f files) withLabels(dir string, spec *task.Spec, config *modelconfig.Config) files {
	name := spec.Labels.File
	if out := config.Output(spec.Output.Name); name == "" && out != nil {
		name = out.LabelFilename
	}
	if dir == "" || name == "" || spec.Labels.List != nil {
		return f
	}
	path := filepath.Join(dir, name)
	if slices.ContainsFunc(f, func(f file) bool { return f.path == path }) {
		return f
	}
	const others = 3
	return append(f[:others:others], stat(path))
}

// same reports whether nothing has changed since, and nothing can have changed unseen.
func (f files) same() bool {
	for _, old := range f {
		if old.young() || !old.Alike(watchfile.LookAt(old.path)) {
			return false
		}
	}
	return true
}

// settled reports whether nothing was written to just now.
func (f files) settled() bool { return !slices.ContainsFunc(f, file.young) }

// young reports whether the file was written to right before it was looked at.
func (f file) young() bool {
	age, there := f.Age()
	return there && age.Abs() < settleTime
}
