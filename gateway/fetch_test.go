package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/fetch"
)

// shop is a server with pictures, and a gateway that may ask it.
func shop(t *testing.T) (*rig, string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1", "/2":
			_, _ = w.Write(picture(int(r.URL.Path[1] - '0')))
		case "/chunked": // more than one buffer, and no length
			for range 40 {
				_, _ = io.WriteString(w, strings.Repeat("x", 4096))
				_ = http.NewResponseController(w).Flush()
			}
		case "/huge":
			w.Header().Set("Content-Length", "999999999")
		case "/empty":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	u, _ := url.Parse(s.URL)
	port, _ := strconv.Atoi(u.Port())
	c := defaultFetch()
	c.Enabled, c.Allow, c.Ports = true, []string{"127.0.0.0/8"}, []int{port}
	f, err := c.open(testBodyLimit)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, func(d *serverDeps) { d.Fetcher = f }), s.URL
}

// TestPicturesByURL: beside those that came with the call, in order; one that cannot be had fails alone and is named; all memory is given back.
func TestPicturesByURL(t *testing.T) {
	r, at := shop(t)
	res, body := r.do(t, "POST", "/v1/models/shapes/infer", typeJSON, `{"image":{"url":"`+at+`/1"}}`)
	if got := r.runner.last(); res.StatusCode != 200 || string(got.Item.Image.Bytes) != string(picture(1)) {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	res, body = r.do(t, "POST", "/v1/models/shapes/infer", typeJSON, `{"images":[{"url":"`+at+`/2"},{"base64":"eA=="},{"url":"`+at+`/none"},{"url":"http://10.0.0.1:1/"},{"url":"`+at+`/chunked"}]}`)
	results := decode[struct{ Results []struct{ Error *problem } }](t, body).Results
	if res.StatusCode != 200 || len(results) != 5 || results[0].Error != nil || results[1].Error != nil || results[4].Error != nil {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if p := results[2].Error; p == nil || p.Status != 422 || p.Code != "url_not_fetched" || len(p.Errors) != 1 || p.Errors[0].Location != "body.images[2].url" {
		t.Errorf("%+v", p)
	}
	if p := results[3].Error; p == nil || p.Status != 400 || p.Errors[0].Location != "body.images[3].url" || !strings.Contains(p.Detail, "fetch.ports") {
		t.Errorf("%+v", p)
	}
	for path, want := range map[string]int{"/huge": 413, "/empty": 422, "/none": 422} {
		if res, body := r.do(t, "POST", "/v1/models/shapes/infer", typeJSON, `{"image":{"url":"`+at+path+`"}}`); res.StatusCode != want || !strings.Contains(body, `"body.image.url"`) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if used := r.budget.Stats().Used; used != 0 {
		t.Errorf("%d bytes are never given back", used)
	}
}

// TestPicturesByURLOff names the setting.
func TestPicturesByURLOff(t *testing.T) {
	r := newRig(t)
	res, body := r.do(t, "POST", "/v1/models/shapes/infer", typeJSON, `{"image":{"url":"https://example.com/x.png"}}`)
	if res.StatusCode != 400 || !strings.Contains(body, "fetch.enabled") || r.runner.count() != 0 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	on, at := shop(t)
	for _, image := range []string{`{"url":"` + at + `/1","base64":"eA=="}`, `{"url":1}`, `{"url":""}`, `{}`, `{"file":"/etc/passwd"}`} {
		if res, body := on.do(t, "POST", "/v1/models/shapes/infer", typeJSON, `{"image":`+image+`}`); res.StatusCode != 400 || on.runner.count() != 0 {
			t.Errorf("%s: %d %s", image, res.StatusCode, body)
		}
	}
}

// breaking is a reader that ends with an error.
type breaking struct{ err error }

func (f breaking) Read(b []byte) (int, error) { return copy(b, "some"), f.err }

func TestFromGivesBack(t *testing.T) {
	r := newRig(t)
	broken := errors.New("broken")
	if _, err := r.bodies.from(context.Background(), -1, breaking{broken}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := r.bodies.from(context.Background(), 1<<40, strings.NewReader("x")); fault.KindOf(err) == fault.Internal {
		t.Errorf("a terabyte: %v", err)
	}
	if used := r.budget.Stats().Used; used != 0 {
		t.Errorf("%d bytes are never given back", used)
	}
}

func TestFetchSettings(t *testing.T) {
	for in, want := range map[string]string{
		"{redirects: 4}": "fetch.redirects", "{redirects: -1}": "fetch.redirects", "{ports: [0]}": "fetch.ports", "{hosts: ['https://a']}": "fetch.hosts", "{allow: [10.0.0.1]}": "fetch.allow",
		"{bytes: 1GiB}": "fetch.bytes", "{timeout: -1s}": "fetch.timeout", "{parallel: -1}": "fetch.parallel", "{enabled: true, hosts: ['*.a.test'], allow: [10.0.0.0/8], redirects: 0}": "",
	} {
		c := DefaultConfig()
		if err := c.decode([]byte("fetch: " + in)); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		err := errors.Join(c.Fetch.check(c.Limits.Bodies)...)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", in, err, want)
		}
	}
	f, err := Fetch{Enabled: true, Allow: []string{"10.0.0.0/8"}}.open(5)
	got, ok := f.(*fetch.Fetcher)
	if err != nil || !ok || got.Bytes != 5 || got.Parallel != 16 || got.Allow[0] != netip.MustParsePrefix("10.0.0.0/8") {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := (Fetch{}).open(5); f != nil || err != nil {
		t.Errorf("off: %v, %v", f, err)
	}
}
