package embedded

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// Stream gives the responses of a model whose config has a loop over tokens, one for each word; of any other model the one answer of Infer, as the last. See
// backend.Streamer. Each step of a loop waits for its turn as a call of Infer does, so that loops and calls go on beside each other. Close waits for emit.
func (e *Engine) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	e.life.RLock()
	defer e.life.RUnlock()
	run, labels, err := e.find(r.Model, r.Version)
	if err != nil {
		return err
	}
	defer run.release()
	if run.loop == nil {
		response, err := e.infer(ctx, run, labels, r)
		if err != nil {
			return err
		}
		response.Params = map[string]any{paramFinal: true}
		return emit(response)
	}
	if err := backend.Check(run.config, r); err != nil {
		return err
	}
	g := generation{Engine: e, run: run, request: r, emit: emit, times: times{arrived: time.Now()}}
	if err := g.text(ctx); err != nil {
		run.stats.fail(g.times.arrived)
		return err
	}
	g.times.done = time.Now()
	g.times.ran = g.times.done
	run.stats.success(&g.times, 1, r)
	if wanted, _ := r.Params[paramEmptyFinal].(bool); wanted {
		return emit(&backend.Response{Version: r.Version, Epoch: run.epoch, Params: map[string]any{paramFinal: true}})
	}
	return nil
}

// Parameters of streams; see backend.Streamer.
const (
	paramFinal      = "triton_final_response"
	paramEmptyFinal = "triton_enable_empty_final_response"
)

// generation is one text.
type generation struct {
	*Engine
	run     *loaded
	request *backend.Request
	emit    func(*backend.Response) error
	times   times
	state   tensor.Tensor
	scores  []float32 // of the next token
}

// text runs the loop.
func (g *generation) text(ctx context.Context) error {
	l := g.run.loop
	tokens, space := l.read(g.given(inputText)[4:])
	g.state = tensor.Tensor{Name: stepState, DType: tensor.FP32, Shape: []int64{1, l.hidden}, Data: make([]byte, 4*l.hidden)}
	for _, t := range append([]int{0}, tokens...) {
		if err := g.step(ctx, t); err != nil {
			return err
		}
	}
	most, how, streams := l.usual, choice{}, true
	if b := g.given(inputMost); b != nil {
		most = min(max(int(int32(binary.LittleEndian.Uint32(b))), 1), l.most)
	}
	if b := g.given(inputTemperature); b != nil {
		how.temperature = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	if b := g.given(inputSeed); b != nil {
		how.seed = binary.LittleEndian.Uint64(b)
	}
	if b := g.given(inputStream); b != nil {
		streams = b[0] != 0
	}
	var text []byte
	for i := range most {
		token := how.pick(g.scores, i)
		if token == 0 {
			break
		}
		word := l.words[token-1]
		if word != "." {
			word = space + word
		}
		space = " "
		if !streams {
			text = append(text, word...)
		} else if err := g.say([]byte(word)); err != nil {
			return err
		}
		if i+1 == most {
			break
		}
		if err := g.step(ctx, token); err != nil {
			return err
		}
	}
	if streams {
		return nil
	}
	return g.say(text)
}

// given is an input's bytes; nil where it was left out.
func (g *generation) given(name string) []byte {
	if i := slices.IndexFunc(g.request.Inputs, func(t tensor.Tensor) bool { return t.Name == name }); i >= 0 {
		return g.request.Inputs[i].Data
	}
	return nil
}

// say gives one response.
func (g *generation) say(text []byte) error {
	t := tensor.Tensor{Name: outputText, DType: tensor.Bytes, Shape: []int64{1}, Data: append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)}
	return g.emit(&backend.Response{Version: g.request.Version, Epoch: g.run.epoch, Outputs: []tensor.Tensor{t}, Params: map[string]any{paramFinal: false}})
}

// step reads one token: the state and the scores of the next token follow from it.
func (g *generation) step(ctx context.Context, token int) error {
	leave, err := g.place(ctx, g.run, g.request)
	if err != nil {
		return err
	}
	defer leave()
	defer g.threads.Release(int64(g.run.threads))
	if g.times.began.IsZero() {
		g.times.began = time.Now()
		g.times.ready = g.times.began
	}
	graph := g.run.session.Graph()
	inputs, shapes := make([]tensor.Tensor, len(graph.Inputs)), make([][]int64, len(graph.Outputs))
	for i := range inputs {
		inputs[i] = g.state
		if graph.Inputs[i].Name == stepToken {
			inputs[i] = tensor.Tensor{Name: stepToken, DType: tensor.Int64, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint64(nil, uint64(token))}
		}
	}
	for i := range shapes {
		shapes[i] = []int64{1, graph.Outputs[i].Dims[1]}
	}
	out, err := g.compute(ctx, g.run, g.request, inputs, shapes)
	if err != nil {
		return err
	}
	g.scores = g.scores[:0]
	for i := range out {
		if out[i].Name == stepNext {
			g.state.Data = out[i].Data
			continue
		}
		for b := out[i].Data; len(b) >= 4; b = b[4:] {
			g.scores = append(g.scores, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	return nil
}

// noUnary refuses a unary call of a model that answers on streams, as Triton does.
func noUnary(model string) error {
	return fault.New(fault.Unsupported, "unsupported_model", "model '%s' is decoupled: it answers on a stream, which this call does not offer; ask /v1/models/%s/stream or /v2/models/%s/generate_stream", model, model, model)
}
