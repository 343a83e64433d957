package parts

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes give a child its own process group, so that its children can be signalled with it, and have the kernel end it
// when the test process dies without a chance to clean up.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// awaitStopped returns when every thread of the child has stopped. The state is looked at, not taken: os/exec waits too.
func awaitStopped(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait until process %d has stopped: %w", pid, err)
		}
		return nil
	}
}
