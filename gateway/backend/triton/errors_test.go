package triton

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

// The texts were taken from Triton 2.51 and from grpc-go 1.85.
func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		code  codes.Code
		text  string
		kind  fault.Kind
		name  string
		after time.Duration
		retry bool
	}{
		{codes.Unavailable, "[request id: <id_unknown>] Exceeds maximum queue size", fault.Busy, "queue_full", time.Second, false},
		{codes.Unavailable, "Request timeout expired", fault.Timeout, "deadline_exceeded", 0, false},
		{codes.Unavailable, "Request for unknown model: 'noop' version 1 is not at ready state", fault.Unavailable, "backend_unavailable", time.Second, false},
		{codes.Unavailable, "Server is exiting", fault.Unavailable, "backend_unavailable", time.Second, true},
		{codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`, fault.Unavailable, "backend_unavailable", time.Second, true},
		{codes.Unavailable, "error reading from server: EOF", fault.Unavailable, "backend_unavailable", time.Second, true},
		{codes.Canceled, "CANCELLED", fault.Unavailable, "backend_unavailable", time.Second, false},
		{codes.DeadlineExceeded, "Deadline Exceeded", fault.Timeout, "deadline_exceeded", 0, false},
		{codes.ResourceExhausted, "grpc: received message larger than max (5000000 vs. 4194304)", fault.Internal, "internal", 0, false},
		{codes.ResourceExhausted, "trying to send message larger than max (1 vs. 0)", fault.Internal, "internal", 0, false},
		{codes.ResourceExhausted, "too many requests", fault.Busy, "queue_full", time.Second, false},
		{codes.NotFound, "Request for unknown model: 'nosuch' is not found", fault.NotFound, "model_not_found", 0, false},
		{codes.NotFound, "Request for unknown model: 'words' has no available versions", fault.NotFound, "model_not_found", 0, false},
		{codes.NotFound, "Request for unknown model: 'noop' version 7 is not found", fault.NotFound, "version_not_found", 0, false},
		{codes.AlreadyExists, "shared memory region 'x' already in manager", fault.Conflict, "conflict", 0, false},
		{codes.Unimplemented, "ModelInfer RPC doesn't support models with decoupled transaction policy", fault.Unsupported, "unsupported_model", 0, false},
		{codes.Unimplemented, "unknown service inference.GRPCInferenceService", fault.Upstream, "upstream_error", 0, false},
		{codes.InvalidArgument, "[request id: <id_unknown>] inference input 'IN' data-type is 'INT32', but model 'noop' expects 'FP32'", fault.Contract, "upstream_contract", 0, false},
		{codes.Unavailable, "GRPC server is shutting down and has stopped accepting new requests.", fault.Unavailable, "backend_unavailable", time.Second, true},
		{codes.Unavailable, "explicit model load / unload is not allowed if polling is enabled", fault.Unsupported, "unsupported_model", 0, false},
		{codes.InvalidArgument, "requested model 'nosuch' is not available", fault.NotFound, "model_not_found", 0, false},
		{codes.InvalidArgument, "requested model version is not available for model 'words'", fault.NotFound, "version_not_found", 0, false},
		{codes.Internal, "negative is not allowed", fault.Upstream, "upstream_error", 0, false},
		{codes.Internal, "grpc: failed to unmarshal the received message: not a valid ModelInferResponse", fault.Contract, "upstream_contract", 0, false},
		{codes.Internal, "grpc: error while marshaling: parameter", fault.Internal, "internal", 0, false},
		{codes.Unknown, "Stream removed", fault.Upstream, "upstream_error", 0, false},
		{codes.Unavailable, "This protocol is restricted, expecting header 'triton-grpc-protocol-infer-key'", fault.Upstream, "upstream_error", 0, false},
		{codes.PermissionDenied, "no", fault.Upstream, "upstream_error", 0, false},
		{codes.Unauthenticated, "no", fault.Upstream, "upstream_error", 0, false},
		{codes.DataLoss, "no", fault.Upstream, "upstream_error", 0, false},
	} {
		err := translate(t.Context(), status.Error(c.code, c.text))
		if err.Kind != c.kind || err.Code != c.name || err.RetryAfter != c.after {
			t.Errorf("%s %q: got kind %d %s after %v, want %d %s %v", c.code, c.text, err.Kind, err.Code, err.RetryAfter, c.kind, c.name, c.after)
		}
		if retry := find(status.New(c.code, c.text)).retry; retry != c.retry {
			t.Errorf("%s %q: retry %v", c.code, c.text, retry)
		}
		var upstream interface{ GRPCStatus() *status.Status }
		if !errors.As(err, &upstream) || upstream.GRPCStatus().Code() != c.code || upstream.GRPCStatus().Message() != c.text {
			t.Errorf("%s %q: the status is out of reach", c.code, c.text)
		}
		if strings.Contains(c.text, "decoupled") && !strings.Contains(err.Detail, "ask /stream of the model under /v1, or generate_stream under /v2") {
			t.Errorf("%q does not say what to ask", err.Detail)
		}
		if c.code != codes.InvalidArgument && strings.Contains(err.Detail, c.text) {
			t.Errorf("%s: the public text repeats the server's: %q", c.code, err.Detail)
		}
	}
}

// A caller that makes the tensors itself is told what Triton said.
func TestTranslateKeepsWhatTritonRefused(t *testing.T) {
	long := "unexpected shape for input 'IN'" + strings.Repeat(" and so on", 100)
	f := wantFault(t, translate(t.Context(), status.Error(codes.InvalidArgument, "[request id: r-1] "+long)), fault.Contract, "upstream_contract")
	inner := wantFault(t, f.Err, fault.Invalid, "invalid_request")
	if inner.Detail != long || status.Code(inner.Err) != codes.InvalidArgument {
		t.Errorf("got %q, %v", inner.Detail, inner.Err)
	}
	if status.Code(f) != codes.InvalidArgument || fault.KindOf(f) != fault.Contract {
		t.Errorf("the chain says %v, %v", status.Code(f), fault.KindOf(f))
	}
	for _, other := range []error{status.Error(codes.Internal, "x"), status.Error(codes.InvalidArgument, "requested model 'm' is not available")} {
		if errors.Is(translate(t.Context(), other).Err, &fault.Error{Kind: fault.Invalid, Code: "invalid_request"}) {
			t.Errorf("%v has a second fault", other)
		}
	}
	f = wantFault(t, translate(t.Context(), status.Error(codes.Internal, "[request id: r-1] negative is not allowed")), fault.Upstream, "upstream_error")
	if inner := wantFault(t, f.Err, fault.Upstream, "upstream_error"); inner.Detail != "negative is not allowed" || strings.Contains(f.Detail, "negative") {
		t.Errorf("what the model said is %q, and %q is told to everybody", inner.Detail, f.Detail)
	}
}

func TestTranslateKnowsTheCallersOwnEnd(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late, free := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer free()
	wantFault(t, translate(gone, status.FromContextError(gone.Err()).Err()), fault.Canceled, "client_closed")
	wantFault(t, translate(late, status.FromContextError(late.Err()).Err()), fault.Timeout, "deadline_exceeded")
	// grpc reports an end while it waits for a connection as UNAVAILABLE with the last error.
	wantFault(t, translate(late, status.Error(codes.Unavailable, "connection refused")), fault.Timeout, "deadline_exceeded")
	// A failure that came before the end stays what it was.
	wantFault(t, translate(gone, status.Error(codes.Internal, "model failed")), fault.Upstream, "upstream_error")
}

func TestTranslateKeepsFaults(t *testing.T) {
	made := fault.New(fault.Contract, "upstream_contract", "x")
	if got := translate(t.Context(), fmt.Errorf("around: %w", made)); got != made {
		t.Errorf("got %v", got)
	}
	wantFault(t, translate(t.Context(), errors.New("odd")), fault.Upstream, "upstream_error")
}

func TestPublicText(t *testing.T) {
	for text, want := range map[string]string{
		"[request id: r-1] unexpected shape for input 'IN'": "unexpected shape for input 'IN'",
		"two\nlines  here":             "two lines here",
		"[request id: open":            "[request id: open",
		"bad \xff byte":                "bad ? byte",
		strings.Repeat("ü", 200):       strings.Repeat("ü", 150) + "...",
		"a" + strings.Repeat("ü", 200): "a" + strings.Repeat("ü", 149) + "...",
	} {
		if got := public(text); got != want {
			t.Errorf("public(%q) = %q, want %q", text, got, want)
		}
	}
}
