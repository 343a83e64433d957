//go:build !unix

package h2

// canTry says that a write can be tried that never waits.
const canTry = false

// try is not there on this system: others write, and wait.
type try struct {
	do   func(fd uintptr) bool
	data []byte
	n    int
	err  error
}

func (t *try) once(uintptr) bool { return true }

// pull is not there either.
type pull struct {
	do   func(fd uintptr) bool
	data []byte
	n    int
	none bool
	err  error
}

func (p *pull) once(uintptr) bool { return true }
