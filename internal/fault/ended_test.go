package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEnded(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind Kind
		code string
	}{{context.Canceled, Canceled, "client_closed"}, {context.DeadlineExceeded, Timeout, "deadline_exceeded"}, {fmt.Errorf("x: %w", context.Canceled), Canceled, "client_closed"}} {
		f := Ended(c.err, "while it waited")
		if f.Kind != c.kind || f.Code != c.code || !errors.Is(f, c.err) || !strings.Contains(f.Detail, "while it waited") {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}
