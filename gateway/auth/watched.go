package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// fresh is how long after its last change a file may change again without its time showing it: file systems count in ticks.
const fresh = 2 * time.Second

// watched is a file that is read again when it changes. One goroutine reads it.
type watched struct {
	path  string
	most  int64 // bytes
	info  os.FileInfo
	again bool // look inside although its stat is the same
	sum   [sha256.Size]byte
	why   string // it could not be read; told once

	taken, refused atomic.Uint64
}

// read gives the content if it has changed since the last call, the first one included; or, once, why it cannot be read.
func (w *watched) read() (data []byte, changed bool, err error) {
	info, err := os.Stat(w.path)
	if err == nil && !w.again && w.why == "" && w.same(info) {
		return nil, false, nil
	}
	if err == nil {
		w.info, w.again = info, time.Since(info.ModTime()) < fresh // before it is read: what is written in between shows in the next stat, or is looked for
		data, err = w.load()
	}
	if err != nil {
		if err.Error() == w.why {
			return nil, false, nil
		}
		w.why = err.Error()
		return nil, true, err
	}
	mended := w.why != ""
	w.why = ""
	sum := sha256.Sum256(data)
	if sum == w.sum && !mended {
		return nil, false, nil
	}
	w.sum = sum
	return data, true, nil
}

func (w *watched) same(info os.FileInfo) bool {
	return w.info != nil && info.ModTime().Equal(w.info.ModTime()) && info.Size() == w.info.Size() && os.SameFile(info, w.info)
}

// load reads the file, up to its limit.
func (w *watched) load() ([]byte, error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no file", w.path))
	}
	data, err := io.ReadAll(io.LimitReader(f, w.most+1))
	if err == nil && int64(len(data)) > w.most {
		err = fmt.Errorf("%s is larger than %d bytes", w.path, w.most)
	}
	return data, err
}
