package tritontest

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/metadata"

	"triton-gateway/tritonpb"
)

// recorded is how many calls are kept.
const recorded = 1000

// Call is one inference as it came in: by ModelInfer, or one request of a ModelStreamInfer.
type Call struct {
	Method, Model, Version, ID string
	At                         time.Time
	Left                       time.Duration  // until the caller's deadline, when the call came; 0: it had none
	Metadata                   metadata.MD    // such as traceparent
	Params                     map[string]any // bool, int64, uint64, float64 or string
	Inputs                     []string       // the names
}

// Recorded gives the last calls, at most a thousand, oldest first, whatever came of them.
func (s *Server) Recorded() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Last gives the newest call. It fails the test where there was none.
func (s *Server) Last() Call {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		s.tb.Error("tritontest: no call has come")
		return Call{}
	}
	return s.calls[len(s.calls)-1]
}

// record notes a call. The caller holds the lock.
func (s *Server) record(ctx context.Context, method string, r *tritonpb.ModelInferRequest) {
	c := Call{Method: method, Model: r.GetModelName(), Version: r.GetModelVersion(), ID: r.GetId(), At: time.Now(), Params: paramsOf(r.GetParameters())}
	if deadline, ok := ctx.Deadline(); ok {
		c.Left = max(time.Until(deadline), 1)
	}
	c.Metadata, _ = metadata.FromIncomingContext(ctx)
	s.headers = append(s.headers, c.Metadata.Get("x-test")...)
	for _, in := range r.GetInputs() {
		c.Inputs = append(c.Inputs, in.GetName())
	}
	if len(s.calls) == 2*recorded {
		s.calls = append(s.calls[:0], s.calls[recorded:]...)
	}
	s.calls = append(s.calls, c)
}

// paramsOf reads parameters; nil where there are none.
func paramsOf(in map[string]*tritonpb.InferParameter) map[string]any {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]any, len(in))
	for key, p := range in {
		switch v := p.GetParameterChoice().(type) {
		case *tritonpb.InferParameter_BoolParam:
			out[key] = v.BoolParam
		case *tritonpb.InferParameter_Int64Param:
			out[key] = v.Int64Param
		case *tritonpb.InferParameter_Uint64Param:
			out[key] = v.Uint64Param
		case *tritonpb.InferParameter_StringParam:
			out[key] = v.StringParam
		case *tritonpb.InferParameter_DoubleParam:
			out[key] = v.DoubleParam
		}
	}
	return out
}

// param makes a parameter of a bool, int64, uint64, float64 or string.
func param(value any) *tritonpb.InferParameter {
	switch v := value.(type) {
	case bool:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_BoolParam{BoolParam: v}}
	case int64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: v}}
	case uint64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_Uint64Param{Uint64Param: v}}
	case float64:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_DoubleParam{DoubleParam: v}}
	case string:
		return &tritonpb.InferParameter{ParameterChoice: &tritonpb.InferParameter_StringParam{StringParam: v}}
	}
	panic("tritontest: a parameter has to be a bool, int64, uint64, float64 or string")
}
