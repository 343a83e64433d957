package payload

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestSmallFileSystem: a real file system of 16 KiB that fills up in the middle of a line. Whole lines stay, and none is half.
func TestSmallFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, 0) }()
	path := filepath.Join(dir, "payload.jsonl")
	c := settings(path)
	c.Queue = 100
	l := start(t, c)
	for i := range 50 {
		l.Add(pair(strconv.Itoa(i)))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, lines := l.Figures(), read(t, path)
	if f.Written+f.Dropped["sink_failed"] != 50 || f.Written < 5 || f.Written > 40 || int64(len(lines)) != 2*f.Written {
		t.Errorf("%+v, %d lines", f, len(lines))
	}
}
