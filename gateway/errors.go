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

	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/fault"
)

// statusClientClosed says that the caller went away before the answer. It is never seen by a client; it is for the log and the metrics.
const statusClientClosed = 499

// codes are what one kind of failure is on each transport.
type codes struct {
	rest   int    // HTTP status under /v1
	kserve int    // HTTP status under /v2; as Triton's, where Triton knows the failure
	grpc   uint32 // number of the gRPC code
}

// Numbers of gRPC's codes, by https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
const (
	grpcCanceled           = 1
	grpcInvalidArgument    = 3
	grpcDeadlineExceeded   = 4
	grpcNotFound           = 5
	grpcPermissionDenied   = 7
	grpcResourceExhausted  = 8
	grpcFailedPrecondition = 9
	grpcUnimplemented      = 12
	grpcInternal           = 13
	grpcUnavailable        = 14
	grpcUnauthenticated    = 16
)

// table is the one place that turns a kind of failure into codes.
var table = [...]codes{
	fault.Internal:         {http.StatusInternalServerError, http.StatusInternalServerError, grpcInternal},
	fault.Invalid:          {http.StatusBadRequest, http.StatusBadRequest, grpcInvalidArgument},
	fault.NotFound:         {http.StatusNotFound, http.StatusNotFound, grpcNotFound},
	fault.TooLarge:         {http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge, grpcInvalidArgument},
	fault.Unsupported:      {http.StatusUnsupportedMediaType, http.StatusNotImplemented, grpcUnimplemented},
	fault.MethodNotAllowed: {http.StatusMethodNotAllowed, http.StatusMethodNotAllowed, grpcUnimplemented},
	fault.Conflict:         {http.StatusConflict, http.StatusConflict, grpcFailedPrecondition},
	fault.Unauthenticated:  {http.StatusUnauthorized, http.StatusUnauthorized, grpcUnauthenticated},
	fault.Forbidden:        {http.StatusForbidden, http.StatusForbidden, grpcPermissionDenied},
	fault.RateLimited:      {http.StatusTooManyRequests, http.StatusTooManyRequests, grpcResourceExhausted},
	fault.Busy:             {http.StatusTooManyRequests, http.StatusTooManyRequests, grpcResourceExhausted},
	fault.Canceled:         {statusClientClosed, statusClientClosed, grpcCanceled},
	fault.Timeout:          {http.StatusGatewayTimeout, http.StatusGatewayTimeout, grpcDeadlineExceeded},
	fault.Upstream:         {http.StatusBadGateway, http.StatusBadGateway, grpcInternal},
	fault.Contract:         {http.StatusBadGateway, http.StatusBadGateway, grpcInternal},
	fault.Unavailable:      {http.StatusServiceUnavailable, http.StatusServiceUnavailable, grpcUnavailable},
	fault.Draining:         {http.StatusServiceUnavailable, http.StatusServiceUnavailable, grpcUnavailable},
}

// codesOf gives the codes. A request that was understood, but whose picture or row cannot be used, is 422, not 400, under /v1.
func codesOf(f *fault.Error) codes {
	if int(f.Kind) >= len(table) {
		return table[fault.Internal]
	}
	c := table[f.Kind]
	if f.Kind == fault.Invalid && (f.Code == "invalid_image" || f.Code == "invalid_row" || f.Code == "no_preview" || f.Code == "url_not_fetched") {
		c.rest = http.StatusUnprocessableEntity
	}
	if f.Code == "body_too_slow" { // the client's time was over, not the gateway's
		c.rest, c.kserve = http.StatusRequestTimeout, http.StatusRequestTimeout
	}
	if f.Code == "precondition_failed" { // of If-Match
		c.rest = http.StatusPreconditionFailed
	}
	if f.Code == "job_store_full" {
		c.rest = http.StatusInsufficientStorage
	}
	return c
}

func statusOf(f *fault.Error) int { return codesOf(f).rest }

// kserveCodes is the table as package kserve asks for it. text is public; retryAfter is 0 where coming again does not help.
func kserveCodes(err error) (code kserve.Code, text string, retryAfter time.Duration) {
	f := faultOf(err)
	c := codesOf(f)
	return kserve.Code{HTTP: c.kserve, GRPC: c.grpc}, f.Detail, comeAgain(f)
}

// comeAgain is the Retry-After of a failure: at least a second where another moment may be better.
func comeAgain(f *fault.Error) time.Duration {
	switch f.Kind {
	case fault.RateLimited, fault.Busy, fault.Unavailable, fault.Draining:
		return max(f.RetryAfter, time.Second)
	}
	return f.RetryAfter
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
	p.retryAfter = comeAgain(f)
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
	answerFirst(c.Writer, c.Request, func() { writeProblem(c.Writer, c.Request, p) })
}

// writeProblem sends a problem document; under /v2 KServe's body for errors.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.setHeaders(w.Header())
	kind, document := p.ContentType(""), any(p)
	if underKServe(r.URL.Path) {
		kind, document = typeJSON, map[string]string{"error": p.Detail}
	}
	body, _ := json.Marshal(document) // strings, numbers and booleans only: cannot fail
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
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
