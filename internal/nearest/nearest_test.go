package nearest

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}, {strings.Repeat("x", 256), "x", math.MaxInt}} {
		if got := Edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// The oracle is the definition.
func TestEditsEqualsItsDefinition(t *testing.T) {
	var define func(a, b string) int
	define = func(a, b string) int {
		switch {
		case a == "":
			return len(b)
		case b == "":
			return len(a)
		case a[0] == b[0]:
			return define(a[1:], b[1:])
		}
		return 1 + min(define(a[1:], b), define(a, b[1:]), define(a[1:], b[1:]))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringMatching(`[abc]{0,6}`).Draw(t, "a"), rapid.StringMatching(`[abc]{0,6}`).Draw(t, "b")
		if got, want := Edits(a, b), define(a, b); got != want {
			t.Fatalf("%q to %q: %d, want %d", a, b, got, want)
		}
	})
}

func TestWord(t *testing.T) {
	known := []string{"top_k", "confidence", "iou", "max_detections", "classes"}
	for word, want := range map[string]string{"topk": "top_k", "top-k": "top_k", "TOP_K": "top_k", "conf": "", "maxdetections": "max_detections", "confidense": "confidence", "io": "iou", "class": "classes", "zzz": "", "": "", "x": "", strings.Repeat("x", 999): ""} {
		if got := Word(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
