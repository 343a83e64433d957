package kserve

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"context"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/tensor"
)

// sink is a ResponseWriter that keeps nothing, so that a benchmark counts what the handler does and not what net/http does.
type sink struct {
	header http.Header
	status int
	n      int
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) Write(b []byte) (int, error) {
	s.n += len(b)
	return len(b), nil
}

func (s *sink) WriteHeader(status int) { s.status = status }

// benchmarkInfer runs the handler on one request again and again, with a model that answers at once with its input.
func benchmarkInfer(b *testing.B, body []byte, headers http.Header) {
	r := newHTTPRig(b, false, nil)
	r.buffers.poison = false
	answer := &backend.Response{Version: "1", Outputs: make([]tensor.Tensor, 1)}
	r.runner.pass = func(_ context.Context, r *backend.Request) (*pipeline.Passed, error) {
		answer.Outputs[0] = r.Inputs[0] // as long as the call lasts
		return &pipeline.Passed{Response: answer}, nil
	}
	handler := r.HTTP(false)
	request, err := http.NewRequestWithContext(b.Context(), "POST", "http://x/v2/models/echo/infer", nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header = headers
	request.ContentLength = int64(len(body))
	in := bytes.NewReader(body)
	w := &sink{header: http.Header{}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(body)
		request.Body = io.NopCloser(in)
		clear(w.header)
		handler.ServeHTTP(w, request)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

func BenchmarkInferBinary(b *testing.B) {
	for name, n := range map[string]int{"16B": 4, "602KB": 3 * 224 * 224} {
		text := `{"parameters":{"binary_data_output":true},"inputs":[{"name":"IN","shape":[` + itoa(n) + `],"datatype":"FP32","parameters":{"binary_data_size":` + itoa(4*n) + `}}]}`
		b.Run(name, func(b *testing.B) {
			benchmarkInfer(b, append([]byte(text), make([]byte, 4*n)...), http.Header{headerLength: {itoa(len(text))}})
		})
	}
}

func BenchmarkInferJSON(b *testing.B) { benchmarkInfer(b, picture(true), http.Header{}) }

// BenchmarkInferCopy is the floor: the same bytes copied once.
func BenchmarkInferCopy(b *testing.B) {
	from, to := make([]byte, 4*3*224*224), make([]byte, 4*3*224*224)
	b.SetBytes(int64(len(from)))
	for b.Loop() {
		copy(to, from)
	}
}
