package jobs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"triton-gateway/internal/parts"
)

// Asynq is bench/asynq in a process of its own.
type Asynq struct {
	in  io.Writer
	out *bufio.Scanner
}

// StartAsynq builds and starts it, until the test ends. Where it cannot be built, as without its module, it counts as a part that is missing.
func StartAsynq(tb testing.TB, redis string) *Asynq {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "asynq")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join(parts.Root(tb), "bench", "asynq")
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := build.CombinedOutput(); err != nil {
		parts.Check(tb, fmt.Errorf("%w: bench/asynq cannot be built: %s", parts.ErrMissing, text))
	}
	command := exec.Command(program, "-redis", redis, "-workers", fmt.Sprint(workers), "-bytes", fmt.Sprint(size))
	var log bytes.Buffer
	command.Stderr = &log
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		if err := command.Wait(); err != nil || tb.Failed() {
			tb.Logf("asynq: %v\n%s", err, &log)
		}
	})
	a := &Asynq{in: in, out: bufio.NewScanner(out)}
	if !a.out.Scan() || a.out.Text() != "ready" {
		tb.Fatalf("asynq says %q, not that it is ready", a.out.Text())
	}
	return a
}

// Run gives blocks to it. With results its handler writes a document, which costs it one more call of Redis; otherwise only that the job is done is kept.
func (a *Asynq) Run(results bool) func(context.Context, Order) (Times, error) {
	return func(_ context.Context, o Order) (t Times, err error) {
		if _, err := fmt.Fprintf(a.in, `{"producers":%d,"jobs":%d,"results":%t}`+"\n", o.Producers, o.Jobs, results); err != nil {
			return t, err
		}
		if !a.out.Scan() {
			return t, fmt.Errorf("asynq has ended: %v", a.out.Err())
		}
		return t, json.Unmarshal(a.out.Bytes(), &t)
	}
}
