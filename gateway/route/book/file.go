package book

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// File keeps records in a file of JSON, which the gateways of one machine share. It is written whole, under a name of its own that takes the old one's place, so that it is never
// half there; a second file beside it, with .lock at its end, keeps two from writing at a time.
type File struct {
	path string

	mu    sync.Mutex
	stamp fileStamp // of the file that was read last
	kept  map[string]json.RawMessage
}

type fileStamp struct {
	at   time.Time
	size int64
}

// mostFile bounds what is read.
const mostFile = (MostRoutes + 1) * (mostBytes + 1<<10)

// NewFile gives the records of a file, which need not be there yet. Its folder is made when it is first written.
func NewFile(path string) *File { return &File{path: path} }

// Load implements records.Store.
func (f *File) Load(_ context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(false); err != nil {
		return nil, f.away(err)
	}
	return bytes.Clone(f.kept[key]), nil
}

// read brings kept up to date. always is for those about to write, to whom a stamp is not enough.
func (f *File) read(always bool) error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.kept, f.stamp = nil, fileStamp{}
		return nil
	}
	if err != nil {
		return err
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if !always && f.kept != nil && stamp == f.stamp {
		return nil
	}
	if info.Size() > mostFile {
		return errors.New("the file is too large to be the gateway's")
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	kept := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &kept); err != nil {
		return err
	}
	f.kept, f.stamp = kept, stamp
	return nil
}

// Swap implements records.Store.
func (f *File) Swap(ctx context.Context, key string, old, value []byte) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return false, f.away(err)
	}
	lock, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, f.away(err)
	}
	defer lock.Close() // which lets it go
	if err := wait(ctx, lock); err != nil {
		return false, f.away(err)
	}
	if err := f.read(true); err != nil {
		return false, f.away(err)
	}
	if !bytes.Equal(f.kept[key], old) {
		return false, nil
	}
	next := map[string]json.RawMessage{key: value}
	for k, v := range f.kept {
		if k != key {
			next[k] = v
		}
	}
	if err := f.write(next); err != nil {
		return false, f.away(err)
	}
	return true, nil
}

// wait takes the lock, which others hold for milliseconds.
func wait(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := lock(file)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (f *File) write(next map[string]json.RawMessage) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // where it did not take the old one's place
	_, err = out.Write(data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), f.path); err != nil {
		return err
	}
	f.kept = nil // to be read with its stamp
	return f.read(true)
}

func (f *File) away(err error) error {
	return fault.New(fault.Unavailable, "route_store_unavailable", "the routes cannot be read or written: the gateway's file of routes fails; the log has the cause").Wrap(err).After(time.Second)
}
