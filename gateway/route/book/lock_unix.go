//go:build unix

package book

import (
	"os"
	"syscall"
)

// lock keeps others from writing at the same time. It ends with the file.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
