package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

const (
	headerPriority = "X-Priority"
	// headerEffective answers X-Priority: the class that the request had.
	headerEffective = "X-Priority-Effective"
	// paramPriority is X-Priority in the query, where a browser sets no headers.
	paramPriority = "priority"
	defaultTier   = "default"
)

// ceilings are the most urgent classes that callers may have, by tier.
type ceilings map[string]priority.Class

// cap is the class of a caller who asks for c.
func (m ceilings) cap(who *caller.Caller, c priority.Class) priority.Class {
	if m == nil {
		return c
	}
	most, found := priority.Realtime, false
	if who != nil {
		most, found = m[who.Tier]
	}
	if !found {
		if most, found = m[defaultTier]; !found {
			return c
		}
	}
	return max(c, most)
}

// classOf gives the class of a request with such values of X-Priority, whose caller ctx knows.
func (m ceilings) classOf(ctx context.Context, values []string) (priority.Class, error) {
	asked, err := askedClass("the header "+headerPriority, "header."+headerPriority, values)
	if err != nil || m == nil {
		return asked, err
	}
	return m.cap(caller.From(ctx), asked), nil
}

// askedClass is the class that one place of a request asks for; interactive where it says nothing.
func askedClass(what, place string, values []string) (priority.Class, error) {
	if len(values) == 0 {
		return priority.Interactive, nil
	}
	c, ok := priority.Parse(values[0])
	if !ok || len(values) > 1 {
		return priority.Interactive, fault.New(fault.Invalid, "invalid_request", "%s is %q; write realtime, interactive or batch, once", what, clip(strings.Join(values, ", "))).At(place, "no class")
	}
	return c, nil
}

// inQuery gives the class that the query asks for, as values of X-Priority; nil where it says nothing. A header besides has to say the same.
func inQuery(raw string, header []string) ([]string, error) {
	q, err := parseQuery(raw)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, pair := range q {
		if pair.name == paramPriority {
			values = append(values, pair.value)
		}
	}
	const place = "query." + paramPriority
	if _, err := askedClass("the query's "+paramPriority, place, values); err != nil {
		return nil, err
	}
	if len(values) == 1 && len(header) == 1 && header[0] != values[0] {
		return nil, fault.New(fault.Invalid, "invalid_request", "the query's %s is %q, and the header %s is %q; write one of them", paramPriority, values[0], headerPriority, clip(header[0])).At(place, "differs from the header")
	}
	return values, nil
}

// classed puts the class of a call over gRPC into its context.
func (m ceilings) classed(ctx context.Context, values []string) (context.Context, error) {
	c, err := m.classOf(ctx, values)
	if err != nil {
		return nil, err
	}
	return priority.With(ctx, c), nil
}

// hasClass reports whether the requests of a route wait for a model or a decoder.
func hasClass(method, route string) bool {
	if strings.HasPrefix(route, "/v1/models/") {
		for _, end := range [...]string{"/infer", "/stream", "/ws", "/preview"} {
			if strings.HasSuffix(route, end) {
				return true
			}
		}
		return false
	}
	return route == "/v1/jobs" && method == http.MethodPost || underKServe(route)
}

// classInQuery reports whether the query of a route may name the class: browsers set no headers on a WebSocket, and a page may begin a stream in the same way.
func classInQuery(route string) bool {
	return strings.HasPrefix(route, "/v1/models/") && (strings.HasSuffix(route, "/ws") || strings.HasSuffix(route, "/stream"))
}

// classify puts the class of a request into its context, before anything of it waits.
func (s *server) classify(c *gin.Context) error {
	r := c.Request
	values := r.Header[headerPriority]
	if r.URL.RawQuery != "" && classInQuery(c.FullPath()) {
		said, err := inQuery(r.URL.RawQuery, values)
		if err != nil {
			return err
		}
		if values == nil {
			values = said
		}
	}
	if values == nil && s.tiers == nil || !hasClass(r.Method, c.FullPath()) {
		return nil
	}
	class, err := s.tiers.classOf(r.Context(), values)
	if err != nil {
		return err
	}
	if values != nil {
		c.Writer.Header()[headerEffective] = []string{class.String()}
	}
	if class != priority.Interactive {
		*r = *r.WithContext(priority.With(r.Context(), class)) // in place, as enter does
	}
	return nil
}

// jobClass gives a job the class that its request has, where the query names none, and not more than its caller may have.
func (s *server) jobClass(r *http.Request, asked jobs.Priority) jobs.Priority {
	ctx := r.Context()
	if asked == "" {
		return jobs.Priority(priority.From(ctx).String())
	}
	return jobs.Priority(s.tiers.cap(caller.From(ctx), asked.Class()).String())
}

// lines are what counts the waits of each class, by what they wait for.
type lines struct{ workers, bodies, calls, model, batch priority.Meter }

// under is the policy of the lines that a meter counts.
func (c *Config) under(m *priority.Meter) priority.Policy {
	return priority.Policy{Rules: c.Priorities.rules(), Meter: m}
}

// readings are the figures of all lines.
func (l *lines) readings() []reading {
	var waits, waited, refused []labelled
	for _, m := range []struct {
		line  string
		meter *priority.Meter
	}{{"workers", &l.workers}, {"bodies", &l.bodies}, {"calls", &l.calls}, {"model", &l.model}, {"batch", &l.batch}} {
		for i, f := range m.meter.Figures() {
			labels := []string{m.line, priority.All()[i].String()}
			waits = append(waits, labelled{float64(f.Waits), labels})
			waited = append(waited, labelled{f.Waited.Seconds(), labels})
			refused = append(refused, labelled{float64(f.Refused), labels})
		}
	}
	names := []string{"line", "priority"}
	return []reading{
		{"gateway_priority_waits_total", "Requests that waited for a decoder (workers), memory (bodies), a model (model) or a batch of it (batch), and had their turn.", names, true, waits},
		{"gateway_priority_wait_seconds_total", "Time that they waited.", names, true, waited},
		{"gateway_priority_refused_total", "Requests that were turned away because too many waited there, or had the model under way (calls), or because somebody more urgent took their place in line.", names, true, refused},
	}
}
