package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// strictClient keeps one connection for its requests, as balancers and browsers do, and sends none of them twice: what was sent on an open
// connection has to be answered.
type strictClient struct {
	address string
	conn    net.Conn
	read    *bufio.Reader
	dials   int
}

// errGone says that nobody listens any more: no request was sent.
var errGone = errors.New("nobody listens")

// ask sends one request and reads its answer.
func (c *strictClient) ask(head, body string) (status int, answer string, err error) {
	if err := c.connect(); err != nil {
		return 0, "", err
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c.conn, "%s\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", head, c.address, len(body), body); err != nil {
		return 0, "", fmt.Errorf("the connection broke while a request was sent: %w", err)
	}
	r, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return 0, "", fmt.Errorf("a request was sent and not answered: %w", err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, "", fmt.Errorf("an answer was cut: %w", err)
	}
	if r.Close {
		c.close()
	}
	return r.StatusCode, string(text), nil
}

// connect dials where there is no connection, or where the server has closed it between two requests.
func (c *strictClient) connect() error {
	if c.conn != nil && c.closedByServer() {
		c.close()
	}
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", c.address, patience)
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	c.conn, c.read = conn, bufio.NewReader(conn)
	c.dials++
	return nil
}

// closedByServer asks the kernel, without waiting, whether the end of the connection has come.
func (c *strictClient) closedByServer() (closed bool) {
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	_ = c.conn.SetReadDeadline(time.Time{}) // with one that is over, the kernel would not be asked
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n <= 0 && !errors.Is(err, syscall.EAGAIN)
		return true
	})
	return closed || err != nil
}

func (c *strictClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// gone reports whether an error of a gRPC call says that it could not be sent, as nobody listens.
func gone(err error) bool {
	return strings.Contains(err.Error(), "connect: connection refused")
}
