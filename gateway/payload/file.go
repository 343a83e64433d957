package payload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// file is a sink of lines. When it has grown to its size it is put aside as PATH.1, what was there as PATH.2, and so on; the oldest goes. One goroutine writes.
type file struct {
	path string
	most int64
	keep int
	out  *os.File
	size int64 // of whole lines; -1: it is no ordinary file and is never put aside
	torn bool  // there may be a part of a line behind them
}

func openFile(path string, most int64, keep int) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f := &file{path: path, most: most, keep: keep}
	return f, f.open()
}

func (f *file) open() error {
	if info, err := os.Stat(f.path); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket|os.ModeDir) != 0 {
		return fmt.Errorf("%s is neither a file nor a device", f.path)
	}
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := out.Stat()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	f.out, f.size = out, -1
	if info.Mode().IsRegular() {
		f.size = info.Size()
	}
	return nil
}

// put implements sink. After a failure nothing of the lines is left.
func (f *file) put(_ context.Context, events []event) error {
	var lines []byte
	for i := range events {
		line, err := events[i].line()
		if err != nil {
			return err
		}
		lines = append(lines, line...)
	}
	if err := f.ready(int64(len(lines))); err != nil {
		return err
	}
	if _, err := f.out.Write(lines); err != nil {
		f.torn = true
		return errors.Join(err, f.mend())
	}
	if f.size >= 0 {
		f.size += int64(len(lines))
	}
	return nil
}

// ready opens the file where it was lost, cuts off what was torn, and puts it aside where it is full.
func (f *file) ready(more int64) error {
	if f.out == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if err := f.mend(); err != nil {
		return err
	}
	if f.size <= 0 || f.size+more <= f.most {
		return nil
	}
	err := f.out.Close()
	f.out = nil
	if err != nil {
		return err
	}
	if f.keep == 0 {
		err = os.Remove(f.path)
	}
	for i := f.keep; i > 0; i-- {
		from := f.path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		if e := os.Rename(from, f.path+"."+strconv.Itoa(i)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil { // it goes on in the same file, rather than lose lines
		f.most += f.most
	}
	return f.open()
}

func (f *file) mend() error {
	if !f.torn || f.size < 0 {
		return nil
	}
	err := f.out.Truncate(f.size)
	f.torn = err != nil
	return err
}

func (f *file) close() error {
	if f.out == nil {
		return nil
	}
	return f.out.Close()
}
