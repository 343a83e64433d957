package kserve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// inferImages answers a request to an image model, and counts it.
func (s *Server) inferImages(ctx context.Context, t target, r *backend.Request) (*pipeline.Passed, error) {
	version, err := t.Resolve(r.Version)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	answers, err := s.runImages(ctx, t, r)
	var out *pipeline.Passed
	if err == nil {
		out, err = t.answer(r, answers)
	}
	s.images.count(t, version, answers, err, time.Since(start))
	return out, err
}

// runImages runs the pictures of a request side by side, at most as many as there are processors. One bad picture fails the request.
func (s *Server) runImages(ctx context.Context, t target, r *backend.Request) ([]*pipeline.Answer, error) {
	pictures, err := t.pictures(r)
	if err != nil {
		return nil, err
	}
	options, mode, err := imageOptions(r.Params)
	if err != nil {
		return nil, err
	}
	answers, chance := make([]*pipeline.Answer, len(pictures)), rand.Uint64()|1 // where chance decides, the pictures of a request stay together
	faults := make([]error, len(pictures))
	one := func(i int) {
		body := pipeline.NewBody(pictures[i], letGo(r.Memory)).Within(sizeOf(r))
		defer body.Release()
		request := &pipeline.Request{Model: t.Name, Version: r.Version, Tenant: caller.TenantOf(ctx), ID: r.ID, Item: pipeline.Item{Image: body}, Options: options, Cache: mode, Rows: len(pictures), Chance: chance}
		answers[i], faults[i] = s.runImage(ctx, request)
	}
	if len(pictures) == 1 {
		one(0)
		return answers, faults[0]
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(pictures)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(pictures); i = int(next.Add(1)) - 1 {
				one(i)
			}
		})
	}
	workers.Wait()
	for i, err := range faults {
		if err != nil {
			return answers, atPicture(err, i)
		}
	}
	return answers, nil
}

// letGo retains the request's memory for one picture, and gives what releases it: a computation that others share may outlive this request.
func letGo(m backend.Memory) func() {
	if m == nil {
		return nil
	}
	m.Retain()
	return m.Release
}

// runImage runs one picture, perhaps on a goroutine where a panic would end the process.
func (s *Server) runImage(ctx context.Context, r *pipeline.Request) (answer *pipeline.Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return s.Runner.Run(ctx, r)
}

// atPicture says which picture of a batch failed.
func atPicture(err error, i int) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		return err
	}
	at := *f
	at.Detail = imageInput + "[" + strconv.Itoa(i) + "]: " + f.Detail
	at.Err = err
	return &at
}

// pictures checks a request and takes the pictures out of its input. Their bytes are those of the request.
func (t target) pictures(r *backend.Request) ([][]byte, error) {
	place := "inputs." + imageInput
	if len(r.Inputs) != 1 || r.Inputs[0].Name != imageInput {
		return nil, invalid("inputs", "model '%s' takes one input, '%s': a BYTES tensor of JPEG, PNG or WebP files", clip(t.name), imageInput)
	}
	in := &r.Inputs[0]
	if in.DType != tensor.Bytes {
		return nil, invalid(place+".datatype", "inference input '%s' data-type is '%s', but model '%s' expects 'BYTES'", imageInput, in.DType, clip(t.name))
	}
	single := len(in.Shape) == 1 && in.Shape[0] == 1
	if !single && !(len(in.Shape) == 2 && in.Shape[1] == 1 && in.Shape[0] >= 1) {
		return nil, invalid(place+".shape", "unexpected shape for input '%s' for model '%s'. Expected [-1,1], or [1] for one picture, got %v", imageInput, clip(t.name), in.Shape)
	}
	if in.Shape[0] > mostImages {
		return nil, invalid(place+".shape", "[request id: %s] inference request batch-size must be <= %d for '%s'", clip(r.ID), mostImages, clip(t.name))
	}
	if err := in.Validate(); err != nil {
		return nil, invalid(place, "%v", err)
	}
	for _, o := range r.Outputs {
		if t.config.Output(o.Name) == nil {
			return nil, invalid("outputs."+clip(o.Name), "unexpected inference output '%s' for model '%s'", clip(o.Name), clip(t.name))
		}
		if o.Classes > 0 {
			return nil, invalid("outputs."+o.Name+".parameters.classification", "the outputs of '%s' are classified already; use the parameter top_k", clip(t.name))
		}
	}
	pictures := make([][]byte, 0, in.Shape[0])
	for rest := in.Data; len(rest) > 0; {
		n := 4 + int(binary.LittleEndian.Uint32(rest))
		pictures = append(pictures, rest[4:n:n])
		rest = rest[n:]
	}
	return pictures, nil
}

// answer makes the outputs that were asked for.
func (t target) answer(r *backend.Request, answers []*pipeline.Answer) (*pipeline.Passed, error) {
	var batch []int64 // the answer has the dimensions of the request
	if len(r.Inputs[0].Shape) == 2 {
		batch = []int64{int64(len(answers))}
	}
	wanted := func(name string) bool {
		return len(r.Outputs) == 0 || slices.ContainsFunc(r.Outputs, func(o backend.Output) bool { return o.Name == name })
	}
	documents := make([][]byte, len(answers))
	for i, a := range answers {
		documents[i] = append(append(make([]byte, 0, len(a.Body)+6), a.Body...), strconv.FormatBool(a.FromCache)+"}"...)
	}
	out := &pipeline.Passed{Response: &backend.Response{Version: answers[0].Version}, Routed: answers[0].Routed, Timings: added(answers)}
	if wanted(documentOutput) {
		out.Outputs = append(out.Outputs, bytesTensor(documentOutput, append(slices.Clone(batch), 1), documents))
	}
	var found []*findings
	for _, c := range columns(t.Spec.Task) {
		if !wanted(c.name) {
			continue
		}
		if found == nil {
			for _, d := range documents {
				f, err := readFindings(d)
				if err != nil {
					return nil, err
				}
				found = append(found, f)
			}
		}
		out.Outputs = append(out.Outputs, c.tensor(batch, found))
	}
	return out, nil
}

func bytesTensor(name string, shape []int64, elements [][]byte) tensor.Tensor {
	size := 0
	for _, e := range elements {
		size += 4 + len(e)
	}
	data := make([]byte, 0, size)
	for _, e := range elements {
		data = append(binary.LittleEndian.AppendUint32(data, uint32(len(e))), e...)
	}
	return tensor.Tensor{Name: name, DType: tensor.Bytes, Shape: shape, Data: data}
}

// added are the times of all pictures, by stage.
func added(answers []*pipeline.Answer) []pipeline.Timing {
	if len(answers) == 1 {
		return answers[0].Timings
	}
	var out []pipeline.Timing
	for _, a := range answers {
		for _, t := range a.Timings {
			if i := slices.IndexFunc(out, func(o pipeline.Timing) bool { return o.Stage == t.Stage }); i >= 0 {
				out[i].Duration += t.Duration
				continue
			}
			out = append(out, t)
		}
	}
	return out
}
