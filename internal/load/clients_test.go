package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func message(t *testing.T, model string) []byte {
	t.Helper()
	out, err := proto.Marshal(&tritonpb.ModelInferRequest{ModelName: model, RawInputContents: [][]byte{{7}},
		Inputs: []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "IN", Datatype: "UINT8", Shape: []int64{1}}}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGRPC(t *testing.T) {
	server := tritontest.New(t)
	server.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		return []tensor.Tensor{{Name: "OUT", DType: tensor.Uint8, Shape: []int64{1000}, Data: make([]byte, 1000)}}, nil
	})
	client, err := Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	size, _, err := client.Infer(t.Context(), message(t, "m"))
	if err != nil || size < 1000 || size > 1100 {
		t.Errorf("%d bytes, %v", size, err)
	}
	if v, text := client.Call(message(t, "m"))(t.Context(), 0); v != Answered || text != "" {
		t.Errorf("verdict %d %s", v, text)
	}
	for code, want := range map[codes.Code]Verdict{codes.Unavailable: Down, codes.ResourceExhausted: Bare, codes.Internal: Failed, codes.DeadlineExceeded: Late} {
		server.Fail(tritontest.Fault{Times: 1, Code: code, Text: "why"})
		if v, text := client.Call(message(t, "m"))(t.Context(), 0); v != want || !strings.Contains(text, "why") {
			t.Errorf("%v is verdict %d %s", code, v, text)
		}
	}
	client.Timeout = 20 * time.Millisecond
	server.Fail(tritontest.Fault{Times: 1, Delay: time.Minute})
	if v, _ := client.Call(message(t, "m"))(t.Context(), 0); v != Late {
		t.Errorf("a call over its time is verdict %d", v)
	}
}

func TestHTTP(t *testing.T) {
	answers := map[string]struct {
		status int
		retry  string
		want   Verdict
	}{"/ok": {200, "", Answered}, "/full": {429, "1", Rejected}, "/bare": {429, "", Bare}, "/late": {504, "", Late}, "/down": {503, "1", Down}, "/bad": {400, "", Failed}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a := answers[r.URL.Path]
		if string(body) != "body" || r.Header.Get("X-Test") != "yes" {
			a.status = 500
		}
		if a.retry != "" {
			w.Header().Set("Retry-After", a.retry)
		}
		w.WriteHeader(a.status)
	}))
	defer server.Close()
	for path, a := range answers {
		client := NewHTTP(server.URL+path, http.Header{"X-Test": {"yes"}}, 4)
		if v, text := client.Call([]byte("body"))(t.Context(), 0); v != a.want {
			t.Errorf("%s is verdict %d %s, want %d", path, v, text, a.want)
		}
		client.Close()
	}
	gone := NewHTTP("http://127.0.0.1:1/", nil, 1)
	defer gone.Close()
	if v, text := gone.Call(nil)(t.Context(), 0); v != Failed || text == "" {
		t.Errorf("nobody there is verdict %d", v)
	}
}

func TestMetrics(t *testing.T) {
	const text = "# HELP a b\na_total{model=\"m\",code=\"OK\"} 3\na_total{model=\"m\",code=\"NO\"} 4.5\na_total{model=\"n\"} 1\nb 1e3\n"
	m, err := parseMetrics(strings.NewReader(text))
	if err != nil || m["b"] != 1000 {
		t.Fatal(m, err)
	}
	if Sum(m, "a_total") != 8.5 || Sum(m, "a_total", `model="m"`) != 7.5 || Sum(m, "a_total", `model="m"`, `code="NO"`) != 4.5 || Sum(m, "a") != 0 {
		t.Errorf("sums of %v", m)
	}
	if _, err := parseMetrics(strings.NewReader("a x\n")); err == nil {
		t.Error("a value that is no number is taken")
	}
}

func TestCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ { // ends as soon as this process has worked for one tick
		if now, err := CPU(os.Getpid()); err != nil || now > before {
			break
		}
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Error("a process that is not there has a CPU time")
	}
}

func TestMetricsFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("# HELP a b\na 2\n"))
	}))
	defer server.Close()
	if got, err := MetricsFor(server.URL, http.Header{"X-Api-Key": {"key"}}); err != nil || got["a"] != 2 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Metrics(server.URL); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a key: %v", err)
	}
}
