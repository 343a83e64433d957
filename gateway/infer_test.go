package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"triton-gateway/gateway/cache"
)

func TestInferHeadersAndBody(t *testing.T) {
	r := newRig(t)
	pic := string(picture(1))
	res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", pic, "X-Request-Id", "mine-1")
	if res.StatusCode != 200 || !strings.HasSuffix(body, `"from_cache":false}`) || !json.Valid([]byte(body)) {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	want := map[string]string{"X-Request-Id": "mine-1", "Cache-Status": "triton-gateway; fwd=miss; stored", "X-Model-Version": "2", "X-Route": "shapes/2; reason=policy", "Content-Type": "application/json"}
	for name, value := range want {
		if got := res.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if timing := res.Header.Get("Server-Timing"); !strings.HasPrefix(timing, "decode;dur=1.500, infer;dur=2.000, total;dur=") {
		t.Errorf("Server-Timing %q", timing)
	}
	res, again := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", pic)
	if again != strings.TrimSuffix(body, "false}")+"true}" {
		t.Errorf("the stored bytes changed: %s", again)
	}
	if got := res.Header.Get("Cache-Status"); got != "triton-gateway; hit; detail=memory" {
		t.Errorf("Cache-Status %q", got)
	}
	res, _ = r.do(t, "POST", "/v1/models/shapes/infer?top_k=2", "image/png", pic)
	if got := res.Header.Get("Cache-Status"); got != "triton-gateway; hit; detail=tensor" {
		t.Errorf("Cache-Status %q", got)
	}
	res, body = r.do(t, "POST", "/v1/models/shapes/infer", "image/png", pic, "If-None-Match", `"x", `+res.Header.Get("ETag"))
	if res.StatusCode != 304 || body != "" {
		t.Errorf("If-None-Match: %d %q", res.StatusCode, body)
	}
}

func TestInferVersions(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v1/models/shapes/versions/1/infer", "/v1/models/shapes/infer?version=1", "/v1/models/shapes/versions/1/infer?version=1"} {
		res, body := r.do(t, "POST", path, "image/png", string(picture(1)))
		if res.StatusCode != 200 || res.Header.Get("X-Route") != "shapes/1; reason=requested" || r.runner.last().Version != "1" {
			t.Errorf("%s: %d %s %s", path, res.StatusCode, res.Header.Get("X-Route"), body)
		}
	}
}

func TestInferCacheModes(t *testing.T) {
	for _, c := range []struct {
		path, header, status string
		mode                 cache.Mode
	}{
		{"", "", "triton-gateway; fwd=miss; stored", cache.Default},
		{"?cache=no-cache", "", "triton-gateway; fwd=request; stored", cache.NoCache},
		{"?cache=no-store", "", "triton-gateway; fwd=bypass", cache.NoStore},
		{"", "no-cache", "triton-gateway; fwd=request; stored", cache.NoCache},
		{"", "max-age=0, no-store", "triton-gateway; fwd=bypass", cache.NoStore},
		{"?cache=default", "no-cache", "triton-gateway; fwd=miss; stored", cache.Default},
		{"", "max-age=60", "triton-gateway; fwd=miss; stored", cache.Default},
	} {
		r := newRig(t)
		res, body := r.do(t, "POST", "/v1/models/shapes/infer"+c.path, "image/png", string(picture(1)), "Cache-Control", c.header)
		if res.StatusCode != 200 || res.Header.Get("Cache-Status") != c.status || r.runner.last().Cache != c.mode {
			t.Errorf("%q %q: %d %q %v %s", c.path, c.header, res.StatusCode, res.Header.Get("Cache-Status"), r.runner.last().Cache, body)
		}
	}
}

func TestInferByGet(t *testing.T) {
	r := newRig(t)
	url := "/v1/models/iris/infer?sepal_length=5.1&sepal_width=3.5&petal_length=1.4&petal_width=0.2&top_k=1"
	res, body := r.do(t, "GET", url, "", "")
	if res.StatusCode != 200 || res.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Fatalf("%d %s %s", res.StatusCode, res.Header.Get("Cache-Control"), body)
	}
	row := r.runner.last().Item.Row.Named
	if fmt.Sprint(row) != "map[petal_length:1.4 petal_width:0.2 sepal_length:5.1 sepal_width:3.5]" || *r.runner.last().Options.TopK != 1 {
		t.Errorf("row %v", row)
	}
	if res, _ = r.do(t, "GET", url, "", "", "If-None-Match", res.Header.Get("ETag")); res.StatusCode != 304 || res.Header.Get("Cache-Control") == "" {
		t.Errorf("304 expected, got %d", res.StatusCode)
	}
	res, body = r.do(t, "GET", "/v1/models/shapes/infer?x=1", "", "")
	if res.StatusCode != 405 || res.Header.Get("Allow") != "POST" {
		t.Errorf("GET for pictures: %d %s", res.StatusCode, body)
	}
}

func TestInferForms(t *testing.T) {
	r := newRig(t)
	pic := string(picture(1))
	kind, body := makeForm("top_k", "3", "@image", pic, "classes", "circle, star")
	res, got := r.do(t, "POST", "/v1/models/shapes/infer?top_k=3", kind, body)
	last := r.runner.last()
	if res.StatusCode != 200 || string(last.Item.Image.Bytes) != pic || *last.Options.TopK != 3 || strings.Join(last.Options.Classes, "|") != "circle|star" {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	kind, body = makeForm("@image", pic, "@file", string(picture(2)), "@image", string(picture(3)))
	res, got = r.do(t, "POST", "/v1/models/shapes/infer", kind, body)
	many := decode[struct {
		ID, Model, Version, Task string
		Results                  []struct {
			Bytes     int
			Sum       string
			FromCache *bool `json:"from_cache"`
		}
	}](t, got)
	if res.StatusCode != 200 || len(many.Results) != 3 || many.Model != "shapes" || many.Version != "2" || many.Task != "image-classification" || many.ID != res.Header.Get("X-Request-Id") {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	for i, result := range many.Results {
		if result.Bytes != len(picture(i+1)) || result.FromCache == nil || *result.FromCache != (i == 0) {
			t.Errorf("result %d: %+v", i, result)
		}
	}
	if res.Header.Get("Cache-Status") != "triton-gateway; fwd=partial; stored" { // the first was seen with other options
		t.Errorf("Cache-Status %q", res.Header.Get("Cache-Status"))
	}
}

func TestInferJSON(t *testing.T) {
	r := newRig(t)
	b64 := base64.StdEncoding.EncodeToString(picture(1))
	escaped := strings.ReplaceAll(b64, "/", `\/`)
	for _, text := range []string{b64, escaped, "data:image/png;base64," + b64, strings.TrimRight(base64.URLEncoding.EncodeToString(picture(1)), "="), b64[:40] + `\r\n` + b64[40:]} {
		res, body := r.do(t, "POST", "/v1/models/shapes/infer", "application/json; charset=utf-8", `{"image":{"base64":"`+text+`"},"top_k":2,"classes":["star","circle"]}`)
		last := r.runner.last()
		if res.StatusCode != 200 || string(last.Item.Image.Bytes) != string(picture(1)) || *last.Options.TopK != 2 || len(last.Options.Classes) != 2 {
			t.Fatalf("%s: %d %s", clip(text), res.StatusCode, body)
		}
	}
	res, body := r.do(t, "POST", "/v1/models/iris/infer", "application/json", `{"rows":[{"sepal_length":5.1,"x":null,"s":"2"},[5.1,3.5,1,9007199254740993]]}`)
	if res.StatusCode != 200 || strings.Count(body, `"from_cache":`) != 2 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	rows := ""
	for _, request := range r.runner.requests[r.runner.count()-2:] {
		rows += string(content(&request))
	}
	for _, want := range []string{`"sepal_length":5.1`, `"x":null`, `"s":"2"`, `[5.1,3.5,1,9007199254740993]`} {
		if !strings.Contains(rows, want) {
			t.Errorf("%s is not in %s", want, rows)
		}
	}
	res, body = r.do(t, "POST", "/v1/models/plain/infer", "application/json", `{"id":"a","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4.5]]}]}`)
	got := r.runner.last().Item.Tensors
	if res.StatusCode != 200 || len(got) != 1 || got[0].Validate() != nil || got[0].Data[15] != 0x40 {
		t.Errorf("%d %s %v", res.StatusCode, body, got)
	}
}

func TestOneImageInAListHasResults(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "POST", "/v1/models/shapes/infer", "application/json", `{"images":[{"base64":"`+base64.StdEncoding.EncodeToString(picture(1))+`"}]}`)
	if !strings.Contains(body, `"results":[{`) || !json.Valid([]byte(body)) {
		t.Error(body)
	}
}

func TestResultByDigest(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	sum := decode[struct{ Sum string }](t, body).Sum
	res, body := r.do(t, "GET", "/v1/models/shapes/results/"+sum+"?top_k=2", "", "")
	if res.StatusCode != 200 || body != `{"from_cache":true}` || res.Header.Get("ETag") == "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	res, body = r.do(t, "GET", "/v1/models/shapes/results/"+strings.Repeat("0", 64), "", "", "Prefer", "miss=no-content")
	if res.StatusCode != http.StatusNoContent || len(body) != 0 || res.Header.Get("Preference-Applied") != "miss=no-content" || res.Header.Get("Vary") != "Prefer" {
		t.Errorf("a miss that is no error: %d %s %v", res.StatusCode, body, res.Header)
	}
	res, body = r.do(t, "GET", "/v1/models/shapes/results/"+strings.Repeat("0", 64), "", "")
	if res.StatusCode != http.StatusNotFound || decode[problem](t, body).Code != "result_not_cached" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}
