package ort

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lib.so")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(file); err != nil || got != file {
		t.Errorf("got %q %v", got, err)
	}
	for _, path := range []string{file + ".not-there", filepath.Dir(file)} {
		if got, err := Find(path); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %q %v", path, got, err)
		}
	}
}

func TestFindInCache(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := Find(""); err == nil {
		t.Skipf("this machine has one in its system folders: %s", got)
	} else if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make deps") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	dir := filepath.Join(".cache", "onnxruntime")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	numbered := filepath.Join(dir, "libonnxruntime.so.1.24.3")
	if err := os.WriteFile(numbered, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); err != nil || got != numbered {
		t.Errorf("got %q %v, want %q", got, err, numbered)
	}
	plain := filepath.Join(dir, libraryNames()[0])
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(""); err != nil || got != plain {
		t.Errorf("got %q %v, want %q", got, err, plain)
	}
}
