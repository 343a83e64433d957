// Package watchfile reads small files again when they change. It exists because keys, certificates and descriptions of models are changed while a gateway runs, and whoever watches
// them has the same traps to step around: files that are half written, changes within one tick of a file's time, and paths that are no files.
package watchfile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// fresh is how long after its last change a file is read again although it looks the same; see Look.Age.
const fresh = 2 * time.Second

// File is a file that is read again when it changes. Path and Most are to be set; one goroutine at a time reads it.
type File struct {
	Path string
	Most int64 // bytes

	seen Look
	read bool // it was, as seen
	sum  [sha256.Size]byte
	why  string // it could not be read; told once
}

// Read gives the content if it has changed since the last call, the first one included; or, once, why it cannot be read. A file that can be read again counts as changed.
func (f *File) Read() (data []byte, changed bool, err error) {
	now := LookAt(f.Path) // before it is read: what is written in between shows in the next look
	if age, there := f.seen.Age(); f.read && there && age >= fresh && f.seen.Alike(now) {
		return nil, false, nil
	}
	f.seen = now
	if data, err = Load(f.Path, f.Most); err != nil {
		told := f.why == err.Error()
		f.read, f.why = false, err.Error()
		if told {
			return nil, false, nil
		}
		return nil, true, err
	}
	sum, mended := sha256.Sum256(data), f.why != ""
	f.read, f.why = true, ""
	if sum == f.sum && !mended {
		return nil, false, nil
	}
	f.sum = sum
	return data, true, nil
}

// Load reads a regular file of at most that many bytes. The error names the file: it cannot be read, is none, or is longer.
func Load(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
