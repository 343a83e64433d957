// Package fault names the kinds of failure that the gateway tells apart. Packages return kinds; only the HTTP and gRPC edges
// turn a kind into a status, in one table. It is a leaf so that every package can use it.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is what went wrong, in terms a caller can act on.
type Kind uint8

// The kinds. Internal, the zero value, is a bug or an unexpected failure of the gateway itself.
const (
	Internal         Kind = iota
	Invalid               // the caller's input is wrong; asking again the same way cannot help
	NotFound              // no such model, version, result
	TooLarge              // over a limit of size; the error names the setting
	Unsupported           // a media type or feature that is not served
	MethodNotAllowed      // the path exists, the method does not
	Conflict              // contradicts the present state
	Unauthenticated       // no or wrong credentials
	Forbidden             // not allowed for these credentials
	RateLimited           // the caller's own quota is used up; RetryAfter says when to come again
	Busy                  // a queue is full; RetryAfter says when to come again
	Canceled              // the caller went away
	Timeout               // the deadline passed
	Upstream              // the model or its server failed
	Contract              // the gateway built a tensor that the model refused, or the model broke its own config
	Unavailable           // no backend can serve now; RetryAfter says when to come again
	Draining              // this gateway is shutting down
)

// Field names one place in the input and what is wrong there.
type Field struct {
	Location string // such as "query.top_k", "body.rows[3].petal_width", "header.Content-Type"
	Message  string
}

// Error is a failure with a kind, a stable code for programs and a public text for people.
type Error struct {
	Kind       Kind
	Code       string        // stable, snake_case, from the contract's list; such as "model_not_found"
	Detail     string        // public: the place, what is wrong and what to do; holds no secret and no path of the server
	Fields     []Field       // the places in the input, if they are known
	RetryAfter time.Duration // 0: unknown
	Err        error         // the cause, for the log only
}

// New makes an error of a kind. The text is public.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// At adds the place of the fault and gives the same error back.
func (e *Error) At(location, message string) *Error {
	e.Fields = append(e.Fields, Field{location, message})
	return e
}

// Wrap adds a private cause and gives the same error back.
func (e *Error) Wrap(err error) *Error {
	e.Err = err
	return e
}

// After sets when to come again and gives the same error back.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error gives code, public text and the private cause: for logs, not for callers.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Detail + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Detail
}

// Unwrap gives the private cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same code, or the same kind where target has no code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	if !ok {
		return false
	}
	if t.Code != "" {
		return t.Code == e.Code
	}
	return t.Kind == e.Kind
}

// KindOf gives the kind of the first *Error in err's chain; Internal where there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Ended makes the failure that err is, which is a context's: Canceled client_closed, or Timeout deadline_exceeded. when completes the public text,
// such as "while the request waited for its turn". errors.Is still finds err.
func Ended(err error, when string) *Error {
	if errors.Is(err, context.Canceled) {
		return New(Canceled, "client_closed", "the caller left %s", when).Wrap(err)
	}
	return New(Timeout, "deadline_exceeded", "the deadline passed %s; allow more time or come again later", when).Wrap(err)
}

// Retryable reports whether the same request may succeed later.
func (k Kind) Retryable() bool {
	switch k {
	case RateLimited, Busy, Timeout, Upstream, Unavailable, Draining:
		return true
	}
	return false
}
