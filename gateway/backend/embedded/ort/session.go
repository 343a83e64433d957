//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"triton-gateway/tensor"
)

// Session is one model, ready to run. Run is safe for concurrent use; Close is not safe beside a Run.
type Session struct {
	graph   Graph
	session *onnxruntime.DynamicAdvancedSession

	mu      sync.Mutex // guards the rest
	runs    map[*onnxruntime.RunOptions]bool
	stopped bool
}

// Load makes a session of an ONNX file's bytes, which are not needed afterwards. A model with an input or output that KServe v2
// has no datatype for is refused.
func (r *Runtime) Load(model []byte, o Options) (*Session, error) {
	graph, err := Describe(model)
	if err != nil {
		return nil, err
	}
	inputs, outputs, err := names(graph)
	if err != nil {
		return nil, err
	}
	options, err := sessionOptions(o)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	session, err := onnxruntime.NewDynamicAdvancedSessionWithONNXData(withCasts(model, graph.Outputs), inputs, outputs, options)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "Error creating C session: "))
	}
	return &Session{graph: graph, session: session, runs: map[*onnxruntime.RunOptions]bool{}}, nil
}

// names gives the names by which the session is run, and refuses what cannot be served.
func names(g Graph) (inputs, outputs []string, err error) {
	if len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return nil, nil, fmt.Errorf("the model has %d inputs and %d outputs; it needs at least one of each", len(g.Inputs), len(g.Outputs))
	}
	for _, v := range g.Inputs {
		if v.DType == tensor.Invalid {
			return nil, nil, fmt.Errorf("input %q is %s, which KServe v2 cannot carry", v.Name, v.Type)
		}
		if v.Ranked && len(v.Dims) == 0 {
			return nil, nil, fmt.Errorf("input %q has no dimensions, which is not supported; export it with the shape [1]", v.Name)
		}
		inputs = append(inputs, v.Name)
	}
	for _, v := range g.Outputs {
		if v.DType == tensor.Invalid {
			return nil, nil, fmt.Errorf("output %q is %s, which KServe v2 cannot carry; scikit-learn classifiers are exported with zipmap=False", v.Name, v.Type)
		}
		if v.Ranked && len(v.Dims) == 0 && (isHalf(v.DType) || v.DType == tensor.Bytes) {
			return nil, nil, fmt.Errorf("output %q is %s without dimensions, which is not supported; export it with the shape [1]", v.Name, v.DType)
		}
		name := v.Name
		if isHalf(v.DType) {
			name = castPrefix + name
		}
		outputs = append(outputs, name)
	}
	return inputs, outputs, nil
}

// sessionOptions bounds the threads: the library's default is one pool of all cores for each session, spinning while idle. The
// memory of runs comes from the arena that all sessions share, the memory of weights from malloc.
func sessionOptions(o Options) (*onnxruntime.SessionOptions, error) {
	options, err := onnxruntime.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(max(1, o.Threads)),
		options.SetInterOpNumThreads(1),
		options.SetExecutionMode(onnxruntime.ExecutionModeSequential),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
		options.AddSessionConfigEntry("session.use_env_allocators", "1"),
		options.AddSessionConfigEntry("session.use_device_allocator_for_initializers", "1"),
		options.SetLogSeverityLevel(onnxruntime.LoggingLevelFatal),
	)
	if o.Folder != "" {
		err = errors.Join(err, options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", o.Folder))
	}
	if err != nil {
		return nil, errors.Join(err, options.Destroy())
	}
	return options, nil
}

// Graph tells the inputs and outputs in the order in which Run takes and gives them.
func (s *Session) Graph() Graph { return s.graph }

// Stop ends the runs that are under way as the end of their ctx would, and every later one. It does not wait for them.
func (s *Session) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for options := range s.runs {
		_ = options.Terminate() // fails only without options
	}
}

// Close frees the session.
func (s *Session) Close() error { return s.session.Destroy() }

// Run runs the model. inputs are in the order of Graph and valid (see tensor.Tensor.Validate). shapes announces the outputs' full shapes, in
// order; an output whose shape is nil is measured after the run, which costs a copy. The outputs' memory is Go's own.
//
// When ctx ends, the run is told to stop and Run returns ErrStopped as soon as the operator that is being computed is done;
// it does not return earlier, because the library reads the inputs and writes the outputs until then.
func (s *Session) Run(ctx context.Context, inputs []tensor.Tensor, shapes [][]int64) ([]tensor.Tensor, error) {
	if len(inputs) != len(s.graph.Inputs) {
		return nil, fmt.Errorf("%d inputs given, the model takes %d", len(inputs), len(s.graph.Inputs))
	}
	var pins pinner
	defer pins.free()
	in := make([]onnxruntime.Value, len(inputs))
	for i := range inputs {
		var err error
		if in[i], err = pins.input(&inputs[i]); err != nil {
			return nil, fmt.Errorf("%w: input %q: %w", ErrInput, inputs[i].Name, err)
		}
	}
	out := make([]onnxruntime.Value, len(s.graph.Outputs))
	results := make([]tensor.Tensor, len(out))
	for i, v := range s.graph.Outputs {
		var shape []int64
		if i < len(shapes) {
			shape = shapes[i]
		}
		results[i] = tensor.Tensor{Name: v.Name, DType: v.DType, Shape: shape}
		var err error
		if out[i], err = pins.output(&results[i], v); err != nil {
			return nil, fmt.Errorf("output %q: %w", v.Name, err)
		}
	}
	given := slices.Clone(out)
	err := s.stoppable(ctx, in, out)
	for i, value := range out {
		if given[i] == nil && value != nil { // made by the binding
			pins.values = append(pins.values, value)
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range results {
		if err := fetch(out[i], &results[i]); err != nil {
			return nil, fmt.Errorf("output %q: %w", results[i].Name, err)
		}
	}
	return results, nil
}

// stoppable runs the session and stops it when ctx ends.
func (s *Session) stoppable(ctx context.Context, in, out []onnxruntime.Value) error {
	options, err := onnxruntime.NewRunOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	if ctx.Err() != nil || !s.enter(options) {
		return ErrStopped
	}
	defer s.leave(options)
	if ctx.Done() == nil {
		return s.runError(ctx, s.session.RunWithOptions(in, out, options))
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = options.Terminate() // fails only without options
	})
	err = s.session.RunWithOptions(in, out, options)
	if !stop() {
		<-done // Terminate still holds the options
	}
	return s.runError(ctx, err)
}

// enter lets Stop know of a run; false where it was called already.
func (s *Session) enter(options *onnxruntime.RunOptions) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.runs[options] = true
	}
	return !s.stopped
}

func (s *Session) leave(options *onnxruntime.RunOptions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, options)
}

func (s *Session) runError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped || ctx.Err() != nil {
		return ErrStopped
	}
	text := strings.TrimPrefix(err.Error(), "Error running network: ")
	text = strings.Join(strings.Fields(text), " ") // one line
	if strings.Contains(text, "OrtValue shape verification failed") || strings.Contains(text, "Got invalid dimensions for output") {
		return fmt.Errorf("%w: %s", ErrOutput, text)
	}
	return errors.New(text)
}
