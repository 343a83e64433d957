//go:build cgo

package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

// asked is a text of the demo model's goldens, by ONNX Runtime and NumPy in Python.
type asked struct {
	Text        string
	MaxTokens   *int32 `json:"max_tokens"`
	Temperature *float32
	Seed        *int64
	Answer      string
}

func (a *asked) request() *backend.Request {
	one := func(name string, kind tensor.DType, data []byte) tensor.Tensor {
		return tensor.Tensor{Name: name, DType: kind, Shape: []int64{1}, Data: data}
	}
	r := ask("stories", "1", one(inputText, tensor.Bytes, append(binary.LittleEndian.AppendUint32(nil, uint32(len(a.Text))), a.Text...)))
	if a.MaxTokens != nil {
		r.Inputs = append(r.Inputs, one(inputMost, tensor.Int32, binary.LittleEndian.AppendUint32(nil, uint32(*a.MaxTokens))))
	}
	if a.Temperature != nil {
		r.Inputs = append(r.Inputs, one(inputTemperature, tensor.FP32, binary.LittleEndian.AppendUint32(nil, math.Float32bits(*a.Temperature))))
	}
	if a.Seed != nil {
		r.Inputs = append(r.Inputs, one(inputSeed, tensor.Int64, binary.LittleEndian.AppendUint64(nil, uint64(*a.Seed))))
	}
	return r
}

func withStream(r *backend.Request, streams byte) *backend.Request {
	r.Inputs = append(r.Inputs, tensor.Tensor{Name: inputStream, DType: tensor.Bool, Shape: []int64{1}, Data: []byte{streams}})
	return r
}

func goldenTexts(tb testing.TB) []asked {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(parts.Root(tb), "model_repository", "stories", "golden", "texts.json"))
	var file struct{ Texts []asked }
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil || len(file.Texts) < 15 {
		tb.Fatal(len(file.Texts), err)
	}
	return file.Texts
}

// said streams a request and gives the responses' texts.
func said(tb testing.TB, e *Engine, r *backend.Request) (list []string) {
	tb.Helper()
	err := e.Stream(tb.Context(), r, func(a *backend.Response) error {
		if len(a.Outputs) != 1 || a.Outputs[0].Name != outputText || a.Outputs[0].Validate() != nil || a.Params[paramFinal] != false || a.Version != "1" || a.Epoch == "" {
			tb.Errorf("%+v", a)
			return nil
		}
		list = append(list, string(a.Outputs[0].Data[4:]))
		return nil
	})
	if err != nil {
		tb.Error(err)
	}
	return list
}

func TestTextsAreThoseOfPython(t *testing.T) {
	e := start(t, filepath.Join(parts.Root(t), "model_repository"))
	for _, a := range goldenTexts(t) {
		words := said(t, e, a.request())
		if got := strings.Join(words, ""); got != a.Answer {
			t.Errorf("%.60q: %q, want %q", a.Text, got, a.Answer)
		}
		if want := strings.Count(strings.TrimSpace(a.Answer), " ") + 1 + strings.Count(a.Answer, "."); a.Answer != "" && len(words) != want {
			t.Errorf("%.60q: %d responses for %d tokens", a.Text, len(words), want)
		}
		if whole := said(t, e, withStream(a.request(), 0)); len(whole) != 1 || whole[0] != a.Answer {
			t.Errorf("%.60q in one: %q", a.Text, whole)
		}
		if again := said(t, e, withStream(a.request(), 1)); len(again) != len(words) {
			t.Errorf("%.60q with stream: %q", a.Text, again)
		}
	}
	list, err := e.Statistics(t.Context(), "stories", "")
	if n := uint64(3 * len(goldenTexts(t))); err != nil || len(list) != 1 || list[0].Success.Count != n || list[0].Fail.Count != 0 {
		t.Errorf("%+v %v, want %d", list, err, n)
	}
}

func TestALoopEndsWhenItsReaderLeaves(t *testing.T) {
	e := start(t, filepath.Join(parts.Root(t), "model_repository"))
	left, seen := errors.New("left"), 0
	err := e.Stream(t.Context(), (&asked{}).request(), func(*backend.Response) error {
		if seen++; seen == 3 {
			return left
		}
		return nil
	})
	if !errors.Is(err, left) || seen != 3 {
		t.Errorf("%v after %d", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen = 0
	err = e.Stream(ctx, (&asked{}).request(), func(*backend.Response) error { seen++; cancel(); return nil })
	if fault.KindOf(err) != fault.Canceled || seen != 1 {
		t.Errorf("%v after %d", err, seen)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := e.Stream(ctx, (&asked{}).request(), func(*backend.Response) error { return nil }); fault.KindOf(err) != fault.Timeout {
		t.Errorf("%v", err)
	}
	if list, err := e.Statistics(t.Context(), "stories", ""); err != nil || list[0].Fail.Count != 3 {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := e.Infer(t.Context(), (&asked{}).request()); fault.KindOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "/stream or /v2/models/") {
		t.Errorf("a unary call: %v", err)
	}
}

func TestTheEndOfALoopIsToldWhereItIsAskedFor(t *testing.T) {
	e := start(t, filepath.Join(parts.Root(t), "model_repository"))
	one := int32(1)
	r := (&asked{MaxTokens: &one}).request()
	r.Params = map[string]any{paramEmptyFinal: true}
	var finals []any
	if err := e.Stream(t.Context(), r, func(a *backend.Response) error {
		finals = append(finals, a.Params[paramFinal], len(a.Outputs))
		return nil
	}); err != nil || len(finals) != 4 || finals[0] != false || finals[2] != true || finals[3] != 0 {
		t.Errorf("%v %v", finals, err)
	}
	if err := e.Stream(t.Context(), ask("stories", "1"), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a text: %v", err)
	}
}

// demoFile is a file of the demo repository.
func demoFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(parts.Root(tb), "model_repository", filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestNoTextIsLongerThanItsLoopAllows(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "stories/1/model.onnx", demoFile(t, "stories/1/model.onnx"))
	put(t, dir, "stories/config.pbtxt", []byte(strings.Replace(string(demoFile(t, "stories/config.pbtxt")), `"max_tokens": 64, "most_tokens": 256`, `"max_tokens": 3, "most_tokens": 7`, 1)))
	e := start(t, dir)
	many, few := int32(math.MaxInt32), int32(math.MinInt32)
	for want, a := range map[int]*asked{3: {}, 7: {MaxTokens: &many}, 1: {MaxTokens: &few}} {
		if got := said(t, e, a.request()); len(got) != want {
			t.Errorf("%d tokens, want %d: %q", len(got), want, got)
		}
	}
}

func TestLoopsThatDoNotFitTheirModelAreNotLoaded(t *testing.T) {
	config, step := string(demoFile(t, "stories/config.pbtxt")), demoFile(t, "stories/1/model.onnx")
	for _, c := range []struct {
		old, new, want string
		model          []byte
	}{
		{`the is has`, `the is`, "scores FP32 [-1, 36]", step},
		{`TYPE_INT64`, `TYPE_INT32`, `input "seed"`, step},
		{`"temperature"`, `"heat"`, `input "heat"`, step},
		{`"text_output"`, `"text"`, "output text_output", step},
		{`max_batch_size: 0`, `max_batch_size: 4`, "max_batch_size", step},
		{`"prompt": 256`, `"prompt": 0`, "prompt is 0", step},
		{`token_loop`, `another`, "decoupled models are not run", step},
		{`1`, `1`, "input state", demoFile(t, "iris/1/model.onnx")},
	} {
		dir := t.TempDir()
		put(t, dir, "stories/1/model.onnx", c.model)
		put(t, dir, "stories/config.pbtxt", []byte(strings.Replace(config[strings.Index(config, "name:"):], c.old, c.new, 1)))
		list, err := start(t, dir).Index(t.Context())
		if err != nil || len(list) != 1 || list[0].State != backend.Unavailable || !strings.Contains(list[0].Reason, c.want) {
			t.Errorf("%s: %+v %v", c.new, list, err)
		}
	}
}
