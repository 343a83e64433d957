package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// lines takes a log, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// await takes lines until one holds the text.
func (l lines) await(text string) {
	for !strings.Contains(<-l, text) {
	}
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// put writes a file of a repository in one step, as a careful deployment does it.
func put(tb testing.TB, repository, name string, data []byte) {
	tb.Helper()
	path := filepath.Join(repository, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(repository+".part", data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(repository+".part", path); err != nil {
		tb.Fatal(err)
	}
}

func floats(name string, shape []int64, values ...float32) tensor.Tensor {
	t := tensor.Tensor{Name: name, DType: tensor.FP32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

func ask(model, version string, inputs ...tensor.Tensor) *backend.Request {
	return &backend.Request{Model: model, Version: version, Inputs: inputs}
}

// status waits until the index has a version in a state that holds, and gives its status.
func status(tb testing.TB, e *Engine, model, version string, holds func(*backend.ModelStatus) bool) backend.ModelStatus {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := e.Index(ctx)
		if err != nil {
			tb.Fatal(err)
		}
		var found *backend.ModelStatus
		for i := range list {
			if list[i].Name == model && list[i].Version == version {
				found = &list[i]
			}
		}
		if holds(found) {
			if found == nil {
				return backend.ModelStatus{}
			}
			return *found
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("%s version %q never got there; the index has %+v", model, version, list)
		}
	}
}

func isReady(s *backend.ModelStatus) bool {
	return s != nil && s.State == backend.Ready && s.Reason == ""
}

func isGone(s *backend.ModelStatus) bool { return s == nil }

// fake is a session without a library: it adds the first byte of the model's file to every byte of its input x.
type fake struct {
	data    byte
	entered chan struct{} // if not nil, told of every run
	leave   chan struct{} // if not nil, awaited by every run
	closed  chan struct{}
	stopped chan struct{} // if not nil, closed by Stop
}

var errBroken = errors.New("broken model")

// openFake opens files that start with anything but "bad".
func openFake(model []byte, _ ort.Options) (session, error) {
	if len(model) == 0 || string(model) == "bad" {
		return nil, errBroken
	}
	return &fake{data: model[0], closed: make(chan struct{})}, nil
}

func (f *fake) Graph() ort.Graph {
	io := func(name string) []ort.Value {
		return []ort.Value{{Name: name, DType: tensor.Uint8, Ranked: true, Dims: []int64{-1, 2}}}
	}
	return ort.Graph{Inputs: io("x"), Outputs: io("y")}
}

func (f *fake) Run(ctx context.Context, in []tensor.Tensor, _ [][]int64) ([]tensor.Tensor, error) {
	if f.entered != nil {
		f.entered <- struct{}{}
	}
	if f.leave != nil {
		select {
		case <-f.leave:
		case <-ctx.Done():
			return nil, ort.ErrStopped
		case <-f.stopped:
			return nil, ort.ErrStopped
		}
	}
	select {
	case <-f.closed:
		return nil, errors.New("run of a closed session")
	default:
	}
	out := tensor.Tensor{Name: "y", DType: tensor.Uint8, Shape: in[0].Shape}
	for _, b := range in[0].Data {
		out.Data = append(out.Data, b+f.data)
	}
	return []tensor.Tensor{out}, nil
}

func (f *fake) Stop() {
	if f.stopped != nil {
		close(f.stopped)
	}
}

func (f *fake) Close() error {
	close(f.closed)
	return nil
}

func bytesOf(data ...byte) tensor.Tensor {
	return tensor.Tensor{Name: "x", DType: tensor.Uint8, Shape: []int64{int64(len(data)) / 2, 2}, Data: data}
}

func startFake(tb testing.TB, repository string, open func([]byte, ort.Options) (session, error)) *Engine {
	tb.Helper()
	e := newEngine(Config{Repository: repository, Interval: 5 * time.Millisecond, Threads: 2, Log: quiet}, open)
	if err := e.start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}
