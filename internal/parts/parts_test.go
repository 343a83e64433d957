package parts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome runs a function as a test would run it, and says how that test ended.
type outcome struct {
	testing.TB
	ended, text string
}

func (o *outcome) Helper() {}

func (o *outcome) Skip(args ...any) { o.end("skip", args) }

func (o *outcome) Fatal(args ...any) { o.end("fail", args) }

func (o *outcome) end(how string, args []any) {
	o.ended, o.text = how, fmt.Sprint(args...)
	panic(o)
}

func outcomeOf(t *testing.T, f func(testing.TB)) (o *outcome) {
	o = &outcome{TB: t, ended: "pass"}
	defer func() {
		if r := recover(); r != nil && r != any(o) {
			panic(r)
		}
	}()
	f(o)
	return o
}

func TestAMissingPartSkipsOrFails(t *testing.T) {
	missing := fmt.Errorf("%w: nothing there", ErrMissing)
	for _, c := range []struct {
		err           error
		require, want string
	}{
		{nil, "1", "pass"}, {missing, "", "skip"}, {missing, "0", "skip"}, {missing, "1", "fail"},
		{errors.New("broken"), "", "fail"}, {errors.New("broken"), "1", "fail"},
	} {
		t.Setenv(RequireEnv, c.require)
		t.Setenv(SwitchEnv, "")
		if got := outcomeOf(t, func(tb testing.TB) { Check(tb, c.err) }); got.ended != c.want {
			t.Errorf("%v with %s=%q: %s, want %s", c.err, RequireEnv, c.require, got.ended, c.want)
		}
	}
}

func TestPartsAreSkippedWhenSwitchedOff(t *testing.T) {
	t.Setenv(RequireEnv, "1")
	t.Setenv(SwitchEnv, "off")
	t.Setenv("ONNXRUNTIME_LIB", os.Args[0])
	for name, part := range map[string]func(testing.TB){
		"Redis":       func(tb testing.TB) { Redis(tb) },
		"Triton":      func(tb testing.TB) { Triton(tb, "model_repository") },
		"ONNXRuntime": func(tb testing.TB) { ONNXRuntime(tb) },
		"Chromium":    func(tb testing.TB) { Chromium(tb) },
		"Gateway":     func(tb testing.TB) { Gateway(tb) },
		"Shared":      func(tb testing.TB) { NewShared("model_repository").Get(tb) },
	} {
		if got := outcomeOf(t, part); got.ended != "skip" {
			t.Errorf("%s: %s (%s), want skip", name, got.ended, got.text)
		}
	}
}

func TestPathsCanBeNamedByTheEnvironment(t *testing.T) {
	t.Setenv(SwitchEnv, "")
	t.Setenv(RequireEnv, "1")
	for env, part := range map[string]func(testing.TB) string{"ONNXRUNTIME_LIB": ONNXRuntime, "TRITON_GATEWAY_BIN": Gateway} {
		here := filepath.Join(t.TempDir(), "file")
		t.Setenv(env, here)
		if got := outcomeOf(t, func(tb testing.TB) { part(tb) }); got.ended != "fail" || !strings.Contains(got.text, here) {
			t.Errorf("%s of a missing file: %s %s", env, got.ended, got.text)
		}
		if err := os.WriteFile(here, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := part(t); got != here {
			t.Errorf("%s: %s, want %s", env, got, here)
		}
	}
}

func TestRootHoldsGoMod(t *testing.T) {
	if _, err := os.Stat(filepath.Join(Root(t), "internal", "parts", "parts_test.go")); err != nil {
		t.Error(err)
	}
}

func TestONNXRuntimeIsALibrary(t *testing.T) {
	file, err := os.Open(ONNXRuntime(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	magic := make([]byte, 4)
	if _, err := file.Read(magic); err != nil || string(magic) != "\x7fELF" {
		t.Errorf("%q, %v, want an ELF file", magic, err)
	}
}

func TestFreePortsAreFreeAndDiffer(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] || port < portFirst || port >= 32768 {
			t.Errorf("port %d: a second time, or outside of the range", port)
		}
		seen[port] = true
	}
	listener, err := net.Listen("tcp", FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, port := range ports { // a file that is opened anew is another's, as far as its lock goes
		if _, ok := reserve(port); ok {
			t.Errorf("port %d is given to two", port)
		}
	}
}

func TestAPortThatIsGivenBackCanBeHad(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	giveBack, ok := reserve(portFirst)
	if _, again := reserve(portFirst); !ok || again {
		t.Fatalf("had %v, and by another %v", ok, again)
	}
	giveBack()
	giveBack, ok = reserve(portFirst)
	if !ok {
		t.Error("it is still taken")
	}
	giveBack()
	t.Setenv("TMPDIR", "/dev/null")
	if _, ok := reserve(portFirst); !ok {
		t.Error("without a folder for the files there are no ports")
	}
}
