// Package ort is ONNX Runtime in the gateway's own terms: a model's bytes become a session, tensors go in, tensors come out.
// It exists to keep the C library, its process-wide state and its binding's traps in one small place; nothing of it shows
// outside. Without cgo it builds, and Open says what is missing.
package ort

import "errors"

// ErrStopped is what Run gives when its context ended first.
var ErrStopped = errors.New("run stopped")

// ErrInput is what Run gives when an element of an input cannot be handed to the library.
var ErrInput = errors.New("input refused")

// ErrOutput is what Run gives when an output does not have the shape that the caller announced.
var ErrOutput = errors.New("unexpected output shape")

// Options sets up a session.
type Options struct {
	Threads int    // threads of one run, the caller's own included; at least 1
	Folder  string // where weights outside the model's file lie; "" if there are none
}
