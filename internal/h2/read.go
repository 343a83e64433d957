package h2

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("h2: the server closed the connection")
	}
	return fmt.Errorf("h2: the connection is lost: %w", err)
}

func isCut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// receive waits for something to come, and takes it. After an error that isCut, the next goes on where this one ended. The caller has the role.
func (c *Conn) receive() error {
	b := c.place()
	n, err := c.nc.Read(b)
	return c.arrived(b, n, err)
}

// receiveNow takes what has come. The caller has the role.
func (c *Conn) receiveNow() error {
	for {
		b := c.place()
		p := &c.pull
		p.data, p.n, p.err, p.none = b, 0, nil, false
		err := c.raw.Read(p.do)
		p.data = nil
		if err == nil {
			err = p.err
		}
		if err == nil && p.none {
			return nil
		}
		if err == nil && p.n == 0 {
			err = io.EOF
		}
		if err := c.arrived(b, p.n, err); err != nil || p.n < len(b) {
			return err
		}
	}
}

// place is where the next bytes go: the rest of a long answer to where it belongs, all else to the buffer.
func (c *Conn) place() []byte {
	if d := &c.data; d.stream != nil && c.in.i == c.in.n {
		if b := d.stream.room(d.left); len(b) >= len(c.in.buf)/2 {
			d.straight = true
			return b
		}
	}
	return c.in.room()
}

// arrived takes the n bytes that were read into the place.
func (c *Conn) arrived(b []byte, n int, err error) error {
	if d := &c.data; d.straight {
		d.straight = false
		d.stream.had += n
		d.left -= n
	} else {
		c.in.n += n
	}
	if err != nil && n == 0 {
		return lost(err)
	}
	return c.parse()
}
