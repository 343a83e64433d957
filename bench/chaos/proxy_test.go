package chaos

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// echo is a server that says what it is told.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func through(t *testing.T, p *proxy) (say func(string) ([]byte, error)) {
	t.Helper()
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return func(text string) ([]byte, error) {
		_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := c.Write([]byte(text)); err != nil {
			return nil, err
		}
		back := make([]byte, len(text))
		_, err := io.ReadFull(c, back)
		return back, err
	}
}

func TestProxy(t *testing.T) {
	p, err := newProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	const text = "sixteen letters."
	say := through(t, p)
	same := func(when string) time.Duration {
		t.Helper()
		start := time.Now()
		if got, err := say(text); err != nil || string(got) != text {
			t.Fatalf("%s: %q %v", when, got, err)
		}
		return time.Since(start)
	}
	same("at first")
	mend, _ := p.slow()
	if took := same("slow"); took < lateness {
		t.Errorf("slow: after %v", took)
	}
	_ = mend()
	mend, _ = p.garble()
	if got, err := say(text); err != nil || bytes.Equal(got, []byte(text)) || len(got) != len(text) {
		t.Errorf("garbled: %q %v", got, err)
	}
	_ = mend()
	same("mended")
	p.cut()
	if _, err := say(text); err == nil {
		t.Error("a connection that was cut answers")
	}
	say = through(t, p)
	same("another connection")
}

func TestProxyBeforeNobody(t *testing.T) {
	p, err := newProxy(parts.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if _, err := through(t, p)("hello"); err == nil {
		t.Error("somebody answers")
	}
}
