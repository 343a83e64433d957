package h2

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

type admitted struct{}

// A call is asked about when its headers have come: what it is told ends it before a message has come, and what is put into its context is there.
func TestAdmit(t *testing.T) {
	var handled atomic.Int64
	var soon atomic.Bool
	_, address := serveLean(t, ServerOptions{Admit: func(h Head) (context.Context, bool, *Status) {
		if h.TLS() != nil || h.Method != "/test.Echo/Unary" {
			t.Errorf("%s, TLS %v", h.Method, h.TLS())
		}
		for _, f := range h.Header {
			if f.Name == "x-key" && f.Value == "good" {
				return context.WithValue(t.Context(), admitted{}, f.Value), soon.Load(), nil
			}
		}
		return nil, false, &Status{Code: 16, Message: "who are you"}
	}}, func(c *ServerCall) {
		handled.Add(1)
		if c.Context().Value(admitted{}) != "good" || c.TLS() != nil {
			t.Error("the context is another")
		}
		echoCall(c)
	})
	conn := connect(t, address, Options{})
	for _, s := range []bool{false, true} {
		soon.Store(s)
		if answer, _, err := conn.Call(t.Context(), "/test.Echo/Unary", []Field{{"x-key", "good"}}, [][]byte{[]byte("hello")}); err != nil || string(answer) != "hello" {
			t.Errorf("%q %v", answer, err)
		}
	}
	for _, header := range [][]Field{nil, {{"x-key", "bad"}}} {
		_, _, err := conn.Call(t.Context(), "/test.Echo/Unary", header, [][]byte{make([]byte, 1<<20)})
		var status *Status
		if !errors.As(err, &status) || status.Code != 16 || status.Message != "who are you" {
			t.Errorf("%v", err)
		}
	}
	if handled.Load() != 2 {
		t.Errorf("%d calls were handled", handled.Load())
	}
}
