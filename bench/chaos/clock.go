package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ClockEnv names the file from which a program built by [BuildWithClock] reads how many nanoseconds its wall clock is ahead of the true one.
const ClockEnv = "CHAOS_CLOCK"

// The lines of Go's time.Now that are changed.
const (
	nowBefore = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	nowAfter  = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec, nsec = chaosShifted(sec, nsec)\n"
)

// shifted goes to the end of time.go. Timers and durations keep the monotonic clock, as they do when an operator or NTP sets the clock of a machine.
const shifted = `
var chaosNanos int64

// ChaosShift puts the wall clock so many nanoseconds ahead.
func ChaosShift(nanos int64) { atomic.StoreInt64(&chaosNanos, nanos) }

func chaosShifted(sec int64, nsec int32) (int64, int32) {
	shift := atomic.LoadInt64(&chaosNanos)
	if shift == 0 {
		return sec, nsec
	}
	n := int64(nsec) + shift%1e9
	sec += shift / 1e9
	if n < 0 {
		n, sec = n+1e9, sec-1
	}
	if n >= 1e9 {
		n, sec = n-1e9, sec+1
	}
	return sec, int32(n)
}
`

// reader is a file of package main that is not in the tree: it reads the shift every few milliseconds, and stays at the last one while the file cannot be read.
const reader = `package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

func init() {
	path := os.Getenv("` + ClockEnv + `")
	if path == "" {
		return
	}
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			text, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				time.ChaosShift(n)
			}
		}
	}()
}
`

// BuildWithClock builds the main package in a folder with a wall clock that can be set, into the file out. What is changed is a copy of this toolchain's own
// time/time.go, laid over it by go build -overlay; neither the toolchain nor the tree is touched. args are further ones of go build.
func BuildWithClock(folder, out string, args ...string) error {
	work, err := os.MkdirTemp("", "triton-gateway-clock-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("ask go for its root: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	changed, err := withShift(string(source))
	if err != nil {
		return fmt.Errorf("%s: %w", original, err)
	}
	files := map[string]string{original: changed, filepath.Join(folder, "chaos_clock.go"): reader}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		at := filepath.Join(work, strconv.Itoa(len(overlay.Replace))+".go")
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return err
		}
		overlay.Replace[path] = at
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	list := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return err
	}
	build := exec.Command("go", append(append([]string{"build", "-overlay", list, "-o", out}, args...), ".")...)
	build.Dir = folder
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build with a clock that can be set: %w\n%s", err, said)
	}
	return nil
}

// withShift changes the text of Go's time/time.go.
func withShift(source string) (string, error) {
	const imports = "import (\n"
	if strings.Count(source, nowBefore) != 1 || strings.Count(source, imports) != 1 {
		return "", errors.New("time.Now is not as it is known here; look what it is in this Go and change bench/chaos/clock.go")
	}
	source = strings.Replace(source, nowBefore, nowAfter, 1)
	source = strings.Replace(source, imports, imports+"\t\"sync/atomic\"\n", 1)
	return source + shifted, nil
}

// setClock writes the shift, so that a reader sees the old or the new one.
func setClock(path string, nanos int64) error {
	if err := os.WriteFile(path+".new", []byte(strconv.FormatInt(nanos, 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
