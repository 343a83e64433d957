package parts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func shell(script string, ready func(string) bool) Command {
	return Command{Path: "/bin/sh", Args: []string{"-c", script}, Ready: ready}
}

func line(want string) func(string) bool { return func(got string) bool { return got == want } }

func TestStartReturnsWhenTheLineIsThere(t *testing.T) {
	// The line comes in two writes, among others, and has a Windows line end.
	p := Start(t, shell(`echo one; printf 'rea'; printf 'dy\r\nthree'; exec sleep 1000`, line("ready")))
	if log := p.Log(); !strings.HasPrefix(log, "one\nready\r\n") {
		t.Errorf("log %q", log)
	}
}

func TestStartFailsWhenTheProgramEnds(t *testing.T) {
	_, err := start(shell(`echo because of this >&2; exit 3`, line("ready")))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "because of this") {
		t.Errorf("error %v, want the status and the log", err)
	}
	if _, err := start(Command{Path: "/no/such/program"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that says the program is not there", err)
	}
}

// stubborn says ready, and ends with status 7 when it is asked to.
const stubborn = `trap 'echo ended; exit 7' TERM; echo ready; while :; do sleep 0.01; done`

func TestStopLetsTheProgramEnd(t *testing.T) {
	p, err := start(shell(stubborn, line("ready")))
	if err != nil {
		t.Fatal(err)
	}
	defer p.output.remove()
	if err := p.Stop(); err != nil || p.Exit() != 7 || p.Log() != "ready\nended\n" {
		t.Errorf("Stop: %v, status %d, log %q", err, p.Exit(), p.Log())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

func TestKillDoesNotLetTheProgramEnd(t *testing.T) {
	p, err := start(shell(stubborn, line("ready")))
	if err != nil {
		t.Fatal(err)
	}
	defer p.output.remove()
	p.Kill()
	if p.Exit() != -1 || p.Log() != "ready\n" {
		t.Errorf("Kill: status %d, log %q", p.Exit(), p.Log())
	}
}

func TestKillReachesGrandchildren(t *testing.T) {
	// The grandchild holds the write end of the pipe: reading ends when it is gone.
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := Start(t, shell(`(echo alive; exec sleep 1000) >"`+pipe+`" & wait`, nil))
	file, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buffer := make([]byte, 100)
	if n, err := file.Read(buffer); err != nil || string(buffer[:n]) != "alive\n" {
		t.Fatalf("%q, %v", buffer[:n], err)
	}
	p.Kill()
	if n, err := file.Read(buffer); n != 0 || err == nil {
		t.Errorf("%d bytes, %v, want the end of the file", n, err)
	}
}

func TestPauseHasStoppedTheProgramWhenItReturns(t *testing.T) {
	p := Start(t, shell(`echo ready; while :; do :; done`, line("ready")))
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, p.Pid()); state != "T" {
		t.Errorf("state %s after Pause, want T", state)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, p.Pid()); state == "T" {
		t.Error("still stopped after Resume")
	}
}

// stateOf is the state letter of a process; it follows the program's name in brackets.
func stateOf(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func TestServersEndWithAKilledTestProcess(t *testing.T) {
	if os.Getenv("PARTS_TEST_CHILD") == "1" {
		server, err := StartRedis()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("redis " + server.Addr + "\n")
		select {}
	}
	Check(t, func() error { _, err := onPath("redis-server"); return err }())

	var addr string
	child := Start(t, Command{
		Path: os.Args[0], Args: []string{"-test.run=^" + t.Name() + "$"}, Env: append(os.Environ(), "PARTS_TEST_CHILD=1", "TMPDIR="+t.TempDir()),
		Ready: func(line string) bool {
			var found bool
			addr, found = strings.CutPrefix(line, "redis ")
			return found
		},
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%d bytes, %v: the Redis of a killed test process still runs", n, err)
	}
}
