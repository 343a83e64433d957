package parts

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one Triton for all tests of a package, started when the first of them asks. A package declares it in a test file and
// closes it in TestMain:
//
//	var triton = parts.NewShared("model_repository")
//
//	func TestMain(m *testing.M) { os.Exit(triton.Main(m).Run()) }
//
//	func TestInfer(t *testing.T) { server := triton.Get(t) ... }
//
// With goleak: goleak.VerifyTestMain(triton.Main(m)). A test that kills or pauses the server, or changes the repository, starts
// its own by [Triton].
type Shared struct {
	start  func() (*TritonServer, error)
	mu     sync.Mutex // guards the rest
	asked  bool
	server *TritonServer
	err    error
}

// NewShared describes the server; nothing starts yet. The arguments are those of [StartTriton].
func NewShared(repository string, options ...TritonOption) *Shared {
	return &Shared{start: func() (*TritonServer, error) { return StartTriton(repository, options...) }}
}

// Get starts the server the first time. Where it could not be started, each test that asks fails, or skips; see [Check].
// The end of its log is shown when a test fails.
func (s *Shared) Get(tb testing.TB) *TritonServer {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.server, s.err = s.start()
		s.asked = true
	}
	Check(tb, s.err)
	tb.Cleanup(func() { showLog(tb, s.server.Process, "Triton") })
	return s.server
}

// Close ends the server if it was ever started. After it, Get fails.
func (s *Shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	server := s.server
	s.asked, s.server, s.err = true, nil, errors.New("the shared Triton is closed")
	if server == nil {
		return nil
	}
	return server.Close()
}

// Runner is what testing.M is to TestMain.
type Runner interface{ Run() int }

// Main runs the tests and then closes the server; the exit status is 1 when that fails.
func (s *Shared) Main(m Runner) Runner { return closing{m, s} }

type closing struct {
	tests  Runner
	shared *Shared
}

func (c closing) Run() int {
	code := c.tests.Run()
	if err := c.shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the shared Triton:", err)
		return max(code, 1)
	}
	return code
}
