package gateway

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"triton-gateway/internal/fault"
)

const headerRequestTimeout = "X-Request-Timeout"

// within gives the request the deadline that its X-Request-Timeout asks for, counted from started, if it has one. limits.timeout is the most.
// The caller has to call cancel.
func (l *httpLimits) within(r *http.Request, started time.Time) (_ *http.Request, cancel func(), err error) {
	values := r.Header[headerRequestTimeout]
	if len(values) == 0 {
		return r, func() {}, nil
	}
	wanted, ok := parseTimeout(values[0])
	if !ok || len(values) > 1 {
		return nil, nil, fault.New(fault.Invalid, "invalid_request", "the header %s is %q; write seconds above 0, such as 1.5, or a time such as 300ms, once", headerRequestTimeout, clip(values[0])).
			At("header."+headerRequestTimeout, "not a time")
	}
	ctx, cancel := context.WithDeadline(r.Context(), started.Add(min(wanted, l.Timeout)))
	return r.WithContext(ctx), cancel, nil
}

// parseTimeout reads seconds as a number, or a time in Go's notation. What is too long to count is the longest time there is.
func parseTimeout(text string) (time.Duration, bool) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) || math.IsInf(seconds, 0) {
			return 0, false
		}
		if seconds >= float64(math.MaxInt64)/float64(time.Second) {
			return math.MaxInt64, true
		}
		return max(time.Duration(seconds*float64(time.Second)), 1), true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}
