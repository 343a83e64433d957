//go:build unix

package h2

import "syscall"

// canTry says that a write can be tried that never waits.
const canTry = true

// try writes to a socket what goes in without waiting. do is once, bound one time.
type try struct {
	do   func(fd uintptr) bool
	data []byte
	n    int
	err  error
}

func (t *try) once(fd uintptr) bool {
	for {
		t.n, t.err = syscall.Write(int(fd), t.data)
		if t.err == syscall.EINTR {
			continue
		}
		if t.err == syscall.EAGAIN {
			t.n, t.err = 0, nil
		}
		return true
	}
}
