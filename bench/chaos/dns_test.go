package chaos

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	n, err := newNames()
	if errors.Is(err, errCannot) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	look := func(patience time.Duration) ([]string, error) {
		r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(n.Address, "53"))
		}}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return r.LookupHost(ctx, "triton.test.")
	}
	right := func(when string) {
		t.Helper()
		var got []string
		within(t, when+" a name has an address", func() (ok bool) { // a resolver does not wait for long
			var err error
			got, err = look(time.Minute)
			return err == nil
		})
		if !slices.Equal(got, []string{"127.0.0.1"}) {
			t.Fatalf("%s: %v", when, got)
		}
	}
	right("at first")
	for name, mode := range map[string]nameMode{"gone": gone, "silent": silent, "babbling": babbling} {
		if err := n.become(mode); err != nil {
			t.Fatal(err)
		}
		if got, err := look(300 * time.Millisecond); err == nil {
			t.Errorf("%s: %v", name, got)
		}
		if err := n.become(answering); err != nil {
			t.Fatal(err)
		}
		right("after " + name)
	}
	if err := n.become(tardy); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	right("tardy")
	if took := time.Since(start); took < tardiness {
		t.Errorf("tardy: after %v", took)
	}
}

func FuzzReply(f *testing.F) {
	question := append([]byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x01a\x04test\x00\x00\x01\x00\x01"...)
	if got, want := reply(question), append(append([]byte{0, 7, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, question[12:]...), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1); !bytes.Equal(got, want) {
		f.Fatalf("%x, not %x", got, want)
	}
	f.Add(question)
	f.Add(question[:12])
	f.Add(question[:len(question)-1])
	f.Add([]byte{})
	f.Add([]byte{0, 1, 0x80})
	f.Fuzz(func(t *testing.T, question []byte) {
		answer := reply(question)
		if answer == nil {
			return
		}
		if len(answer) < headSize || !bytes.Equal(answer[:2], question[:2]) || answer[2]&0x80 == 0 || len(answer) > len(question)+16 {
			t.Errorf("%x: %x", question, answer)
		}
	})
}
