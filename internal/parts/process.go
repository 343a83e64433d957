package parts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// readyWithin is how long a program may take to say that it is ready: far more than any needs, on a machine that is busy.
	readyWithin = 3 * time.Minute
	// stopWithin is how long a program may take to end by itself.
	stopWithin = 60 * time.Second
	// logTail is how many bytes of a log go into an error.
	logTail = 8 << 10
)

// Command says what to start, and how to see that it is ready.
type Command struct {
	Path string
	Args []string
	Env  []string // KEY=VALUE, all of them; nil takes those of the test
	Dir  string   // working directory; "" is that of the test
	// Ready looks at each line that the program writes, without its line end, and says whether it is ready now.
	// nil means that it is ready at once. It is called by one goroutine, and no more after it said yes.
	Ready func(line string) bool
}

// Process is a running child process, with its own children in one process group. Its methods may be called from
// several goroutines.
type Process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{} // closed when the program has ended and its output is read
	err    error         // how it ended; read it after done
}

// Start runs a program until the test ends, and returns when it is ready. The test fails when it does not become ready;
// the end of its log is shown when the test fails for any reason.
func Start(tb testing.TB, command Command) *Process {
	tb.Helper()
	process, err := start(command)
	Check(tb, err)
	tb.Cleanup(func() {
		if err := process.Stop(); err != nil {
			tb.Error(err)
		}
		showLog(tb, process, command.Path)
		process.output.remove()
	})
	return process
}

func showLog(tb testing.TB, process *Process, name string) {
	tb.Helper()
	if tb.Failed() {
		tb.Logf("the end of the log of %s:\n%s", name, process.output.tail())
	}
}

func start(command Command) (*Process, error) {
	output, err := newOutput(command.Ready)
	if err != nil {
		return nil, err
	}
	p := &Process{output: output, done: make(chan struct{})}
	p.cmd = exec.Command(command.Path, command.Args...)
	p.cmd.Env, p.cmd.Dir = command.Env, command.Dir
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = attributes()
	// A grandchild that outlives the program may hold its output open.
	p.cmd.WaitDelay = 2 * time.Second

	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		output.remove()
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	timer := time.NewTimer(readyWithin)
	defer timer.Stop()
	select {
	case <-output.ready:
		return p, nil
	case <-p.done:
		err = fmt.Errorf("%s ended before it was ready: %v", command.Path, p.err)
	case <-timer.C:
		p.Kill()
		err = fmt.Errorf("%s was not ready after %v", command.Path, readyWithin)
	}
	err = fmt.Errorf("%w; the end of its log:\n%s", err, output.tail())
	output.remove()
	return nil, err
}

// run holds one OS thread for as long as the program lives: the kernel ends the program when the thread that
// started it ends, not only when the process does.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	_ = p.signal(syscall.SIGKILL) // what it left behind in its group
	close(p.done)
}

// Stop asks the program to end and waits until it has. A program that ended before is no error; one that has to be killed is.
func (p *Process) Stop() error {
	_ = p.signal(syscall.SIGCONT) // a paused one would not hear the next
	_ = syscall.Kill(p.Pid(), syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM: killed", p.cmd.Path, stopWithin)
	}
}

// Kill ends the program and its children the hard way, as a crash would, and waits until they are gone.
func (p *Process) Kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}

// Pause stops the program where it is; its connections stay open and hang. It returns when the program has really stopped.
func (p *Process) Pause() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause %s: %w", p.cmd.Path, err)
	}
	return awaitStopped(p.Pid())
}

// Resume lets a paused program go on.
func (p *Process) Resume() error {
	if err := p.signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("resume %s: %w", p.cmd.Path, err)
	}
	return nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits until the program has ended and returns its exit status, -1 for one ended by a signal.
func (p *Process) Exit() int {
	<-p.done
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// Pid is the process id of the program, which is also that of its group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log is all that the program wrote until now, standard output and standard error together.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.output.file.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// signal goes to the program and all its children. A group that is gone already is no error.
func (p *Process) signal(signal syscall.Signal) error {
	err := syscall.Kill(-p.Pid(), signal)
	if errors.Is(err, syscall.ESRCH) {
		select {
		case <-p.done:
			return nil
		default:
		}
	}
	return err
}

// withEnv is the environment of the test with these variables set or replaced. Loader and Python settings of the
// caller's shell are left out: they would send the program to other libraries.
func withEnv(set ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PYTHON") || strings.HasPrefix(name, "LD_") {
			continue
		}
		env = append(env, entry)
	}
	return append(env, set...) // of two entries with one name, the last counts
}
