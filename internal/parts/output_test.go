package parts

import (
	"strings"
	"testing"
)

// fed writes the parts to an output that waits for the line "ready" and returns the lines that the check saw.
func fed(t *testing.T, parts ...string) (o *output, seen []string) {
	t.Helper()
	o, err := newOutput(func(line string) bool {
		seen = append(seen, line)
		return line == "ready"
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.remove)
	for _, part := range parts {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write %q: %d, %v", part, n, err)
		}
	}
	return o, seen
}

func isReady(o *output) bool {
	select {
	case <-o.ready:
		return true
	default:
		return false
	}
}

func TestOutputSeesLinesHoweverTheyAreCut(t *testing.T) {
	for _, c := range []struct {
		parts []string
		seen  string
		ready bool
	}{
		{[]string{"one\ntwo\n"}, "one|two", false},
		{[]string{"one\nrea", "d", "y", "\nfour\n"}, "one|ready", true},
		{[]string{"ready"}, "", false},
		{[]string{"ready\r", "\n"}, "ready", true},
		{[]string{"\n\nready\nready\n"}, "||ready", true},
		{[]string{"", "not ready\n"}, "not ready", false},
	} {
		o, seen := fed(t, c.parts...)
		if got := strings.Join(seen, "|"); got != c.seen || isReady(o) != c.ready {
			t.Errorf("%q: lines %q, ready %v, want %q, %v", c.parts, got, isReady(o), c.seen, c.ready)
		}
		if want := strings.Join(c.parts, ""); o.tail() != want {
			t.Errorf("%q: tail %q", c.parts, o.tail())
		}
	}
}

func TestOutputKeepsNoEndlessLine(t *testing.T) {
	block := strings.Repeat("x", lineLimit/2)
	o, seen := fed(t, block, block, block, block, "\nready\n")
	if !isReady(o) || len(seen) != 2 || len(seen[0]) != lineLimit {
		t.Errorf("ready %v after %d lines, the first of %d bytes, want true, 2, %d", isReady(o), len(seen), len(seen[0]), lineLimit)
	}
}

func TestOutputTailIsCutAtALine(t *testing.T) {
	o, _ := fed(t, strings.Repeat("0123456789abcde\n", logTail/16), "last\n")
	tail := o.tail()
	if len(tail) > logTail || len(tail) < logTail-16 || !strings.HasPrefix(tail, "0123") || !strings.HasSuffix(tail, "e\nlast\n") {
		t.Errorf("a tail of %d bytes, from %.20q", len(tail), tail)
	}
}
