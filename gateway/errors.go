package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

// statusClientClosed says that the caller went away before the answer. It is never seen by a client; it is for the log and the metrics.
const statusClientClosed = 499

// statuses is the one table that turns a kind of failure into a REST status.
var statuses = [...]int{
	fault.Internal:         http.StatusInternalServerError,
	fault.Invalid:          http.StatusBadRequest,
	fault.NotFound:         http.StatusNotFound,
	fault.TooLarge:         http.StatusRequestEntityTooLarge,
	fault.Unsupported:      http.StatusUnsupportedMediaType,
	fault.MethodNotAllowed: http.StatusMethodNotAllowed,
	fault.Conflict:         http.StatusConflict,
	fault.Unauthenticated:  http.StatusUnauthorized,
	fault.Forbidden:        http.StatusForbidden,
	fault.RateLimited:      http.StatusTooManyRequests,
	fault.Busy:             http.StatusTooManyRequests,
	fault.Canceled:         statusClientClosed,
	fault.Timeout:          http.StatusGatewayTimeout,
	fault.Upstream:         http.StatusBadGateway,
	fault.Contract:         http.StatusBadGateway,
	fault.Unavailable:      http.StatusServiceUnavailable,
	fault.Draining:         http.StatusServiceUnavailable,
}

// statusOf gives the REST status. Input that was understood as a request but cannot be used as a picture or a row is 422, not 400.
func statusOf(f *fault.Error) int {
	if f.Kind == fault.Invalid && (f.Code == "invalid_image" || f.Code == "invalid_row") {
		return http.StatusUnprocessableEntity
	}
	if int(f.Kind) < len(statuses) {
		return statuses[f.Kind]
	}
	return http.StatusInternalServerError
}

// problem is the body of every error: RFC 9457 with the members that the contract adds.
type problem struct {
	Type      string         `json:"type" format:"uri" doc:"A name for the code, as a URN" example:"urn:triton-gateway:error:invalid_image"`
	Title     string         `json:"title" doc:"The status in words" example:"Unprocessable Entity"`
	Status    int            `json:"status" doc:"The HTTP status" example:"422"`
	Detail    string         `json:"detail" doc:"What is wrong, where, and what to do" example:"the JPEG ends after 2000 bytes, in the middle of its pixels; send the whole file"`
	Code      string         `json:"code" doc:"Stable name of the error, for programs" example:"invalid_image"`
	RequestID string         `json:"request_id" doc:"Also in the X-Request-Id header and in the log" example:"01JD8W3V5TQ6Z2M0F4K7N9R1AB"`
	Retryable bool           `json:"retryable" doc:"Whether the same request may succeed later"`
	Errors    []problemField `json:"errors,omitempty" doc:"The places in the input that are wrong"`

	retryAfter time.Duration
}

type problemField struct {
	Location string `json:"location" doc:"Such as query.top_k, body.rows[3].petal_width or header.Content-Type" example:"body.image"`
	Message  string `json:"message" doc:"What is wrong there" example:"truncated"`
}

// Error makes a problem usable as an error of typed handlers; their status and media type come from the two methods below.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus gives the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType gives the media type of problem documents.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// faultOf finds the fault in err. The ends of a context become kinds; everything unknown is an internal failure without public detail.
func faultOf(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		if f.Kind != fault.Internal {
			return f
		}
		return fault.New(fault.Internal, "internal", "the gateway failed; the log has the cause under this request_id").Wrap(err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Canceled, "client_closed", "the client closed the connection before the answer").Wrap(err)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "deadline_exceeded", "the request took longer than limits.timeout allows").Wrap(err)
	}
	return fault.New(fault.Internal, "internal", "the gateway failed; the log has the cause under this request_id").Wrap(err)
}

// newProblem makes the public document of a failure.
func newProblem(err error, requestID string) *problem {
	f := faultOf(err)
	p := &problem{
		Type:      "urn:triton-gateway:error:" + f.Code,
		Title:     title(statusOf(f)),
		Status:    statusOf(f),
		Detail:    f.Detail,
		Code:      f.Code,
		RequestID: requestID,
		Retryable: f.Kind.Retryable(),
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, problemField(field))
	}
	switch f.Kind {
	case fault.RateLimited, fault.Busy, fault.Unavailable, fault.Draining:
		p.retryAfter = max(f.RetryAfter, time.Second)
	default:
		p.retryAfter = f.RetryAfter
	}
	return p
}

func title(status int) string {
	if status == statusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// setHeaders sets what a problem says outside of its body.
func (p *problem) setHeaders(h http.Header) {
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.retryAfter.Seconds())), 10))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="triton-gateway"`)
	}
	h.Set("Cache-Control", "no-store")
}

// handle wraps a handler that returns an error; it is the only place where an error of a plain handler becomes a response.
func (s *server) handle(do func(c *gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := do(c); err != nil {
			s.fail(c, err)
		}
	}
}

// fail answers with the problem document of err, if nothing has been sent yet, and leaves the cause for the access log.
func (s *server) fail(c *gin.Context, err error) {
	p := newProblem(err, requestID(c))
	s.note(c, err, p)
	if c.Writer.Written() {
		return
	}
	writeProblem(c.Writer, c.Request, p)
}

// writeProblem sends a problem document.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.setHeaders(w.Header())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	body, _ := json.Marshal(p) // strings, numbers and booleans only: cannot fail
	_, _ = w.Write(body)
}

// note keeps code and cause for the access log, and logs at once what an operator has to look into.
func (s *server) note(c *gin.Context, err error, p *problem) {
	st := stateOf(c)
	st.code = p.Code
	if p.Status >= http.StatusInternalServerError {
		st.cause = err
		level := slog.LevelWarn
		if p.Status == http.StatusInternalServerError {
			level = slog.LevelError
		}
		s.log.LogAttrs(c.Request.Context(), level, "request failed",
			slog.String("request_id", p.RequestID), slog.Int("status", p.Status), slog.String("code", p.Code), slog.String("cause", err.Error()))
	}
}
