//go:build !linux

package isolate

import (
	"context"
	"fmt"
	"os"
	"time"

	"triton-gateway/preprocess"
)

// Available tells whether there can be isolation on this system.
const Available = false

// Engine is never made on this system.
type Engine struct{ preprocess.Engine }

// New fails with ErrMissing.
func New(context.Context, Options) (*Engine, error) { return nil, ErrMissing }

// Serve gives an exit code: there are no children on this system.
func Serve(preprocess.Engine) int {
	fmt.Fprintln(os.Stderr, ErrMissing)
	return 2
}

// Close does nothing.
func (*Engine) Close() error { return nil }

// Report is empty.
func (*Engine) Report() Report { return Report{} }

// Stats are empty.
func (*Engine) Stats() Stats { return Stats{} }

// Picture fails with ErrMissing.
func (*Engine) Picture(context.Context, []byte, []byte, preprocess.Header, preprocess.Pixels) (time.Duration, error) {
	return 0, ErrMissing
}
