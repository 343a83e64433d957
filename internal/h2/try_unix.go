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

// pull reads from a socket what is there, without waiting. do is once, bound one time.
type pull struct {
	do   func(fd uintptr) bool
	data []byte
	n    int
	none bool // nothing is there
	err  error
}

func (p *pull) once(fd uintptr) bool {
	for {
		p.n, p.err = syscall.Read(int(fd), p.data)
		if p.err == syscall.EINTR {
			continue
		}
		if p.err == syscall.EAGAIN {
			p.n, p.err, p.none = 0, nil, true
		}
		p.n = max(0, p.n)
		return true
	}
}
