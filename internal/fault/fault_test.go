package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestErrorCarriesKindCodeAndCause(t *testing.T) {
	err := New(Invalid, "invalid_row", "column %q is missing", "petal_width").At("body.row.petal_width", "missing").Wrap(io.EOF).After(3 * time.Second)
	wrapped := fmt.Errorf("outer: %w", err)
	var got *Error
	if !errors.As(wrapped, &got) || got.Code != "invalid_row" || got.Detail != `column "petal_width" is missing` || got.RetryAfter != 3*time.Second {
		t.Fatalf("got %+v", got)
	}
	if len(got.Fields) != 1 || got.Fields[0] != (Field{"body.row.petal_width", "missing"}) {
		t.Errorf("fields %+v", got.Fields)
	}
	if !errors.Is(wrapped, io.EOF) || KindOf(wrapped) != Invalid || KindOf(io.EOF) != Internal {
		t.Error("cause or kind is lost")
	}
	if want := `invalid_row: column "petal_width" is missing: EOF`; err.Error() != want {
		t.Errorf("text %q, want %q", err.Error(), want)
	}
}

func TestIsComparesCodeThenKind(t *testing.T) {
	err := fmt.Errorf("x: %w", New(NotFound, "model_not_found", "no"))
	for _, c := range []struct {
		target error
		want   bool
	}{
		{&Error{Code: "model_not_found"}, true},
		{&Error{Kind: NotFound}, true},
		{&Error{Kind: NotFound, Code: "version_not_found"}, false},
		{&Error{Kind: Busy}, false},
		{io.EOF, false},
	} {
		if errors.Is(err, c.target) != c.want {
			t.Errorf("Is(%v) = %v", c.target, !c.want)
		}
	}
}

func TestRetryable(t *testing.T) {
	retryable := map[Kind]bool{RateLimited: true, Busy: true, Timeout: true, Upstream: true, Unavailable: true, Draining: true}
	for k := Internal; k <= Draining; k++ {
		if k.Retryable() != retryable[k] {
			t.Errorf("kind %d: Retryable() = %v", k, k.Retryable())
		}
	}
}
