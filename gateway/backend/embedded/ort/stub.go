//go:build !cgo

package ort

import (
	"context"
	"fmt"

	"triton-gateway/tensor"
)

// Runtime cannot be had in a build without cgo.
type Runtime struct{}

// Open fails: the library is reached through cgo.
func Open(string) (*Runtime, error) {
	return nil, fmt.Errorf("%w: this program was built without cgo; build it with CGO_ENABLED=1 (`make build`), or use a Triton instead", ErrNoLibrary)
}

// Path is empty.
func (*Runtime) Path() string { return "" }

// Version is empty.
func (*Runtime) Version() string { return "" }

// Close does nothing.
func (*Runtime) Close() error { return nil }

// Load is never reached, as there is no Runtime.
func (*Runtime) Load([]byte, Options) (*Session, error) { return nil, ErrNoLibrary }

// Session cannot be had in a build without cgo.
type Session struct{}

// Graph is empty.
func (*Session) Graph() Graph { return Graph{} }

// Run is never reached, as there is no Session.
func (*Session) Run(context.Context, []tensor.Tensor, [][]int64) ([]tensor.Tensor, error) {
	return nil, ErrNoLibrary
}

// Stop does nothing.
func (*Session) Stop() {}

// Close does nothing.
func (*Session) Close() error { return nil }
