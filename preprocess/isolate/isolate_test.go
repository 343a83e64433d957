//go:build linux

package isolate_test

import (
	"strings"
	"testing"
)

func TestAnOrderComesThrough(t *testing.T) {
	e := engine(t, nil)
	px, err := tell(t.Context(), e, "echo hello")
	if err != nil || !strings.HasPrefix(string(px.Data), "hello") || len(px.Data) != 192 {
		t.Fatalf("%q, %v", px.Data, err)
	}
	t.Log(e.Report())
}
