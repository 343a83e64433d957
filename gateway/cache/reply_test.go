package cache

import (
	"fmt"
	"strings"
	"testing"
)

func scanAll(stream string, step int) error {
	g := replyGuard{limit: 1000}
	for len(stream) > 0 {
		n := min(step, len(stream))
		if err := g.scan([]byte(stream[:n])); err != nil {
			return err
		}
		stream = stream[n:]
	}
	return nil
}

func TestReplyGuard(t *testing.T) {
	long := strings.Repeat("x", 1000+replySpare)
	bulk := func(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
	for name, step := range map[string]struct {
		stream string
		good   bool
	}{
		"replies":              {"+OK\r\n-ERR no\r\n:12\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n" + bulk("v"), true},
		"line ends in strings": {bulk("\r\n*9999999\r\n$99999999999\r\n") + "+OK\r\n", true},
		"longest string":       {bulk(long), true},
		"too long a string":    {bulk(long + "x"), false},
		"huge string":          {"$99999999999\r\n", false},
		"overflow":             {"$9223372036854775807\r\n", false},
		"beyond any number":    {"*99999999999999999999999\r\n", false},
		"huge array":           {fmt.Sprintf("*%d\r\n", replyItems+1), false},
		"negative":             {"$-2\r\n", false},
		"no number":            {"$x\r\n", false},
		"depth":                {strings.Repeat("*1\r\n", replyDepth) + ":1\r\n" + strings.Repeat("*1\r\n", replyDepth) + ":1\r\n", true},
		"too deep":             {strings.Repeat("*1\r\n", replyDepth+1), false},
		"deep behind elements": {strings.Repeat("*3\r\n:1\r\n", replyDepth+1), false},
		"array of arrays":      {strings.Repeat("*2\r\n*2\r\n$1\r\na\r\n*0\r\n$1\r\nb\r\n", 20), true},
		"longest line":         {"+" + strings.Repeat("x", replyLine-2) + "\r\n", true},
		"endless line":         {"+" + strings.Repeat("x", replyLine), false},
		"no carriage return":   {"+OK\n", false},
		"empty line":           {"\r\n", false},
		"HTTP":                 {"HTTP/1.1 400 Bad Request\r\n", false},
		"RESP3":                {"%1\r\n+a\r\n+b\r\n", false},
	} {
		for _, size := range []int{1, 2, 7, 1 << 20} {
			if err := scanAll(step.stream, size); (err == nil) != step.good {
				t.Errorf("%s, %d bytes a read: %v", name, size, err)
			}
		}
	}
}

// FuzzReplyGuard: what is accepted does not depend on how the stream is divided, and never holds more than its bounds.
func FuzzReplyGuard(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "$3\r\nabc\r\n", "*2\r\n:1\r\n$-1\r\n", "*1\r\n*1\r\n", "$99999999999\r\n", "-ERR\r\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		whole := replyGuard{limit: 1000}
		err := whole.scan(stream)
		if whole.skip > 1000+replySpare+2 || len(whole.open) > replyDepth || len(whole.line) > replyLine {
			t.Errorf("%+v", whole)
		}
		if divided := scanAll(string(stream), max(step, 1)); (divided == nil) != (err == nil) {
			t.Errorf("%v in one, %v in parts of %d", err, divided, step)
		}
	})
}

func BenchmarkReplyGuard(b *testing.B) {
	stream := []byte(fmt.Sprintf("$%d\r\n%s\r\n$-1\r\n$-1\r\n", 400, strings.Repeat("x", 400)))
	g := replyGuard{limit: 1000}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.scan(stream); err != nil {
			b.Fatal(err)
		}
	}
}
