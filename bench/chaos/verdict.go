package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Verdict is what a caller makes of what came back.
type Verdict uint8

// The verdicts, from the best to the worst.
const (
	Right   Verdict = iota
	Refused         // told in the form of the API that it cannot be done now, and when to come again
	Told            // told in the form of the API what is wrong, without a time to come again
	Bare            // a connection that breaks, or an error that is in no form
	Hung            // no answer within the caller's patience, which is longer than any time that the gateway allows itself
	Wrong           // an answer, and not the right one
	verdicts
)

func (v Verdict) String() string {
	return [...]string{"right", "refused", "told", "bare", "hung", "wrong", "?"}[min(v, verdicts)]
}

// judgeHTTP judges an answer that is no success. codes that are right are for the caller to sort out before.
func judgeHTTP(response *http.Response, body []byte) (Verdict, string) {
	var problem struct {
		Code, Detail string
		Status       int
	}
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if kind != "application/problem+json" || json.Unmarshal(body, &problem) != nil || problem.Code == "" || problem.Status != response.StatusCode {
		return Bare, response.Status + " in no form"
	}
	text := response.Status + " " + problem.Code
	if response.Header.Get("Retry-After") != "" {
		return Refused, text
	}
	return Told, text
}

// judgeBroken judges an exchange that ended without an answer.
func judgeBroken(err error) (Verdict, string) {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return Hung, "no answer"
	}
	text := err.Error()
	if at := strings.LastIndex(text, ": "); at >= 0 {
		text = text[at+2:] // before it are addresses, which differ each time
	}
	return Bare, text
}

// judgeGRPC judges a call that failed. trailer is the server's.
func judgeGRPC(ctx context.Context, err error, trailer metadata.MD) (Verdict, string) {
	s := status.Convert(err)
	switch {
	case len(trailer.Get("retry-after")) > 0:
		return Refused, "gRPC " + s.Code().String()
	case ctx.Err() != nil:
		return Hung, "no answer"
	case s.Code() == codes.Unavailable && len(trailer) == 0:
		return Bare, "gRPC connection"
	}
	return Told, "gRPC " + s.Code().String()
}
