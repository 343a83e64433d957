//go:build !linux

package parts

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitStopped trusts the signal where the state of a child cannot be looked at without taking it.
func awaitStopped(int) error { return nil }
