package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
)

// result is what became of one item of several.
type result struct {
	answer *pipeline.Answer
	err    error
}

// sendAll writes the answer to several items, in their order. One bad item fails alone.
func (s *server) sendAll(c *gin.Context, results []result, mode cache.Mode) {
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
			s.observe(st.tenant(), r.answer, short)
		}
	}
	b := make([]byte, 0, size)
	b = append(b, `{"id":`...)
	b = appendText(b, st.id)
	b = append(b, `,"model":`...)
	b = appendText(b, first.Model)
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
	h.Set("X-Route", routeHeader(first.Model, first.Version, first.Reason, first.Routed))
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
		if r.answer != nil {
			sum = pipeline.AddTimings(sum, r.answer.Timings)
		}
	}
	return sum
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text)
	return append(b, quoted...)
}
