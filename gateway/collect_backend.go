package gateway

import (
	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/telemetry"
)

// poolReadings are the figures of every Triton of a pool. Endpoints are those of the configuration, so the label is bounded.
func poolReadings(pool backend.Pool) readings {
	return func() []reading {
		states := pool.Endpoints()
		by := func(value func(*backend.EndpointState) float64) []labelled {
			list := make([]labelled, len(states))
			for i := range states {
				list[i] = labelled{value(&states[i]), []string{states[i].Name}}
			}
			return list
		}
		endpoint := []string{"endpoint"}
		return []reading{
			{"gateway_backend_up", "1 while calls are sent to the server, 0 while it is left alone.", endpoint, false, by(func(e *backend.EndpointState) float64 {
				if e.Ready {
					return 1
				}
				return 0
			})},
			{"gateway_backend_in_flight", "Calls under way.", endpoint, false, by(func(e *backend.EndpointState) float64 { return float64(e.Running) })},
			{"gateway_backend_limit", "The most calls at a time that its adaptive limits allow; 0 while it is not known.", endpoint, false, by(func(e *backend.EndpointState) float64 { return float64(e.Limit) })},
			{"gateway_backend_calls_total", "Calls.", endpoint, true, by(func(e *backend.EndpointState) float64 { return float64(e.Calls) })},
			{"gateway_backend_failures_total", "Calls that failed for reasons of the server or the way to it.", endpoint, true, by(func(e *backend.EndpointState) float64 { return float64(e.Failures) })},
			{"gateway_backend_retries_total", "Calls that were second tries, after a failure elsewhere.", endpoint, true, by(func(e *backend.EndpointState) float64 { return float64(e.Retries) })},
			{"gateway_backend_hedges_total", "Calls that were made beside a slow one.", endpoint, true, by(func(e *backend.EndpointState) float64 { return float64(e.Hedges) })},
			{"gateway_backend_ejections_total", "Times that the server was taken out.", endpoint, true, by(func(e *backend.EndpointState) float64 { return float64(e.Ejected) })},
		}
	}
}

// loadReadings are the calls of each model inside the gateway. Models are those of the catalog.
func loadReadings(loads func() []pipeline.Load) readings {
	return func() []reading {
		list := loads()
		by := func(value func(*pipeline.Load) float64) []labelled {
			out := make([]labelled, len(list))
			for i := range list {
				out[i] = labelled{value(&list[i]), []string{list[i].Model}}
			}
			return out
		}
		model := []string{"model"}
		return []reading{
			{"gateway_admission_calls", "Calls of the model that are inside, those that wait included; limits.model_items bounds them.", model, false, by(func(l *pipeline.Load) float64 { return float64(l.Calls) })},
			{"gateway_admission_bytes", "Size of their bodies; limits.model_bytes bounds it.", model, false, by(func(l *pipeline.Load) float64 { return float64(l.Bytes) })},
			{"gateway_admission_refused_total", "Calls that were turned away before their body was read.", model, true, by(func(l *pipeline.Load) float64 { return float64(l.Refused) })},
		}
	}
}

// spanReadings are the figures of the traces on their way.
func spanReadings(t *telemetry.Tracer) readings {
	return func() []reading {
		s := t.Stats()
		return []reading{
			{"gateway_spans_total", "Spans by what became of them: sent, failed (the collector refused them or was away), dropped (too many waited).", []string{"result"}, true,
				[]labelled{{float64(s.Sent), []string{"sent"}}, {float64(s.Failed), []string{"failed"}}, {float64(s.Dropped), []string{"dropped"}}}},
			{"gateway_spans_waiting", "Spans that wait to be sent.", nil, false, one(float64(s.Waiting))},
		}
	}
}
