package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

// fakeStreamer gives as many responses as the first element of the input says; for a negative number it fails after them. Each holds its number, from 1 on.
type fakeStreamer struct {
	before func(ctx context.Context, n int) error // is called before each response; may be nil
	asked  chan *backend.Request                  // nil: nobody looks
}

func (f *fakeStreamer) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	if f.asked != nil {
		f.asked <- r
	}
	want := int(math.Float32frombits(binary.LittleEndian.Uint32(r.Inputs[0].Data)))
	for i := 1; i <= max(want, -want); i++ {
		if f.before != nil {
			if err := f.before(ctx, i); err != nil {
				return err
			}
		}
		if err := emit(&backend.Response{Version: "1", Params: map[string]any{"triton_final_response": i == want},
			Outputs: []tensor.Tensor{{Name: "n", DType: tensor.Int32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, uint32(i))}}}); err != nil {
			return err
		}
	}
	if want < 0 {
		return fault.New(fault.Upstream, "upstream_error", "the model gave up")
	}
	return nil
}

// streamRig is a server with streams, of the model plain.
type streamRig struct {
	*rig
	model *fakeStreamer
}

func newStreamRig(t testing.TB, edit func(*Streams)) *streamRig {
	t.Helper()
	s := &streamRig{model: &fakeStreamer{}}
	c := defaultStreams()
	if edit != nil {
		edit(&c)
	}
	side := c.open(s.model)
	s.rig = newRig(t, func(d *serverDeps) { d.Streams = side })
	t.Cleanup(func() { _ = side.close() })
	return s
}

// streamsAlone is the side of a gateway without streams under way.
func streamsAlone(t *testing.T) *streamSide {
	c := defaultStreams()
	side := c.open(nil)
	t.Cleanup(func() { _ = side.close() })
	return side
}

// serve listens until the test ends.
func (s *streamRig) serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(s.http)
	t.Cleanup(server.Close)
	return server.URL
}

// inputs is a body that asks for so many responses.
func inputs(n int) string {
	return fmt.Sprintf(`{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[%d,0]}]}`, n)
}

// openStream asks by POST where body is not "", and else by GET.
func openStream(ctx context.Context, client *http.Client, url, body, last string) (*stream, error) {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	return &stream{res, bufio.NewScanner(res.Body)}, nil
}

func mustOpen(t *testing.T, url, body, last string) *stream {
	t.Helper()
	s, err := openStream(t.Context(), http.DefaultClient, url, body, last)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Body.Close() })
	return s
}

// eventually waits until what is asked is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	parts.Until(t, what, time.Minute, so)
}
