package kserve

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	upstream "triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

// twins are a real Triton and a gateway before it, asked the same over HTTP.
type twins struct {
	triton, gateway string // http://host:port
	client          *http.Client
	repository      string
	renewed         int // how often the Triton has become another one
}

// newTwins puts a gateway before a Triton.
func newTwins(t *testing.T, server *parts.TritonServer) *twins {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	client, err := tritonclient(server.GRPC, quiet)
	if err != nil {
		t.Fatal(err)
	}
	models := catalog.New(client, catalog.Options{Log: quiet})
	if err := models.Ready(); err != nil {
		t.Fatal(err)
	}
	p := pipeline.New(pipeline.Parts{Models: models, Backend: client})
	s := New(Deps{Runner: &fakeRunner{pass: p.Pass, stream: p.Stream}, Models: models, Backend: client, Codes: httpCodes, Version: "1", Log: quiet, Limits: testLimits})
	s.buffers.poison = true
	front := httptest.NewServer(s.HTTP(true))
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		front.Close()
		if err := models.Close(); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return &twins{triton: "http://" + server.HTTP, gateway: front.URL, client: &http.Client{Transport: transport}, repository: server.Repository}
}

func tritonclient(address string, log *slog.Logger) (*upstream.Client, error) {
	return upstream.New(upstream.Config{Endpoints: []string{address}}, upstream.Deps{Log: log})
}

// both asks both. On a crowded machine Triton sometimes gives up the process in which it runs a Python model, as it hears nothing from it for a second, and answers for
// the model no more: then both are asked again, with another Triton of their own.
func (w *twins) both(t *testing.T, method, path, body string, headers ...string) (theirs, ours httpReply) {
	t.Helper()
	theirs, ours = ask1(t, w.client, method, w.triton+path, []byte(body), headers...), ask1(t, w.client, method, w.gateway+path, []byte(body), headers...)
	if (stubDied(theirs.body) || stubDied(ours.body)) && w.renewed < 5 {
		t.Logf("%s: %s, %s", path, theirs.body, ours.body)
		renewed := w.renewed + 1
		*w = *newTwins(t, parts.Triton(t, w.repository))
		w.renewed = renewed
		return w.both(t, method, path, body, headers...)
	}
	return theirs, ours
}

// stubDied recognises Triton's word for the end of a Python model's process.
func stubDied(body []byte) bool {
	return bytes.Contains(body, []byte("Stub process '")) && bytes.Contains(body, []byte("is not healthy"))
}

var (
	dataMember = regexp.MustCompile(`"data":\[[^]]*\]`)
	counters   = regexp.MustCompile(`:[0-9]+`)
)

// same asks both to infer, and fails the test unless the answers are the same: headers, members in their order, and every element.
func (w *twins) same(t *testing.T, model, text, blobs string, headers ...string) {
	t.Helper()
	if blobs != "" {
		headers = append(headers, headerLength, itoa(len(text)))
	}
	theirs, ours := w.both(t, "POST", "/v2/models/"+model+"/infer", text+blobs, headers...)
	if theirs.status != 200 || ours.status != 200 {
		t.Errorf("%.300s: Triton %d %.300s, gateway %d %.300s", text, theirs.status, theirs.body, ours.status, ours.body)
		return
	}
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if theirs.header.Get(name) != ours.header.Get(name) {
			t.Errorf("%.300s: %s is %q, want %q", text, name, ours.header.Get(name), theirs.header.Get(name))
		}
	}
	if kind := ours.header.Get("Content-Encoding"); kind != "" {
		theirs.body, ours.body = inflated(t, kind, theirs.body), inflated(t, kind, ours.body)
	}
	a, aBlobs := parted(t, theirs)
	b, bBlobs := parted(t, ours)
	if !bytes.Equal(aBlobs, bBlobs) {
		t.Errorf("%.300s: binary data %q, want %q", text, bBlobs, aBlobs)
	}
	if x, y := dataMember.ReplaceAllString(a, `"data":[]`), dataMember.ReplaceAllString(b, `"data":[]`); x != y {
		t.Errorf("%.300s:\ngot  %s\nwant %s", text, y, x)
		return
	}
	if x, y := elementsOf(t, a), elementsOf(t, b); !reflect.DeepEqual(x, y) {
		t.Errorf("%.300s: elements %x, want %x", text, y, x)
	}
}

func parted(t *testing.T, r httpReply) (text string, blobs []byte) {
	t.Helper()
	if r.header.Get(headerLength) == "" {
		return string(r.body), nil
	}
	n := atoi(t, r.header.Get(headerLength))
	return string(r.body[:n]), r.body[n:]
}

// elementsOf reads an answer's JSON tensors as bytes.
func elementsOf(t *testing.T, text string) (list [][]byte) {
	t.Helper()
	var answer struct {
		Outputs []struct {
			Datatype string
			Shape    []int64
		}
	}
	words := strings.NewReplacer("-Infinity", "0", "Infinity", "0", "NaN", "0").Replace(text)
	if err := json.Unmarshal([]byte(words), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	data := dataMember.FindAllString(text, -1)
	for _, o := range answer.Outputs {
		if len(data) == 0 {
			break
		}
		n, err := tensor.Elements(o.Shape)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := tensor.ParseDType(o.Datatype)
		e := jsonElements{jsonReader: &jsonReader{b: []byte(data[0][len(`"data":`):])}, dtype: d, want: n, out: make([]byte, n*int64(d.Size()))}
		if err := e.read(); err != nil {
			t.Fatalf("%s: %v", data[0], err)
		}
		list, data = append(list, e.out), data[1:]
	}
	return list
}

func TestEveryDatatypeIsAsFromTriton(t *testing.T) {
	w := newTwins(t, parts.Triton(t, "gateway/kserve/testdata/repository"))
	in := func(dtype, shape, data string) string {
		return `{"inputs":[{"name":"` + dtype + `","shape":` + shape + `,"datatype":"` + dtype + `","data":` + data + `}],"outputs":[{"name":"O_` + dtype + `"}]}`
	}
	for _, c := range [][2]string{{"BOOL", "[true,false,true]"}, {"UINT8", "[0,255,7]"}, {"UINT16", "[0,65535,7]"}, {"UINT32", "[0,4294967295,7]"}, {"UINT64", "[0,18446744073709551615,7]"},
		{"INT8", "[-128,127,0]"}, {"INT16", "[-32768,32767,0]"}, {"INT32", "[-2147483648,2147483647,0]"}, {"INT64", "[-9223372036854775808,9223372036854775807,0]"},
		{"FP32", "[0.1,-1.5e10,3]"}, {"FP32", "[NaN,Infinity,-Inf]"}, {"FP32", "[3.4028234e38,1e-45,16777217]"}, {"FP32", "[0.10000000149011612,1.17549435e-38,-0.0]"},
		{"FP64", "[0.1,1e300,-4.25]"}, {"FP64", "[1e-7,123456789.125,1e21]"}, {"BYTES", `["a","\u00e9\ud83d\ude00\n\"\\/\u0001",""]`}} {
		w.same(t, "every", in(c[0], "[3]", c[1]), "")
		w.same(t, "every", in(c[0], "[3]", "["+c[1]+"]"), "") // nested otherwise than the shape says
	}
	for _, dtype := range []string{"BOOL", "INT64", "FP16", "FP32"} {
		size := map[string]int{"BOOL": 1, "INT64": 8, "FP16": 2, "FP32": 4}[dtype]
		head := `{"id":"x7","inputs":[{"name":"` + dtype + `","shape":[3],"datatype":"` + dtype + `","parameters":{"binary_data_size":` + itoa(3*size) + `}}],`
		data := strings.Repeat("\x01\x00\x3c\x41\x00\x00\x00\x00", 3)[:3*size]
		if dtype == "BOOL" {
			data = "\x01\x00\x01"
		}
		w.same(t, "every", head+`"outputs":[{"name":"O_`+dtype+`","parameters":{"binary_data":true}}]}`, data)
		w.same(t, "every", head+`"parameters":{"binary_data_output":true}}`, data)
		w.same(t, "every", head+`"parameters":{"binary_data_output":true}}`, data, "Accept-Encoding", "gzip")
		w.same(t, "every", head+`"parameters":{"binary_data_output":true}}`, data, "Accept-Encoding", "deflate;q=0.5, gzip;q=0.1")
		if dtype != "FP16" { // named without binary_data it is JSON, whatever the request says
			w.same(t, "every", head+`"parameters":{"binary_data_output":true},"outputs":[{"name":"O_`+dtype+`"}]}`, data)
			w.same(t, "every", head+`"x":0}`, data)
		}
	}
	mixed := `{"inputs":[{"name":"FP32","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},{"name":"INT8","shape":[2],"datatype":"INT8","data":[1,2]},` +
		`{"name":"BYTES","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":9}}],` +
		`"outputs":[{"name":"O_INT8","parameters":{"binary_data":true}},{"name":"O_FP32"},{"name":"O_BYTES","parameters":{"binary_data":true}}]}`
	w.same(t, "every", mixed, "\x00\x00\x80\x3f\x00\x00\x00\x40\x01\x00\x00\x00a\x00\x00\x00\x00")
	w.same(t, "every", in("FP32", "[0]", "[]"), "")
	w.same(t, "every", in("BYTES", "[0]", "[]"), "")
}

func TestClassesAndRawRequestsAreAsFromTriton(t *testing.T) {
	w := newTwins(t, triton.Get(t))
	scores := `{"inputs":[{"name":"IN","shape":[2,3],"datatype":"FP32","data":[0.1,5.5,2,7,1e-7,3]}],"outputs":[{"name":"OUT","parameters":{"classification":2}}`
	w.same(t, "words", scores+`]}`, "")
	w.same(t, "words", scores+`,{"name":"TEXT"}]}`, "")
	w.same(t, "words", strings.Replace(scores, `"classification":2`, `"classification":9,"binary_data":true`, 1)+`]}`, "")
	w.same(t, "identity", `{"inputs":[{"name":"IN","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}],"unknown":{"x":[]},"parameters":{"mine":1.5,"priority":1}}`, "")
	raw := strings.Repeat("\x00\x00\x80\x3f", 3)
	theirs, ours := w.both(t, "POST", "/v2/models/words/infer", raw, headerLength, "0")
	a, aBlobs := parted(t, theirs)
	if b, bBlobs := parted(t, ours); theirs.status != 200 || a != b || !bytes.Equal(aBlobs, bBlobs) {
		t.Errorf("a raw request: got %d %q, want %d %q", ours.status, ours.body, theirs.status, theirs.body)
	}
	for _, kind := range []string{"gzip", "deflate"} {
		body := squeezed(t, kind, []byte(scores+"]}"))
		theirs, ours := w.both(t, "POST", "/v2/models/words/infer", string(body), "Content-Encoding", kind)
		if theirs.status != 200 || !bytes.Equal(theirs.body, ours.body) {
			t.Errorf("%s: got %d %q, want %d %q", kind, ours.status, ours.body, theirs.status, theirs.body)
		}
	}
}

func TestWhatDescribesModelsIsAsFromTriton(t *testing.T) {
	w := newTwins(t, triton.Get(t))
	for _, path := range []string{"/v2/models/words", "/v2/models/identity/versions/1", "/v2/health/live", "/v2/models/words/ready", "/v2/models/words/versions/1/ready"} {
		theirs, ours := w.both(t, "GET", path, "")
		if theirs.status != ours.status || !bytes.Equal(theirs.body, ours.body) {
			t.Errorf("%s:\ngot  %d %s\nwant %d %s", path, ours.status, ours.body, theirs.status, theirs.body)
		}
	}
	var theirs, ours any
	a, b := w.both(t, "GET", "/v2/models/words/config", "")
	if json.Unmarshal(a.body, &theirs) != nil || json.Unmarshal(b.body, &ours) != nil || !reflect.DeepEqual(theirs, ours) {
		t.Errorf("config:\ngot  %s\nwant %s", b.body, a.body)
	}
	a, b = w.both(t, "POST", "/v2/repository/index", `{"ready":true}`)
	var theirList, ourList []map[string]string
	if json.Unmarshal(a.body, &theirList) != nil || json.Unmarshal(b.body, &ourList) != nil || len(theirList) != len(ourList) {
		t.Errorf("index:\ngot  %s\nwant %s", b.body, a.body)
	}
	a, b = w.both(t, "GET", "/v2/models/identity/stats", "")
	x, y := counters.ReplaceAllString(string(a.body), ":0"), counters.ReplaceAllString(string(b.body), ":0")
	if i := strings.Index(x, `"batch_stats"`); i < 0 || len(y) < i || x[:i] != y[:i] {
		t.Errorf("statistics:\ngot  %s\nwant %s", y, x)
	}
}

// All that is refused here Triton refuses too, so that no client of Triton's is refused what it may send.
func TestWhatTritonRefusesIsRefused(t *testing.T) {
	w := newTwins(t, triton.Get(t))
	for _, c := range badRequests(t) {
		body := strings.ReplaceAll(c.body, "PIXELS", "IN")
		if len(body) > 1<<16 || c.status == 413 || strings.HasPrefix(c.name, "timeout") {
			continue
		}
		theirs, ours := w.both(t, "POST", "/v2/models/identity/infer", body, c.headers...)
		if ours.status/100 != 4 && ours.status != 501 || theirs.status == 200 {
			t.Errorf("%s: Triton %d %.200s, gateway %d %.200s", c.name, theirs.status, theirs.body, ours.status, ours.body)
		}
	}
	for _, path := range []string{"/v2/models/nope", "/v2/models/nope/infer", "/v2/models/nope/config", "/v2/models/nope/ready", "/v2/models/identity/versions/9/infer", "/v2/models/identity/versions/9/ready",
		"/v2/x", "/v2/models/stream/infer", "/v2/models/identity/infer"} {
		method := map[bool]string{true: "POST", false: "GET"}[strings.HasSuffix(path, "infer") && path != "/v2/models/identity/infer"]
		theirs, ours := w.both(t, method, path, "{}")
		if theirs.status != ours.status {
			t.Errorf("%s %s: Triton %d %.200s, gateway %d %.200s", method, path, theirs.status, theirs.body, ours.status, ours.body)
		}
	}
}
