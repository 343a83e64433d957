package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
)

const (
	tailFresh  = "false}"
	tailCached = "true}"
	typeJSON   = "application/json"
)

// cacheStatus gives the RFC 9211 header of one answer, and the short form for log and metrics.
func cacheStatus(a *pipeline.Answer, mode cache.Mode) (header, short string) {
	switch {
	case a.Tensor:
		return "triton-gateway; hit; detail=tensor", "tensor"
	case a.Cache.Hit:
		switch a.Cache.Detail {
		case "memory":
			return "triton-gateway; hit; detail=memory", "memory"
		case "redis":
			return "triton-gateway; hit; detail=redis", "redis"
		case "shared":
			return "triton-gateway; hit; detail=shared", "shared"
		}
		return "triton-gateway; hit", "hit"
	case mode == cache.NoStore:
		return "triton-gateway; fwd=bypass", "bypass"
	case mode == cache.NoCache && a.Cache.Stored:
		return "triton-gateway; fwd=request; stored", "request"
	case mode == cache.NoCache:
		return "triton-gateway; fwd=request", "request"
	case a.Cache.Stored:
		return "triton-gateway; fwd=miss; stored", "miss"
	}
	return "triton-gateway; fwd=miss", "miss"
}

// allStatus is the Cache-Status of several answers in one response: a hit where all are, partial where some are.
func allStatus(results []result, mode cache.Mode) string {
	hits, stored, count := 0, true, 0
	first := ""
	for _, r := range results {
		if r.answer == nil {
			continue
		}
		count++
		header, _ := cacheStatus(r.answer, mode)
		if r.answer.Tensor || r.answer.Cache.Hit {
			if hits++; first == "" {
				first = header
			}
		} else if stored = stored && r.answer.Cache.Stored; hits == 0 {
			first = header
		}
	}
	switch {
	case count == 0 || hits == count || hits == 0 && stored:
		return first
	case hits == 0:
		return strings.TrimSuffix(first, "; stored")
	case stored:
		return "triton-gateway; fwd=partial; stored"
	}
	return "triton-gateway; fwd=partial"
}

// serverTiming writes the stages in milliseconds, and the whole time inside the gateway.
func serverTiming(timings []pipeline.Timing, total time.Duration) string {
	var room [192]byte
	b := room[:0]
	for _, t := range timings {
		b = appendTiming(b, t.Stage, t.Duration)
		b = append(b, ", "...)
	}
	return string(appendTiming(b, "total", total))
}

func appendTiming(b []byte, stage string, d time.Duration) []byte {
	b = append(b, stage...)
	b = append(b, ";dur="...)
	return strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 3, 64)
}

// routeHeader says which version answered and why.
func routeHeader(model, version, reason string) string {
	return model + "/" + version + "; reason=" + reason
}

// send writes one answer: the stored bytes as they are and the end of the document.
func (s *server) send(c *gin.Context, a *pipeline.Answer, mode cache.Mode) {
	st := stateOf(c)
	h := c.Writer.Header()
	status, short := cacheStatus(a, mode)
	st.cached = short
	s.observe(a, short)
	// One array backs all values: http.Header wants a slice each.
	v := [...]string{status, serverTiming(a.Timings, s.now().Sub(st.started)), a.Version, routeHeader(a.Model, a.Version, a.Reason), a.ETag, typeJSON, "", ""}
	h["Cache-Status"] = v[0:1:1]
	h["Server-Timing"] = v[1:2:2]
	h["X-Model-Version"] = v[2:3:3]
	h["X-Route"] = v[3:4:4]
	if a.ETag != "" {
		h["Etag"] = v[4:5:5]
	}
	if v[7] = cacheControl(c.Request.Method, a.TTL, mode); v[7] != "" {
		h["Cache-Control"] = v[7:8:8]
	}
	if a.ETag != "" && mode == cache.Default && matches(c.Request.Header["If-None-Match"], a.ETag) {
		c.Writer.WriteHeader(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	tail := tailFresh
	if a.FromCache {
		tail = tailCached
	}
	h["Content-Type"] = v[5:6:6]
	v[6] = strconv.Itoa(len(a.Body) + len(tail))
	h["Content-Length"] = v[6:7:7]
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(a.Body) // a client that has gone is noticed by the context
	_, _ = c.Writer.WriteString(tail)
}

// cacheControl lets browsers and CDNs keep what was asked by GET, as long as the gateway itself would.
func cacheControl(method string, ttl time.Duration, mode cache.Mode) string {
	switch {
	case mode == cache.NoStore:
		return "no-store"
	case method != http.MethodGet && method != http.MethodHead:
		return ""
	case ttl < time.Second:
		return "no-cache"
	}
	return "public, max-age=" + strconv.FormatInt(int64(ttl/time.Second), 10)
}

// matches reports whether one of the tags of If-None-Match is tag, by weak comparison.
func matches(values []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// result is what became of one item of several.
type result struct {
	answer *pipeline.Answer
	err    error
}

// sendAll writes the answer to several items, in their order. One bad item fails alone.
func (s *server) sendAll(c *gin.Context, model string, results []result, mode cache.Mode) {
	st := stateOf(c)
	h := c.Writer.Header()
	var first *pipeline.Answer
	size := 256
	for _, r := range results {
		size += 512
		if r.answer != nil {
			size += len(r.answer.Body) - 512 + 8
			if first == nil {
				first = r.answer
			}
			_, short := cacheStatus(r.answer, mode)
			s.observe(r.answer, short)
		}
	}
	b := make([]byte, 0, size)
	b = append(b, `{"id":`...)
	b = appendText(b, st.id)
	b = append(b, `,"model":`...)
	b = appendText(b, model)
	b = append(b, `,"version":`...)
	b = appendText(b, first.Version)
	b = append(b, `,"task":`...)
	b = appendText(b, first.Task)
	b = append(b, `,"results":[`...)
	for i, r := range results {
		if i > 0 {
			b = append(b, ',')
		}
		if r.err != nil {
			doc, _ := json.Marshal(newProblem(r.err, st.id)) // strings, numbers and booleans only: cannot fail
			b = append(append(append(b, `{"error":`...), doc...), '}')
			continue
		}
		b = append(b, r.answer.Body...)
		if r.answer.FromCache {
			b = append(b, tailCached...)
		} else {
			b = append(b, tailFresh...)
		}
	}
	b = append(b, "]}"...)
	st.cached = "several"
	h.Set("Cache-Status", allStatus(results, mode))
	h.Set("Server-Timing", serverTiming(sumTimings(results), s.now().Sub(st.started)))
	h.Set("X-Model-Version", first.Version)
	h.Set("X-Route", routeHeader(model, first.Version, first.Reason))
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	if cc := cacheControl(c.Request.Method, 0, mode); cc != "" {
		h.Set("Cache-Control", cc)
	}
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(b)
}

// sumTimings adds the stages of several answers up; they ran side by side, so the sum may be more than the total.
func sumTimings(results []result) []pipeline.Timing {
	var sum []pipeline.Timing
	for _, r := range results {
		if r.answer == nil {
			continue
		}
	next:
		for _, t := range r.answer.Timings {
			for i := range sum {
				if sum[i].Stage == t.Stage {
					sum[i].Duration += t.Duration
					continue next
				}
			}
			sum = append(sum, t)
		}
	}
	return sum
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text)
	return append(b, quoted...)
}
