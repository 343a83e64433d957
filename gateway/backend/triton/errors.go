package triton

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

// comeBack is the Retry-After of failures that pass: long enough to let a queue drain or a connection come back.
const comeBack = time.Second

// largerThanMax is in the text of the side that refuses a message for its size, which is this one.
const largerThanMax = "larger than max"

// rule maps one meaning of a gRPC status. Triton 2.51's own texts are in the test beside it.
type rule struct {
	code   codes.Code
	text   string // a part of the message in lower case; "" fits every message
	kind   fault.Kind
	name   string
	detail string
	after  time.Duration
	retry  bool // the same call may succeed on another connection, and nothing was answered yet
}

// rules is searched from the top; the first that fits wins. Whatever is not here is an upstream error.
var rules = [...]rule{
	{code: codes.Unavailable, text: "exceeds maximum queue size", kind: fault.Busy, name: "queue_full",
		detail: "Triton's queue for this model is full; try again later, or raise max_queue_size in the model's config.pbtxt", after: comeBack},
	{code: codes.Unavailable, text: "request timeout expired", kind: fault.Timeout, name: "deadline_exceeded",
		detail: "the request waited in Triton's queue longer than the model's queue policy allows"},
	{code: codes.Unavailable, text: "not at ready state", kind: fault.Unavailable, name: "backend_unavailable",
		detail: "the model server does not have the model ready: it is being loaded, or was unloaded; try again later", after: comeBack},
	{code: codes.Unavailable, text: "exiting", kind: fault.Unavailable, name: "backend_unavailable",
		detail: "the model server is shutting down; try again later", after: comeBack, retry: true},
	{code: codes.Unavailable, text: "shutting down", kind: fault.Unavailable, name: "backend_unavailable",
		detail: "the model server is shutting down; try again later", after: comeBack, retry: true},
	{code: codes.Unavailable, text: "this protocol is restricted", kind: fault.Upstream, name: "upstream_error",
		detail: "the model server refuses the gateway; check triton.headers"},
	{code: codes.Unavailable, text: "explicit model load / unload is not allowed", kind: fault.Unsupported, name: "unsupported_model",
		detail: "the model server loads models by itself; start it with --model-control-mode=explicit"},
	{code: codes.Unavailable, kind: fault.Unavailable, name: "backend_unavailable",
		detail: "the model server cannot be reached; try again later", after: comeBack, retry: true},
	{code: codes.Canceled, kind: fault.Unavailable, name: "backend_unavailable",
		detail: "the model server gave the request up; try again later", after: comeBack},
	{code: codes.DeadlineExceeded, kind: fault.Timeout, name: "deadline_exceeded", detail: "the model did not answer in time"},
	{code: codes.ResourceExhausted, text: largerThanMax, kind: fault.Internal, name: "internal",
		detail: "a message to or from the model server is larger than gRPC may carry; send fewer images or rows per call"},
	{code: codes.ResourceExhausted, kind: fault.Busy, name: "queue_full",
		detail: "the model server is at its limit; try again later", after: comeBack},
	{code: codes.NotFound, text: " version ", kind: fault.NotFound, name: "version_not_found", detail: "the model server does not have this version of the model"},
	{code: codes.NotFound, kind: fault.NotFound, name: "model_not_found", detail: "the model server does not have this model ready"},
	{code: codes.AlreadyExists, kind: fault.Conflict, name: "conflict", detail: "the model server says that this exists already"},
	{code: codes.Unimplemented, text: "decoupled", kind: fault.Unsupported, name: "unsupported_model",
		detail: "the model is decoupled: it answers on a stream, which this call does not offer; ask /stream of the model under /v1, or generate_stream under /v2"},
	{code: codes.Unimplemented, kind: fault.Upstream, name: "upstream_error",
		detail: "the model server does not offer this call; is the address Triton's gRPC port (8001 by default)?"},
	{code: codes.InvalidArgument, text: "requested model version is not available", kind: fault.NotFound, name: "version_not_found",
		detail: "the model server does not have this version of the model ready"},
	{code: codes.InvalidArgument, text: "requested model '", kind: fault.NotFound, name: "model_not_found", detail: "the model server does not have this model ready"},
	{code: codes.InvalidArgument, kind: fault.Contract, name: "upstream_contract", detail: "the model refused the tensors that the gateway sent"},
	{code: codes.Internal, text: "failed to unmarshal", kind: fault.Contract, name: "upstream_contract", detail: "the model server's answer cannot be read"},
	{code: codes.Internal, text: "error while marshaling", kind: fault.Internal, name: "internal", detail: "the request cannot be written for the model server"},
	{code: codes.PermissionDenied, kind: fault.Upstream, name: "upstream_error", detail: "the model server refuses the gateway; check triton.headers"},
	{code: codes.Unauthenticated, kind: fault.Upstream, name: "upstream_error", detail: "the model server refuses the gateway; check triton.headers"},
}

// anything is the rule for the rest: INTERNAL and UNKNOWN are what a model's own failure comes as.
var anything = rule{kind: fault.Upstream, name: "upstream_error", detail: "the model failed; the log has what the model server said"}

func find(s *status.Status) *rule {
	text := strings.ToLower(s.Message())
	for i := range rules {
		if rules[i].code == s.Code() && strings.Contains(text, rules[i].text) {
			return &rules[i]
		}
	}
	return &anything
}

// translate gives err as a *fault.Error. The gRPC status stays in its chain. A Contract that Triton's INVALID_ARGUMENT has become wraps a second fault, for an
// edge whose callers make the tensors themselves and are the ones to blame: Invalid, with all that Triton said.
func translate(ctx context.Context, err error) *fault.Error {
	var made *fault.Error
	if errors.As(err, &made) {
		return made
	}
	s, _ := status.FromError(err)
	if f := ended(ctx, s.Code()); f != nil {
		return f.Wrap(err)
	}
	r := find(s)
	f := fault.New(r.kind, r.name, "%s", r.detail).After(r.after).Wrap(err)
	words := strings.ToValidUTF8(withoutID(s.Message()), "?")
	switch {
	case s.Code() == codes.InvalidArgument && r.kind == fault.Contract:
		f.Detail += ": " + public(s.Message())
		f.Err = fault.New(fault.Invalid, "invalid_request", "%s", words).Wrap(err)
	case r == &anything && words != "":
		f.Err = fault.New(fault.Upstream, f.Code, "%s", words).Wrap(err)
	}
	return f
}

// ended tells a caller's own end from the server's: grpc reports both with the same codes.
func ended(ctx context.Context, code codes.Code) *fault.Error {
	switch {
	case ctx.Err() == nil:
		return nil
	case code != codes.Canceled && code != codes.DeadlineExceeded && code != codes.Unavailable:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Timeout, "deadline_exceeded", "the model did not answer in time")
	}
	return fault.New(fault.Canceled, "client_closed", "the caller went away")
}

// withoutID cuts the request's id off that Triton puts in front of some texts.
func withoutID(message string) string {
	if rest, found := strings.CutPrefix(message, "[request id: "); found {
		if _, after, found := strings.Cut(rest, "] "); found {
			return after
		}
	}
	return message
}

// public cuts Triton's text to what a reader needs: no request id in front, one line, at most 300 bytes.
func public(message string) string {
	message = withoutID(message)
	message = strings.ToValidUTF8(strings.Join(strings.Fields(message), " "), "?")
	const limit = 300
	if len(message) <= limit {
		return message
	}
	cut := limit
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "..."
}
