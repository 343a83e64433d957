package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEvents(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"data: a\n\n":                            "|a",
		"event: item\ndata: a\ndata:b\n\n":       "item|a\nb",
		"event: x\r\ndata: 1\r\n\r\ndata: 2\n\n": "x|1 |2",
		": note\n\nevent: only\n\ndata: c\n\n":   "|c",
		"data: cut off":                          "",
		"id: 3\nretry: 5\nodd\ndata:  two\n\n":   "| two",
	} {
		var got []string
		for e, err := range events(strings.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.name+"|"+string(e.data))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzEvents: whatever comes, each event has data, and reading ends.
func FuzzEvents(f *testing.F) {
	f.Add("event: item\ndata: {\"index\":1}\n\n")
	f.Add("data: a\ndata: b\n\n\n\nevent:\n\r\ndata\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for e, err := range events(strings.NewReader(text)) {
			if err != nil {
				return
			}
			if n++; strings.ContainsAny(e.name, "\n") || n > strings.Count(text, "data") {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestWhatWasFoundInShort(t *testing.T) {
	for text, want := range map[string]string{
		`{"predictions":[{"label":"circle","score":0.98},{"label":"star","score":0.01}]}`:                                                                    "circle 0.980",
		`{"detections":[{"label":"a","score":0.9},{"label":"b","score":0.8}]}`:                                                                               "a 0.900, b 0.800",
		`{"detections":[{"label":"a","score":0.9},{"label":"b","score":0.8},{"label":"c","score":0.7},{"label":"d","score":0.6},{"label":"e","score":0.5}]}`: "a 0.900, b 0.800, c 0.700, and 2 more",
		`{"detections":[]}`: "nothing found",
		`{"value":152.25}`:  "152.25",
		`{"error":{"code":"invalid_row","detail":"sepal_length is missing"}}`: "invalid_row: sepal_length is missing",
		`[`: "?",
	} {
		if got := itemDoc(json.RawMessage(text)).short(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestProgressText(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := &progress{verb: "sent", total: 10000, done: 2500, bytes: 50e6, began: now.Add(-10 * time.Second)}
	if got := p.text(now); got != "sent 2500 of 10000, 250/s, 5.0 MB/s, 30s left" {
		t.Error(got)
	}
	p.bar = true
	if got := p.text(now); got != "[######..................] sent 2500 of 10000, 250/s, 5.0 MB/s, 30s left" || len(got) >= 80 {
		t.Error(got)
	}
	p.done = 10000
	if got := p.text(now); !strings.HasPrefix(got, "[########################] sent 10000 of 10000, 1000/s") || strings.Contains(got, "left") {
		t.Error(got)
	}
	for _, total := range []int{0, 3} {
		p = &progress{bar: true, verb: "done", total: total, began: now}
		if got := p.text(now); strings.ContainsAny(got, "NI") {
			t.Error(got)
		}
	}
}

func TestABarGivesWayToLines(t *testing.T) {
	var b strings.Builder
	p := newProgress(&b, 2)
	p.bar, p.every = true, 0
	p.add(1, 10)
	p.say("a line")
	p.trouble(fmt.Errorf("away"))
	p.trouble(fmt.Errorf("away again"))
	p.add(1, 10)
	p.phase("done", 2)
	p.end()
	got := b.String()
	if !strings.Contains(got, "\r\x1b[Ka line\n\r\x1b[K[") || strings.Count(got, "away") != 1 || strings.Count(got, "\n") != 4 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
}

// FuzzNames: whatever a file is called, it stays in its archive and in its folder of results.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a.png", "../../a.png", "/etc/x", `..\..\b.jpg`, "c:\\d", "", "..", "a/../../b", "\x00", strings.Repeat("x/", 900) + "y.png"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		used := map[string]bool{}
		for _, out := range []string{packed(name, used), packed(name, used), below(name)} {
			if strings.HasPrefix(out, "/") || slices.Contains(strings.Split(out, "/"), "..") {
				t.Fatalf("%q becomes %q", name, out)
			}
		}
		if len(used) != 2 {
			t.Fatalf("%q twice: %v", name, used)
		}
	})
}
