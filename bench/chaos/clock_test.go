package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const clockProgram = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	start := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		year := time.Now().Year() // by the wall clock; a duration is not
		fmt.Println(year, time.Since(start) < time.Hour)
	}
}
`

func TestAProgramWhoseClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"main.go": clockProgram, "go.mod": "module clock\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "clock")
	if err := BuildWithClock(folder, program); err != nil {
		t.Fatal(err)
	}
	shift := filepath.Join(folder, "shift")
	command := exec.Command(program)
	command.Env = append(os.Environ(), ClockEnv+"="+shift)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = command.Wait() }()
	ask := func() string {
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 64)
		n, err := out.Read(line)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(line[:n]))
	}
	now := ask()
	if !strings.HasSuffix(now, " true") {
		t.Fatal(now)
	}
	for _, c := range []struct {
		nanos int64
		want  string
	}{{100 * 365 * day, "21"}, {-100 * 365 * day, "19"}, {0, now[:2]}} {
		if err := setClock(shift, c.nanos); err != nil {
			t.Fatal(err)
		}
		within(t, "the clock shows the century "+c.want, func() bool {
			got := ask()
			if !strings.HasSuffix(got, " true") {
				t.Fatalf("a duration followed the wall clock: %s", got)
			}
			return strings.HasPrefix(got, c.want)
		})
	}
}

func TestAnotherTimeNowIsRefused(t *testing.T) {
	for _, source := range []string{"", "package time\nimport (\n)\n", "package time\nimport (\n)\n" + nowBefore + nowBefore} {
		if _, err := withShift(source); err == nil || !strings.Contains(err.Error(), "change bench/chaos/clock.go") {
			t.Errorf("%q: %v", source, err)
		}
	}
}
