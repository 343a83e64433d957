package triton

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

// The texts were taken from Triton 2.51, most of them with the code that ModelInfer gives for them.
func TestErrorsOnAStreamMeanWhatTheirStatusWould(t *testing.T) {
	for _, c := range []struct {
		text string
		ran  bool
		code codes.Code
		kind fault.Kind
	}{
		{"[request id: r] Exceeds maximum queue size", false, codes.Unavailable, fault.Busy},
		{"Request timeout expired", true, codes.Unavailable, fault.Timeout},
		{"Request for unknown model: 'm' version 1 is not at ready state", false, codes.Unavailable, fault.Unavailable},
		{"Request for unknown model: 'm' is not found", false, codes.NotFound, fault.NotFound},
		{"Request for unknown model: 'm' version 7 is not found", false, codes.NotFound, fault.NotFound},
		{"Request for unknown model: 'm' has no available versions", false, codes.NotFound, fault.NotFound},
		{"GRPC server is shutting down and has stopped accepting new requests.", false, codes.Unavailable, fault.Unavailable},
		{"[request id: id1] inference input 'IN' data-type is 'FP32', but model 'countdown' expects 'INT32'", false, codes.InvalidArgument, fault.Contract},
		{"unexpected inference output 'zz' for model 'countdown'", false, codes.InvalidArgument, fault.Contract},
		{"[request id: id1] expected 1 inputs but got 0 inputs for model 'countdown'.", false, codes.InvalidArgument, fault.Contract},
		{"invalid value type for 'priority' parameter, expected int64_param or uint64_param.", false, codes.InvalidArgument, fault.Contract},
		{"the count failed", true, codes.Internal, fault.Upstream},
		{"the model says: Exceeds maximum queue size", true, codes.Internal, fault.Upstream},
		{"Server is exiting", true, codes.Internal, fault.Upstream},
	} {
		a := &streamedResponse{problem: c.text}
		if c.ran {
			a.answer.model = "countdown"
		}
		err := error(newInBand(a))
		if status.Code(err) != c.code || status.Convert(err).Message() != c.text {
			t.Errorf("%q: got %v, want %s", c.text, err, c.code)
		}
		f := translate(t.Context(), err)
		if f.Kind != c.kind {
			t.Errorf("%q: kind %d, want %d", c.text, f.Kind, c.kind)
		}
		var message *inBand
		if !errors.As(f, &message) || message.ran != c.ran {
			t.Errorf("%q: the message is out of reach", c.text)
		}
	}
}
