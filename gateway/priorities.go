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
	defaultTier     = "default"
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
	asked := priority.Interactive
	if len(values) > 0 {
		c, ok := priority.Parse(values[0])
		if !ok || len(values) > 1 {
			return asked, fault.New(fault.Invalid, "invalid_request", "the header %s is %q; write realtime, interactive or batch, once", headerPriority, clip(strings.Join(values, ", "))).
				At("header."+headerPriority, "no class")
		}
		asked = c
	}
	if m == nil {
		return asked, nil
	}
	return m.cap(caller.From(ctx), asked), nil
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

// classify puts the class of a request into its context, before anything of it waits.
func (s *server) classify(c *gin.Context) error {
	r := c.Request
	values := r.Header[headerPriority]
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
