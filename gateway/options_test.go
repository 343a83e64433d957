package gateway

import (
	"net/http"
	"net/url"
	"testing"

	"triton-gateway/gateway/cache"
)

func TestSameValueTwiceIsFine(t *testing.T) {
	var o options
	for _, place := range []string{"query", "body"} {
		if err := o.set(optTopK, place, " 3"); err != nil {
			t.Fatal(err)
		}
	}
	if *o.post.TopK != 3 || o.place[optTopK] != "query.top_k" {
		t.Errorf("%+v", o)
	}
}

func TestCacheControlHeader(t *testing.T) {
	for value, want := range map[string]cache.Mode{
		"": cache.Default, "no-cache": cache.NoCache, "No-Store": cache.NoStore, "max-age=0": cache.NoCache, "no-store, no-cache": cache.NoStore, "max-age=10": cache.Default,
	} {
		var o options
		o.fromHeader(http.Header{"Cache-Control": {value}})
		if o.cache != want {
			t.Errorf("%q: %v", value, o.cache)
		}
	}
}

// FuzzQuery holds the reader of queries to net/url wherever that one takes the text.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1", "a=1&b=2&a=3", "a=%41+b", "&&=&a", "top_k=3&confidence=.5", "a=%zz", "a;b=1", "classes=a,b&cache=no-store", "sepal_length=5.1&sepal_width=%C3%A9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := parseQuery(raw)
		want, wantErr := url.ParseQuery(raw)
		if (err == nil) != (wantErr == nil) {
			if len(raw) > 8000 {
				return // more parameters than are taken
			}
			t.Fatalf("%q: %v, net/url says %v", raw, err, wantErr)
		}
		if err != nil {
			return
		}
		back := url.Values{}
		for _, pair := range got {
			back.Add(pair.name, pair.value)
			o := options{}
			if i := optionIndex(pair.name); i >= 0 {
				if err := o.set(i, "query", pair.value); err == nil && i == optConfidence && !(*o.post.Confidence >= 0 && *o.post.Confidence <= 1) {
					t.Fatalf("confidence %v", *o.post.Confidence)
				}
			}
		}
		if back.Encode() != want.Encode() {
			t.Fatalf("%q: %v, want %v", raw, back, want)
		}
	})
}
