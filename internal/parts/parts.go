// Package parts starts the real programs that tests talk to - Triton, Redis - as child processes, and finds the ones that are
// only called: ONNX Runtime's library, Chromium, perf_analyzer, the built gateway. It exists so that a test can be run against
// the real thing on a plain machine without containers, and so that "the real thing is missing" means the same everywhere:
// a skip with a clear message under a plain `go test`, a failure under `make test`, which installs all of them.
//
// A server is ready when the function that starts it returns; nothing waits by sleeping. It ends with the test, and also
// when the test process is killed. Triton takes seconds to start, so the tests of one package share one; see [Shared].
package parts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ErrMissing says that a real part is not installed. `make parts` installs all of them.
var ErrMissing = errors.New("real part missing")

const (
	// RequireEnv set to 1 turns a missing part from a skipped test into a failed one.
	RequireEnv = "TRITON_GATEWAY_REQUIRE_PARTS"
	// SwitchEnv set to "off" skips every test that needs a real part, installed or not.
	SwitchEnv = "TRITON_GATEWAY_PARTS"
)

// Check skips the test when err is [ErrMissing] - or fails it, under [RequireEnv] - and fails it on any other error.
func Check(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && (os.Getenv(RequireEnv) != "1" || os.Getenv(SwitchEnv) == "off"):
		tb.Skip(err)
	default:
		tb.Fatal(err)
	}
}

// ONNXRuntime is the path of libonnxruntime.so: $ONNXRUNTIME_LIB, or the one that `make deps` installs.
func ONNXRuntime(tb testing.TB) string {
	tb.Helper()
	return found(tb, func() (string, error) {
		if path := os.Getenv("ONNXRUNTIME_LIB"); path != "" {
			return installed("ONNX Runtime", path)
		}
		return cached("ONNX Runtime", "onnxruntime", "libonnxruntime.so")
	})
}

// Gateway is the path of the built program: $TRITON_GATEWAY_BIN, or bin/triton-gateway, which `make build` makes.
func Gateway(tb testing.TB) string {
	tb.Helper()
	return found(tb, func() (string, error) {
		if path := os.Getenv("TRITON_GATEWAY_BIN"); path != "" {
			return installed("the gateway's program", path)
		}
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		return installed("the gateway's program", filepath.Join(root, "bin", "triton-gateway"))
	})
}

// Chromium is the path of the browser, to be started with [ChromiumFlags].
func Chromium(tb testing.TB) string {
	tb.Helper()
	return found(tb, func() (string, error) { return onPath("chromium") })
}

// ChromiumFlags are what a browser needs to run without a screen, as root and without calling home. The folder is its profile: a fresh one per browser.
func ChromiumFlags(profile string) []string {
	return []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + profile,
	}
}

// ChromiumProfile is a fresh folder for [ChromiumFlags]. It is removed after the test as far as it can be: helpers of the browser may write
// into it for a moment after the browser has ended, which is no fault of the test.
func ChromiumProfile(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "triton-gateway-chromium-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Root is the folder of go.mod, from wherever in the module the test runs.
func Root(tb testing.TB) string {
	tb.Helper()
	return found(tb, moduleRoot)
}

func found(tb testing.TB, find func() (string, error)) string {
	tb.Helper()
	path, err := find()
	Check(tb, err)
	return path
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// cached looks under .cache of the module.
func cached(name string, elements ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	return installed(name, filepath.Join(append([]string{root, ".cache"}, elements...)...))
}

func installed(name, path string) (string, error) {
	if os.Getenv(SwitchEnv) == "off" {
		return "", fmt.Errorf("%w: %s=off", ErrMissing, SwitchEnv)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: %s is not at %s: run `make build parts`", ErrMissing, name, path)
	}
	return path, nil
}

func onPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%w: no %s on PATH: run `make parts`", ErrMissing, program)
	}
	return installed(program, path)
}
