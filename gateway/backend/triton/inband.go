package triton

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// inBand is an error that came as a message on a stream. It is a gRPC status, so that the same table says what it means. Triton sends the text alone: what
// it would be as a status is told by the text, and by whether the model's name came with it, which Triton leaves out of what it refuses to run.
//
// With the header triton_grpc_error Triton would end the stream with the status instead. Releases before 2026 may then touch memory that they
// have freed already, so it is not sent.
type inBand struct {
	status *status.Status
	ran    bool // the model was run, so that Triton may have counted a success: Python models that are decoupled report one for a failed request too
}

func newInBand(a *streamedResponse) *inBand {
	ran := a.answer.model != ""
	return &inBand{status.New(codeOf(a.problem, ran), a.problem), ran}
}

// Error gives the text as a status's error does.
func (e *inBand) Error() string { return e.status.Err().Error() }

// GRPCStatus makes status.FromError and status.Code see it.
func (e *inBand) GRPCStatus() *status.Status { return e.status }

// codeOf gives the code that ModelInfer has for a text. A model's own words must not be taken for Triton's, so texts are recognised by how
// they begin.
func codeOf(text string, ran bool) codes.Code {
	text = strings.ToLower(withoutID(text))
	unknown := strings.HasPrefix(text, "request for unknown model")
	switch {
	case strings.HasPrefix(text, "exceeds maximum queue size"), strings.HasPrefix(text, "request timeout expired"):
		return codes.Unavailable
	case unknown && strings.HasSuffix(text, "not at ready state"):
		return codes.Unavailable
	case unknown:
		return codes.NotFound
	case ran:
		return codes.Internal
	case strings.HasPrefix(text, "server is exiting"), strings.HasPrefix(text, "grpc server is shutting down"):
		return codes.Unavailable
	}
	return codes.InvalidArgument
}
