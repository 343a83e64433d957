//go:build cgo

package ort

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

func TestOpenIsCounted(t *testing.T) {
	path := parts.ONNXRuntime(t)
	for range 3 { // the library can be loaded again after it was let go
		a, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.Close(), a.Close()); err != nil {
			t.Fatal(err)
		}
		if v := b.Version(); !strings.HasPrefix(v, "1.") {
			t.Errorf("closing one claim twice ended the other: version %q", v)
		}
		if _, err := Open(path + ".other"); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "already uses") {
			t.Errorf("a second library: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if v := b.Version(); v != "" {
			t.Errorf("version %q after the last Close", v)
		}
	}
}

func TestOpenNoLibrary(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make deps") {
		t.Errorf("got %v", err)
	}
}

// TestOpenOldLibrary loads a library that, like an old ONNX Runtime, does not know the version of the API that it is asked for.
func TestOpenOldLibrary(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "old.c"), filepath.Join(dir, "libonnxruntime.so")
	const code = `struct base { const void *(*api)(unsigned); const char *(*version)(void); };
static const void *api(unsigned v) { return 0; }
static const char *version(void) { return "1.16.0"; }
static struct base base = { api, version };
struct base *OrtGetApiBase(void) { return &base; }`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Skipf("the C compiler does not work: %s", out)
	}
	_, err = Open(library)
	if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "too old") || !strings.Contains(err.Error(), MinVersion) {
		t.Errorf("got %v", err)
	}
}
