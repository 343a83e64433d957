package monitoring

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/tritonpb"
)

// traffic is what keeps all parts busy until the context ends: new pictures and known ones, rows, jobs, KServe v2 through both doors, and requests that fail.
// Each kind has a caller of its own, who pauses between two calls; speed makes the pauses shorter.
func (r *rig) traffic(t *testing.T, speed func() float64) {
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	t.Cleanup(func() { cancel(); wait.Wait() })
	known := read(t, parts.Root(t)+"/model_repository/shapes/golden/star-1.jpg")
	hook := url.QueryEscape(r.webhook)
	iris := []byte(`{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}`)
	grpc, err := load.Dial(r.gateways[1].GRPC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = grpc.Close() })
	message, err := proto.Marshal(&tritonpb.ModelInferRequest{ModelName: "iris", RawInputContents: [][]byte{make([]byte, 16)},
		Inputs: []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 4}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		every time.Duration
		do    func(host string)
	}{
		{25 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/shapes/infer", "image/png", drawn()) }},
		{10 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/shapes/infer?top_k=2", "image/jpeg", known) }},
		{90 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/shapes/infer?cache=no-store", "image/jpeg", known) }},
		{60 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/shapes/versions/1/infer", "image/png", drawn()) }},
		{40 * time.Millisecond, func(h string) {
			post(ctx, h+"/v1/models/iris/infer", "application/json", fmt.Appendf(nil, `{"rows":[[%.3f,3.5,1.4,0.2]]}`, 4+rand.Float64()*3))
		}},
		{200 * time.Millisecond, func(h string) { post(ctx, h+"/v1/jobs?model=shapes&priority=batch", "image/png", drawn()) }},
		{500 * time.Millisecond, func(h string) { post(ctx, h+"/v1/jobs?model=shapes&webhook="+hook, "image/png", drawn()) }},
		{40 * time.Second, func(h string) { post(ctx, h+"/v1/jobs?model=shapes&attempts=1", "image/png", []byte("no picture")) }},
		{50 * time.Millisecond, func(h string) { post(ctx, h+"/v2/models/iris/infer", "application/json", iris) }},
		{30 * time.Millisecond, func(string) { _, _, _ = grpc.Infer(ctx, message) }},
		{500 * time.Millisecond, func(h string) { post(ctx, h+"/v2/models/none/infer", "application/json", iris) }},
		{300 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/shapes/infer", "image/png", []byte("no picture")) }},
		{700 * time.Millisecond, func(h string) { post(ctx, h+"/v1/models/none/infer", "image/jpeg", known) }},
	} {
		wait.Go(func() {
			for n := 0; ; n++ {
				c.do("http://" + r.gateways[n%2].HTTP)
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Duration(float64(c.every) / speed())):
				}
			}
		})
	}
}

// post does not care for the answer: what it should be is other tests' business.
func post(ctx context.Context, url, kind string, body []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// drawn is a PNG that nobody has seen yet: a coloured square somewhere.
func drawn() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 96, 96))
	paint := color.RGBA{uint8(rand.IntN(256)), uint8(rand.IntN(256)), uint8(rand.IntN(256)), 255}
	left, top := rand.IntN(48), rand.IntN(48)
	for y := range 40 {
		for x := range 40 {
			m.SetRGBA(left+x, top+y, paint)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return b.Bytes()
}

// asOrdered lists which kinds of calls do not do what they are there for: panels would be right for the wrong reason. 503 and 504 may come where the machine stands still.
func (r *rig) asOrdered(t *testing.T) (bad []string) {
	t.Helper()
	for query, want := range map[string]int{
		`sum(gateway_http_request_duration_seconds_count{route="/v1/models/:model/infer", code="200"}) > 0`:                    1,
		`sum(gateway_http_request_duration_seconds_count{route="/v1/jobs", code="202"}) > 0`:                                   1,
		`count(count by (protocol) (gateway_kserve_request_duration_seconds_count{method="ModelInfer", code=~"OK|200"})) == 2`: 1,
		`sum(gateway_http_request_duration_seconds_count{code=~"50[0-2]"})`:                                                    0,
	} {
		if got := r.ask(t, query); len(got) != want {
			bad = append(bad, fmt.Sprintf("%s gives %v", query, got))
		}
	}
	return bad
}
