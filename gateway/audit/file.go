package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is the file that lines are added to. One process at a time has it.
type file struct {
	disk
	size int64 // of the whole lines in it
	torn bool  // there may be more than those
}

// disk is what is asked of an open file.
type disk interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// openFile opens or makes the file, takes its lock and finds out where its chain ends. torn tells of an end that was no whole line and has been cut off.
func openFile(path string, c *chain) (_ *file, torn string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s is no ordinary file", path)
	}
	if err := lock(f); err != nil {
		return nil, "", fmt.Errorf("%s: another process writes it; give each gateway an audit log of its own: %w", path, err)
	}
	size := info.Size()
	tail := make([]byte, min(size, 2*mostLine))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, "", err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if rest := tail[end:]; len(rest) > 0 {
		if end == 0 && size > int64(len(tail)) || !begun(rest) {
			return nil, "", fmt.Errorf("%s is no audit log", path)
		}
		sum := sha256.Sum256(rest)
		torn = fmt.Sprintf("%d bytes with the SHA-256 %s", len(rest), hex.EncodeToString(sum[:]))
		size -= int64(len(rest))
	}
	if whole := tail[:end]; len(whole) > 0 {
		last := whole[bytes.LastIndexByte(whole[:end-1], '\n')+1 : end-1]
		e, hash, err := read(last)
		if err != nil {
			return nil, "", fmt.Errorf("%s: the last line cannot be continued: %w; look at it with `triton-gateway audit verify`, and move the file away", path, err)
		}
		*c = chain{e.Seq, hash}
	}
	if torn != "" { // only now: what is no audit log is not touched
		if err := f.Truncate(size); err != nil {
			return nil, "", err
		}
	}
	return &file{disk: f, size: size}, torn, nil
}

// begun reports whether bytes can be the beginning of a line, or what a file system leaves of one.
func begun(rest []byte) bool {
	const head = `{"seq":`
	rest = bytes.TrimRight(rest, "\x00")
	return bytes.HasPrefix(rest, []byte(head)) || bytes.HasPrefix([]byte(head), rest)
}

// write adds a line and waits until it is on the disk. After a failure, what was written of it is cut off again.
func (f *file) write(line []byte) error {
	if f.torn {
		if err := f.Truncate(f.size); err != nil {
			return fmt.Errorf("a torn line cannot be cut off: %w", err)
		}
		f.torn = false
	}
	_, err := f.disk.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.torn = f.Truncate(f.size) != nil
		return err
	}
	f.size += int64(len(line))
	return nil
}

func (f *file) close() error { return f.Close() }
