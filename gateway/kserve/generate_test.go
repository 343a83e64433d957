package kserve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// newGenerateRig has a model talk, which gives each of its inputs back as often as the parameter times says, and then fails if it has the parameter fail.
func newGenerateRig(t *testing.T) *httpRig {
	h := newHTTPRig(t, false, func(d *Deps) { d.Limits.Message = 1 << 20 })
	h.models.list = append(h.models.list, model("talk", func(m *catalog.Model) {
		m.Config.Decoupled, m.Config.MaxBatchSize = true, 4
		m.Config.Inputs = []modelconfig.IO{{Name: "text", DType: tensor.Bytes, Dims: []int64{1}}, {Name: "N", DType: tensor.Int32, Dims: []int64{-1}}, {Name: "half", DType: tensor.FP16, Dims: []int64{1}},
			{Name: "pairs", DType: tensor.FP32, Dims: []int64{-1, 2}}}
	}))
	h.models.list = append(h.models.list, model("odd", func(m *catalog.Model) {
		m.Config.Inputs = []modelconfig.IO{{Name: "parameters", DType: tensor.Int32, Dims: []int64{1}}}
	}))
	slices.SortFunc(h.models.list, func(a, b *catalog.Model) int { return strings.Compare(a.Name, b.Name) })
	h.runner.stream = func(_ context.Context, r *backend.Request, emit func(*backend.Response) error) error {
		h.ran.Add(1)
		h.last.Store(r)
		times, _ := r.Params["times"].(int64)
		for i := range times {
			answer := echo(r)
			answer.Params = map[string]any{paramFinal: i == times-1}
			if note, ok := r.Params["note"]; ok {
				answer.Params["note"] = note
			}
			if err := emit(answer); err != nil {
				return err
			}
		}
		if r.Params["fail"] == true {
			return fault.New(fault.Upstream, "upstream_error", "the model gave up")
		}
		return nil
	}
	return h
}

func (h *httpRig) generate(t *testing.T, kind, body string) httpReply {
	t.Helper()
	return h.do(t, "POST", "/v2/models/talk/"+kind, []byte(body))
}

func TestGenerate(t *testing.T) {
	h := newGenerateRig(t)
	r := h.generate(t, "generate", `{"text":"a\n\"b\"","N":[1,2,3],"parameters":{"times":1,"note":1.5},"stop":true,"stop":false}`)
	r.want(t, 200, `{"N":[1,2,3],"model_name":"talk","model_version":"1","note":1.5,"text":"a\n\"b\""}`)
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%q", got)
	}
	asked := h.last.Load()
	if fmt.Sprint(asked.Inputs[0].Shape, asked.Inputs[1].Shape) != "[1 1] [1 3]" || asked.Params["stop"] != true || asked.Params["times"] != int64(1) {
		t.Errorf("%v %v", asked.Inputs, asked.Params)
	}
	h.generate(t, "generate", `{"parameters":{"times":1,"text":"within"},"pairs":[[1,2],[3,4]]}`).wantError(t, 400, "element") // elements are counted where they are not nested
	h.generate(t, "generate", `{"parameters":{"times":1,"text":"within"},"pairs":[1,2,3,4]}`).want(t, 200, `{"model_name":"talk","model_version":"1","pairs":[1.0,2.0,3.0,4.0],"text":"within"}`)
	if got := fmt.Sprint(h.last.Load().Inputs[1].Shape); got != "[1 2 2]" {
		t.Errorf("pairs are %s", got)
	}
	h.do(t, "POST", "/v2/models/talk/versions/1/generate", []byte(`{"N":7,"times":1}`)).want(t, 200, `{"N":7,"model_name":"talk","model_version":"1"}`)
	h.generate(t, "generate", `{"N":[],"times":1}`).want(t, 200, `{"N":[],"model_name":"talk","model_version":"1"}`)
}

func TestGenerateWantsOneResponse(t *testing.T) {
	h := newGenerateRig(t)
	for _, body := range []string{`{"times":0}`, `{"times":2}`, `{"times":1,"fail":true}`} {
		h.generate(t, "generate", body).wantError(t, 400, "generate expects model to produce exactly 1 response")
	}
	h.generate(t, "generate", `{"times":0,"fail":true}`).wantError(t, 502, "the model gave up")
}

func TestGenerateStream(t *testing.T) {
	h := newGenerateRig(t)
	r := h.generate(t, "generate_stream", `{"N":5,"times":3}`)
	one := `data: {"N":5,"model_name":"talk","model_version":"1"}` + "\n\n"
	r.want(t, 200, one+one+one)
	if got := r.header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" || r.header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("%v", r.header)
	}
	h.generate(t, "generate_stream", `{"N":5,"times":1,"fail":true}`).want(t, 200, one+`data: {"error":"the model gave up"}`+"\n\n")
	h.generate(t, "generate_stream", `{"fail":true}`).wantError(t, 502, "the model gave up")
	h.generate(t, "generate_stream", `{"N":5}`).want(t, 200, "")
	h.runner.stream = func(_ context.Context, _ *backend.Request, emit func(*backend.Response) error) error {
		return emit(&backend.Response{Version: "1", Outputs: []tensor.Tensor{{Name: "h", DType: tensor.FP16, Shape: []int64{1}, Data: []byte{0, 0}}}})
	}
	h.generate(t, "generate_stream", `{}`).wantError(t, 400, "FP16")
	h.generate(t, "generate", `{}`).wantError(t, 400, "FP16")
}

// Each response leaves when the model gives it, and the model's run ends when the caller leaves.
func TestGenerateStreamIsNoneThatWaits(t *testing.T) {
	h := newGenerateRig(t)
	ended := make(chan error, 1)
	h.runner.stream = func(ctx context.Context, _ *backend.Request, emit func(*backend.Response) error) error {
		if err := emit(&backend.Response{Version: "1"}); err != nil {
			return err
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	res, err := post(ctx, h.client, h.url+"/v2/models/talk/generate_stream", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text := make([]byte, 100)
	n, err := res.Body.Read(text)
	if want := "data: {\"model_name\":\"talk\",\"model_version\":\"1\"}\n\n"; string(text[:n]) != want || err != nil {
		t.Errorf("%q, %v", text[:n], err)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("%v", err)
	}
}

func TestBadGenerateRequestsReachNoModel(t *testing.T) {
	h := newGenerateRig(t)
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for body, want := range map[string]struct {
		status int
		say    string
	}{
		``: {400, "JSON"}, `[]`: {400, "an object"}, `{"N":1`: {400, "ends"}, `{"N":1}x`: {400, "after its end"}, `{"N":"x"}`: {400, "INT32"}, `{"N":[1,"x"]}`: {400, "element 1"}, `{"N":1.5}`: {400, "INT32"},
		`{"N":null}`: {400, "INT32"}, `{"N":{}}`: {400, "INT32"}, `{"N":` + deep + `}`: {400, "deep"}, `{"x":` + deep + `}`: {400, "invalid type"}, `{"x":null}`: {400, "invalid type"},
		`{"N":1,"N":2}`: {400, "already exists"}, `{"half":1}`: {400, "FP16"}, `{"half":[1]}`: {400, "FP16"}, `{"pairs":[1,2,3]}`: {400, "proper shape"}, `{"pairs":1}`: {400, "proper shape"},
		`{"parameters":1}`: {400, "parameters"}, `{"parameters":{"N":1},"N":2}`: {400, "already exists"},
		`{"triton_x":1}`: {400, "reserved"}, `{"priority":-1}`: {400, "priority"}, `{"` + strings.Repeat("x", 2000) + `":1}`: {400, "longer"}, `{"N":99999999999}`: {400, "does not fit"},
		`{"x":"` + strings.Repeat("x", 1<<20) + `"}`: {413, "limits.body"},
	} {
		for _, kind := range []string{"generate", "generate_stream"} {
			h.generate(t, kind, body).wantError(t, want.status, want.say)
		}
	}
	var many strings.Builder
	for i := range 65 {
		fmt.Fprintf(&many, `"p%d":1,`, i)
	}
	h.generate(t, "generate", "{"+many.String()+`"N":1}`).wantError(t, 400, "parameters")
	h.do(t, "POST", "/v2/models/odd/generate", []byte(`{"parameters":{}}`)).wantError(t, 400, "Keyword 'parameters'")
	h.do(t, "POST", "/v2/models/nope/generate", []byte(`{}`)).wantError(t, 404, "nope")
	h.do(t, "POST", "/v2/models/talk/versions/9/generate_stream", []byte(`{}`)).wantError(t, 404, "version")
	h.do(t, "POST", "/v2/models/shapes.image/generate", []byte(`{}`)).wantError(t, 501, "/v1/models/shapes/infer")
	h.do(t, "GET", "/v2/models/talk/generate", nil).wantError(t, 405, "POST")
	if h.ran.Load() != 0 {
		t.Errorf("%d reached the model", h.ran.Load())
	}
}

// FuzzGenerate reads any JSON as a generate request. What is read is a valid request of the model's own inputs.
func FuzzGenerate(f *testing.F) {
	for _, seed := range []string{`{}`, `{"N":1}`, `{"N":[1,2],"text":"x","parameters":{"a":1.5}}`, `{"pairs":[[1,2]]}`, `{"pairs":[1,2,3,4]}`, `{"text":["\u00e9"]}`, `{"N":[[[[1]]]]}`, `{"parameters":{"parameters":{}}}`} {
		f.Add([]byte(seed))
	}
	config := &modelconfig.Config{MaxBatchSize: 4, Inputs: []modelconfig.IO{{Name: "text", DType: tensor.Bytes, Dims: []int64{1}}, {Name: "N", DType: tensor.Int32, Dims: []int64{-1}}, {Name: "pairs", DType: tensor.FP32, Dims: []int64{-1, 2}}}}
	var pool buffers
	f.Fuzz(func(t *testing.T, text []byte) {
		q := generateRequest{jsonRequest: jsonRequest{jsonReader: jsonReader{b: text}, limits: testLimits, lease: newLease(&pool)}, config: config}
		defer q.lease.Release()
		if err := q.parse(); err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("the error is none of the caller's: %v", err)
			}
			return
		}
		for _, in := range q.inputs {
			if err := in.Validate(); err != nil || config.Input(in.Name) == nil || config.Input(in.Name).DType != in.DType {
				t.Errorf("%s: %+v: %v", text, in, err)
			}
		}
	})
}
