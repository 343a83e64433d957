package parts

import (
	"fmt"
	"net"
	"time"
)

// listening waits until a program takes connections that does not say so itself.
func listening(address string, process *Process) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for timeout := time.After(readyWithin); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ticker.C:
		case <-process.Done():
			return fmt.Errorf("it ended before it listened at %s:\n%s", address, process.output.tail())
		case <-timeout:
			return fmt.Errorf("nobody listens at %s: %w", address, err)
		}
	}
}
