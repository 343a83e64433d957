// Package isolate decodes pictures in child processes that have no network, no files, no secrets and no privileges. A decoder is native code
// that reads what strangers send: where it crashes, hangs or takes all memory, that costs one picture; and where it is taken over, there is
// nothing in its process worth taking. The children are the same program, so that there is one thing to build, sign and ship.
//
// The parent trusts its children with nothing: it knows the size of everything that comes back before it asks, reads each word of an
// answer once, and kills a child whose answer does not fit. See docs/decisions/0007-decoder-in-a-child.md.
package isolate

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"triton-gateway/preprocess"
)

// Argument is the one argument by which the program knows that it is to be a child; see Wanted and Serve.
const Argument = "decoder-child"

// Wanted tells whether a program that was started with these arguments, its own name left out, is to be a child.
func Wanted(arguments []string) bool { return len(arguments) == 1 && arguments[0] == Argument }

// ErrMissing is why New fails on a system where there is no isolation.
var ErrMissing = errors.New("decoders can be isolated on Linux only: set decoder.isolate to false")

// Options are what an Engine is made of.
type Options struct {
	Children int               // how many there are, at least 1; each decodes one picture at a time
	Memory   int64             // bytes that a child may take beyond what it has when it starts
	Timeout  time.Duration     // how long one picture may take in a child
	Input    int64             // the longest picture, in bytes
	Local    preprocess.Engine // resizes in this process: pixels are no format that a decoder could stumble over
	Log      *slog.Logger
}

// Reasons why a child ended; Stats counts by them.
const (
	Crashed  = "crash"   // it failed by itself: a signal, an exit, a forbidden system call
	Memory   = "memory"  // it failed because it had no memory left
	Killed   = "killed"  // somebody else killed it, such as an operator or the kernel for want of memory
	Stuck    = "timeout" // it took longer than Options.Timeout
	Nonsense = "answer"  // its answer was not one
	Retired  = "retired" // it had worked long enough; nothing was wrong
	Unborn   = "start"   // it did not become ready
)

// reasons are all of them.
var reasons = [...]string{Crashed, Memory, Killed, Stuck, Nonsense, Retired, Unborn}

// Stats are what an Engine has counted since it was made.
type Stats struct {
	Ready    int               // children that can take a picture now, or have one
	Restarts map[string]uint64 // children that ended, by reason
	Pictures uint64            // pictures, or parts of the work on one, that children were asked for
	Time     time.Duration     // from handing over to the answer, all of them together
}

type counters struct {
	ended    [len(reasons)]atomic.Uint64
	pictures atomic.Uint64
	nanos    atomic.Int64
}

func (c *counters) end(reason string) {
	for i, r := range reasons {
		if r == reason {
			c.ended[i].Add(1)
		}
	}
}

func (c *counters) stats() Stats {
	s := Stats{Restarts: make(map[string]uint64, len(reasons)), Pictures: c.pictures.Load(), Time: time.Duration(c.nanos.Load())}
	for i, r := range reasons {
		s.Restarts[r] = c.ended[i].Load()
	}
	return s
}
