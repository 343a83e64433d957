package gateway

import (
	"net/http"
	"strconv"
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

// routeHeader says which model and version answered, why, and by which route if there was one.
func routeHeader(model, version, reason string, routed *pipeline.Routed) string {
	if routed != nil {
		return routed.String()
	}
	return model + "/" + version + "; reason=" + reason
}

// send writes one answer: the stored bytes as they are and the end of the document.
func (s *server) send(c *gin.Context, a *pipeline.Answer, mode cache.Mode) {
	st := stateOf(c)
	h := c.Writer.Header()
	status, short := cacheStatus(a, mode)
	st.cached = short
	s.observe(st.tenant(), a, short)
	// One array backs all values: http.Header wants a slice each.
	v := [...]string{status, serverTiming(a.Timings, s.now().Sub(st.started)), a.Version, routeHeader(a.Model, a.Version, a.Reason, a.Routed), a.ETag, typeJSON, "", ""}
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
