package kserve

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"triton-gateway/internal/fault"
)

// headerTimeout says how long a caller waits: seconds as a number, or a Go duration such as 250ms.
const headerTimeout = "X-Request-Timeout"

// deadline gives a call the time that its caller asks for, and Limits.Timeout at most, or Limits.Longest where it may be long.
func (h *httpSide) deadline(ctx context.Context, header http.Header, long bool) (context.Context, context.CancelFunc, error) {
	limit := h.Limits.Timeout
	if long {
		limit = cmp.Or(h.Limits.Longest, limit)
	}
	if values := header[headerTimeout]; len(values) > 0 {
		d, ok := parseTimeout(values[0])
		if !ok || len(values) > 1 {
			return ctx, func() {}, fault.New(fault.Invalid, "invalid_request", "%s is %s; it has to be a number of seconds above 0, or a duration such as 250ms",
				headerTimeout, clipped([]byte(values[0]))).At("header."+headerTimeout, "no duration")
		}
		if limit <= 0 || d < limit {
			limit = d
		}
	}
	if limit <= 0 {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, cancel, nil
}

func parseTimeout(text string) (time.Duration, bool) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		nanoseconds := seconds * float64(time.Second)
		if !(nanoseconds >= 1) {
			return 0, false
		}
		return time.Duration(min(nanoseconds, math.MaxInt64/2)), true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}
