package kserve

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
)

func post(ctx context.Context, client *http.Client, url, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return client.Do(r)
}

// What Triton's own generate answers, the gateway answers in the same bytes; only that floats have the fewest digits that give them back.
func TestGenerateIsAsFromTriton(t *testing.T) {
	w := newTwins(t, triton.Get(t))
	for _, c := range [][2]string{
		{"countdown/generate", `{"IN":1}`}, {"countdown/generate", `{"IN":[1],"parameters":{"x":1}}`}, {"countdown/generate", `{"parameters":{"IN":1}}`}, {"countdown/versions/1/generate", `{"IN":1,"x":"y","z":1.5,"b":true}`},
		{"countdown/generate_stream", `{"IN":1}`}, {"countdown/generate_stream", `{"IN":5}`}, {"countdown/generate_stream", `{"IN":300}`}, {"countdown/generate_stream", `{"IN":0}`}, {"countdown/generate_stream", `{"IN":1003}`},
		{"countdown/generate_stream", `{"IN":-2}`},
		{"words/generate", `{"IN":[0.25,5.5,2]}`}, {"words/generate", `{"IN":[0.5,5.5,2,7,1e3,3]}`}, {"words/generate_stream", `{"IN":[1,2,3]}`}, {"noop/generate", `{"IN":[4]}`},
		{"identity/generate", `{"IN":[4,5,6]}`}, {"identity/generate", `{"IN":4}`},
	} {
		theirs, ours := w.both(t, "POST", "/v2/models/"+c[0], c[1])
		if theirs.status != 200 || ours.status != 200 || !bytes.Equal(theirs.body, ours.body) {
			t.Errorf("%v:\ngot  %d %s\nwant %d %s", c, ours.status, ours.body, theirs.status, theirs.body)
		}
		if got, want := ours.header.Get("Content-Type"), theirs.header.Get("Content-Type"); got != want {
			t.Errorf("%v: Content-Type %q, want %q", c, got, want)
		}
	}
	for _, body := range []string{`{"IN":0}`, `{"IN":2}`, `{"IN":-1}`} { // the same words; Triton sends them with the status 200
		theirs, ours := w.both(t, "POST", "/v2/models/countdown/generate", body)
		if !bytes.Equal(theirs.body, ours.body) || ours.status != 400 {
			t.Errorf("%s:\ngot  %d %s\nwant %d %s", body, ours.status, ours.body, theirs.status, theirs.body)
		}
	}
	for _, c := range [][2]string{{"nope/generate", `{}`}, {"words/generate", `{"IN":[1,2]}`}, {"words/generate", `{"IN":"x"}`}, {"words/generate", `{"IN":{}}`}, {"words/generate", `{"IN":null}`}, {"words/generate", `{"x":[]}`},
		{"words/generate", `{"x":null}`}, {"words/generate", `{`}, {"words/generate", `[]`}, {"words/generate_stream", `{"parameters":[]}`}, {"words/generate", `{}`}} {
		theirs, ours := w.both(t, "POST", "/v2/models/"+c[0], c[1])
		if theirs.status/100 == 2 || ours.status/100 != 4 {
			t.Errorf("%v: Triton %d %s, gateway %d %s", c, theirs.status, theirs.body, ours.status, ours.body)
		}
	}
}
