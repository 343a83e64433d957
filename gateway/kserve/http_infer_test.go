package kserve

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

func TestInferAnswersWithTritonsMembersInTritonsOrder(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	res := h.infer(t, `{"id":"a\"b","parameters":{"sequence_id":7,"sequence_start":true,"priority":2,"mine":"x","half":0.5,"big":18446744073709551615,"whole":-3,"flag":false,"headers":"h","binary_data_output":false},
		"inputs":[{"name":"IN","shape":[1,2],"datatype":"FP32","data":[[1,2.5]],"parameters":{"other":1}}],"outputs":[{"name":"IN","parameters":{"classification":3,"binary_data":false}}]}`)
	res.want(t, 200, `{"id":"a\"b","model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"FP32","shape":[1,2],"data":[1.0,2.5]}]}`)
	if got := res.header.Get("Server-Timing"); got != "infer;dur=1.500" {
		t.Errorf("Server-Timing %q", got)
	}
	r := h.last.Load()
	want := map[string]any{"sequence_id": int64(7), "sequence_start": true, "priority": int64(2), "mine": "x", "half": 0.5, "big": 18446744073709551615.0, "whole": int64(-3), "flag": false}
	if !reflect.DeepEqual(r.Params, want) || r.ID != `a"b` || r.Model != "echo" || r.Version != "" || !reflect.DeepEqual(r.Outputs, []backend.Output{{Name: "IN", Classes: 3}}) {
		t.Errorf("the runner got %+v", r)
	}
	res = h.do(t, "POST", "/v2/models/echo/versions/1/infer", []byte(goodJSON))
	if r := h.last.Load(); res.status != 200 || r.Version != "1" {
		t.Errorf("%d, version %q", res.status, r.Version)
	}
}

func TestEveryDatatypeGoesBothWaysAsJSON(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	for dtype, data := range map[string]string{
		"BOOL": "[true,false]", "UINT8": "[0,255]", "UINT16": "[0,65535]", "UINT32": "[0,4294967295]", "UINT64": "[0,18446744073709551615]",
		"INT8": "[-128,127]", "INT16": "[-32768,32767]", "INT32": "[-2147483648,2147483647]", "INT64": "[-9223372036854775808,9223372036854775807]",
		"FP32": "[0.1,-3.4028235e+38]", "FP64": "[0.1,1.7976931348623157e+308]", "BYTES": `["a\"\\\n\u0001é😀",""]`,
	} {
		res := h.infer(t, `{"inputs":[{"name":"IN","shape":[2],"datatype":"`+dtype+`","data":`+data+`}]}`)
		res.want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"`+dtype+`","shape":[2],"data":`+data+`}]}`)
	}
	h.infer(t, `{"inputs":[{"name":"IN","shape":[6],"datatype":"FP32","data":[NaN,-Infinity,-0.0,1e-7,1e21,16777217]}]}`).
		want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"FP32","shape":[6],"data":[NaN,-Infinity,-0.0,1e-07,1e+21,16777216.0]}]}`)
	h.infer(t, `{"inputs":[{"name":"IN","shape":[0,3],"datatype":"INT8","data":[]}]}`).
		want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"INT8","shape":[0,3],"data":[]}]}`)
	h.infer(t, `{"inputs":[{"name":"IN","shape":[0],"datatype":"BYTES","data":[]}]}`).
		want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"BYTES","shape":[0],"data":[]}]}`)
}

func TestBinaryDataGoBothWaysAndMixWithJSON(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	json := `{"parameters":{"binary_data_output":true},"inputs":[{"name":"A","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},` +
		`{"name":"B","shape":[2],"datatype":"INT8","data":[1,2]},{"name":"C","shape":[0],"datatype":"FP32","parameters":{"binary_data_size":0}},` +
		`{"name":"D","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}`
	body := json + "\x00\x3c\x00\x40" + "\x02\x00\x00\x00\xff\x00"
	res := h.do(t, "POST", "/v2/models/echo/infer", []byte(body), headerLength, itoa(len(json)))
	wantJSON := `{"model_name":"echo","model_version":"1","outputs":[{"name":"A","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}},` +
		`{"name":"B","datatype":"INT8","shape":[2],"parameters":{"binary_data_size":2}},{"name":"C","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}},` +
		`{"name":"D","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}`
	res.want(t, 200, wantJSON+"\x00\x3c\x00\x40\x01\x02\x02\x00\x00\x00\xff\x00")
	if res.header.Get(headerLength) != itoa(len(wantJSON)) || res.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("headers %v", res.header)
	}
	// Of a named output its own parameter counts, and without one it is JSON.
	json = `{"parameters":{"binary_data_output":true},"outputs":[{"name":"A","parameters":{"binary_data":true}},{"name":"B"},{"name":"C"}],"inputs":[` +
		`{"name":"A","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},{"name":"B","shape":[2],"datatype":"INT8","data":[1,2]},{"name":"C","shape":[0],"datatype":"FP32","data":[]}]}`
	res = h.do(t, "POST", "/v2/models/echo/infer", []byte(json+"\x00\x3c\x00\x40"), headerLength, itoa(len(json)))
	res.want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"A","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}},`+
		`{"name":"B","datatype":"INT8","shape":[2],"data":[1,2]},{"name":"C","datatype":"FP32","shape":[0],"data":[]}]}`+"\x00\x3c\x00\x40")
}

func TestRawRequestsTakeTheirShapeFromTheConfig(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.models.list = append(h.models.list,
		model("batched", func(m *catalog.Model) {
			m.Config.MaxBatchSize, m.Config.Inputs = 8, []modelconfig.IO{{Name: "IN", DType: tensor.Int16, Dims: []int64{2, -1}}}
		}),
		model("text", func(m *catalog.Model) {
			m.Config.Inputs = []modelconfig.IO{{Name: "IN", DType: tensor.Bytes, Dims: []int64{1}}}
		}),
		model("texts", func(m *catalog.Model) {
			m.Config.Inputs = []modelconfig.IO{{Name: "IN", DType: tensor.Bytes, Dims: []int64{-1}}}
		}),
		model("wide", func(m *catalog.Model) {
			m.Config.Inputs = []modelconfig.IO{{Name: "IN", DType: tensor.FP32, Dims: []int64{-1, -1}}}
		}),
		model("two", func(m *catalog.Model) {
			m.Config.Inputs = []modelconfig.IO{{Name: "A", DType: tensor.FP32}, {Name: "B", DType: tensor.FP32}}
		}))
	ask := func(model, body string) httpReply {
		return h.do(t, "POST", "/v2/models/"+model+"/infer", []byte(body), headerLength, "0")
	}
	json := `{"model_name":"batched","model_version":"1","outputs":[{"name":"IN","datatype":"INT16","shape":[1,2,3],"parameters":{"binary_data_size":12}}]}`
	ask("batched", "abcdefghijkl").want(t, 200, json+"abcdefghijkl")
	ask("text", "hello").want(t, 200, `{"model_name":"text","model_version":"1","outputs":[{"name":"IN","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":9}}]}`+"\x05\x00\x00\x00hello")
	ask("echo", "").want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]}`)
	ran := h.ran.Load()
	ask("batched", "abcde").wantError(t, 400, "IN")
	ask("texts", "a").wantError(t, 400, "must have input shape [1]")
	ask("wide", "abcd").wantError(t, 400, "more than one variable-sized dimension")
	ask("two", "abcd").wantError(t, 400, "must only have 1 input")
	if h.ran.Load() != ran {
		t.Error("a bad raw request came as far as the model")
	}
}

func squeezed(t testing.TB, kind string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if kind == "deflate" {
		w = zlib.NewWriter(&out)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func inflated(t testing.TB, kind string, body []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	if kind == "gzip" {
		r, err = gzip.NewReader(bytes.NewReader(body))
	} else {
		r, err = zlib.NewReader(bytes.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBodiesAndAnswersMayBeCompressed(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	plain := h.infer(t, goodJSON)
	for range 3 { // the second time with what is kept
		for _, kind := range []string{"gzip", "deflate"} {
			res := h.infer(t, string(squeezed(t, kind, []byte(goodJSON))), "Content-Encoding", kind, "Accept-Encoding", kind)
			if res.status != 200 || res.header.Get("Content-Encoding") != kind || !bytes.Equal(inflated(t, kind, res.body), plain.body) {
				t.Errorf("%s: %d %q %q", kind, res.status, res.header.Get("Content-Encoding"), res.body)
			}
		}
	}
	json := `{"parameters":{"binary_data_output":true},"inputs":[{"name":"IN","shape":[300000],"datatype":"UINT8","parameters":{"binary_data_size":300000}}]}`
	body := append([]byte(json), bytes.Repeat([]byte("abcdefgh\x00\xff"), 30000)...)
	res := h.do(t, "POST", "/v2/models/echo/infer", squeezed(t, "gzip", body), headerLength, itoa(len(json)), "Content-Encoding", "gzip", "Accept-Encoding", "deflate, gzip;q=0.5")
	out := inflated(t, "deflate", res.body)
	n := atoi(t, res.header.Get(headerLength))
	if res.status != 200 || !bytes.Equal(out[n:], body[len(json):]) || !strings.HasPrefix(string(out[:n]), `{"model_name":"echo"`) {
		t.Errorf("%d %.200q", res.status, out)
	}
}

func TestAcceptEncodingIsReadAsTritonReadsIt(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "gzip": "gzip", "deflate": "deflate", "identity": "", "br": "", "*": "", "gzip, deflate": "gzip", "deflate, gzip": "deflate",
		"gzip;q=0.5, deflate": "deflate", "gzip;q=0": "", "identity, gzip": "", "identity;q=0.1,gzip;q=0.2": "gzip", "gzip;q=x, deflate;q=0.1": "deflate", " gzip ; q=1": "gzip",
	} {
		if got := accepted([]string{text}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHalfsThatAreAskedForAsJSONAreRefusedBeforeTheModelRuns(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.models.list[1].Config.Outputs = []modelconfig.IO{{Name: "H", DType: tensor.BF16, Dims: []int64{1}}}
	h.infer(t, strings.Replace(goodJSON, "{", `{"outputs":[{"name":"H"}],`, 1)).wantError(t, 400, "sending BF16 data via JSON is not supported")
	if h.ran.Load() != 0 {
		t.Error("it ran")
	}
}

func TestTheModelsParametersComeBack(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.runner.pass = func(context.Context, *backend.Request) (*pipeline.Passed, error) {
		return &pipeline.Passed{Response: &backend.Response{Version: "3", Params: map[string]any{"sequence_id": int64(4), "a": true, "x": 0.5, "s": "t"},
			Outputs: []tensor.Tensor{{Name: "H", DType: tensor.FP16, Shape: []int64{1}, Data: []byte{0, 0}}}}}, nil
	}
	h.infer(t, goodJSON).wantError(t, 400, "sending FP16 data via JSON is not supported")
	res := h.infer(t, strings.Replace(goodJSON, "{", `{"outputs":[{"name":"H","parameters":{"binary_data":true}}],`, 1))
	res.want(t, 200, `{"model_name":"echo","model_version":"3","parameters":{"a":true,"s":"t","sequence_id":4,"x":0.5},"outputs":[{"name":"H","datatype":"FP16","shape":[1],"parameters":{"binary_data_size":2}}]}`+"\x00\x00")
}
