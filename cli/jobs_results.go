package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// results writes the answers of jobs: one line each into one file, or one file each into a folder.
type results struct {
	lines  *bufio.Writer // nil: a folder
	file   io.Closer
	folder *os.Root // no name leads out of it
	used   map[string]bool
}

// resultLine is one line of a file of results.
type resultLine struct {
	File   string          `json:"file,omitempty"` // as it was handed in; missing where that is not known
	Job    string          `json:"job"`
	Index  int             `json:"index"` // in the job
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"` // a problem document
}

// openResults makes the file or the folder.
func openResults(e *Env, path string) (*results, error) {
	switch {
	case path == "-":
		return &results{lines: bufio.NewWriter(e.Out), file: io.NopCloser(nil)}, nil
	case strings.HasSuffix(path, ".jsonl"):
		f, err := os.Create(path)
		if err != nil {
			return nil, err
		}
		return &results{lines: bufio.NewWriter(f), file: f}, nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &results{folder: root, used: map[string]bool{}}, nil
}

// add writes the answers of a job that is final. names are its items' files; nil: as the job knows them. Of a job that failed as a whole, each item has the job's error.
func (r *results) add(j *jobDoc, names []string) error {
	items := j.items()
	if names == nil {
		names = j.Names
	}
	for n := range max(len(items), len(names), min(j.Progress.Total, 1)) {
		line := resultLine{Job: j.ID, Index: n}
		if n < len(names) {
			line.File = names[n]
		}
		switch {
		case n < len(items):
			line.set(items[n])
		case j.Error != nil:
			line.Error, _ = json.Marshal(map[string]string{"code": j.Error.Code, "detail": j.Error.Detail})
		default:
			line.Error, _ = json.Marshal(map[string]string{"code": j.State, "detail": "the job is " + j.State})
		}
		if err := r.write(line); err != nil {
			return err
		}
	}
	return nil
}

// set puts an item's answer where it belongs.
func (l *resultLine) set(i itemDoc) {
	var d struct{ Error json.RawMessage }
	if json.Unmarshal(i, &d) == nil && d.Error != nil {
		l.Error = d.Error
		return
	}
	l.Result = json.RawMessage(i)
}

func (r *results) write(line resultLine) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("item %d of job %s: %w", line.Index, line.Job, err)
	}
	data = append(data, '\n')
	if r.lines != nil {
		_, err = r.lines.Write(data)
		return err
	}
	name := line.File
	if name == "" {
		name = fmt.Sprintf("%s-%d", line.Job, line.Index)
	}
	name = r.free(below(name))
	if err := r.folder.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return r.folder.WriteFile(name, data, 0o644)
}

// below makes of a file's name one that can be put below a folder.
func below(name string) string {
	clean := filepath.Clean("/" + filepath.ToSlash(name)) // .. ends at the root
	if name = strings.TrimPrefix(clean, "/"); name == "" {
		return "item"
	}
	return name
}

// free gives a name that has not been given before, with .json at its end.
func (r *results) free(name string) string {
	for n := 1; ; n++ {
		out := name + ".json"
		if n > 1 {
			out = fmt.Sprintf("%s-%d.json", name, n)
		}
		if !r.used[out] {
			r.used[out] = true
			return out
		}
	}
}

// close ends the writing. A nil r is none.
func (r *results) close() error {
	switch {
	case r == nil:
		return nil
	case r.lines == nil:
		return r.folder.Close()
	}
	return errors.Join(r.lines.Flush(), r.file.Close())
}
