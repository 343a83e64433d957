package audit

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSmallFileSystem is TestFullDisk with a real one of 8 KiB, where this process may mount it.
func TestSmallFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, 0) }()
	path := filepath.Join(dir, "audit.jsonl")
	l := open(t, path)
	defer func() { _ = l.Close() }()
	var err error
	begun := 0
	for ; err == nil && begun < 100; begun++ {
		_, err = l.Begin(t.Context(), Act{Action: "cache.purge"})
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("after %d: %v", begun, err)
	}
	if s, err := verify(t, path); err != nil || s.Lines != uint64(begun-1) {
		t.Errorf("%+v, %v", s, err)
	}
}
