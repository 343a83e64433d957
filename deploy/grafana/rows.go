package grafana

// now is the line of figures at the top.
func now() Row {
	return Row{"Now", []Panel{
		figure("Gateways up", "short", "Gateways that answer Prometheus.", 1, `sum(up{G})`).whenLow(),
		figure("Request rate", "reqps", "REST calls and KServe v2 calls a second.", 0,
			`sum(rate(gateway_http_request_duration_seconds_count{G, route=~"/v1/.*"}[R]) or rate(gateway_kserve_request_duration_seconds_count{G}[R]))`),
		figure("Failed", "percentunit", "Of the requests of five minutes, by fault of the server's side.", 0.01, `job:gateway_request_failures:ratio_rate5m{job="$job"}`),
		figure("Slowest 1 %", "s", "99 of 100 calls of infer over REST take less.", 1,
			`histogram_quantile(0.99, sum by (le) (rate(gateway_http_request_duration_seconds_bucket{G, route=~"/v1/models/.*/infer"}[R])))`),
		figure("From the cache", "percentunit", "Of the answers of half an hour; callers that wanted none are left out.", 0, `job:gateway_cache_hits:ratio_rate30m{job="$job"}`),
		figure("Tritons left", "short", "The fewest that any of the gateways has.", 1, `min(sum by (instance) (gateway_backend_up{G}))`).whenLow(),
		figure("Jobs waiting", "short", "Due ones and later ones, of all gateways on the store.", 0, `sum(job_state_priority:gateway_jobs:max{job="$job", state="queued"})`),
		figure("Alerts", "short", "Those that fire, or are about to.", 1, `count(ALERTS) or vector(0)`),
	}}
}

// requests is rate, errors, duration.
func requests() Row {
	return Row{"Requests", []Panel{
		stack("Requests by route", "reqps", "REST and pages, by the route's template, without probes. /v2 is in the next panel.",
			Query{`sum by (route) (rate(gateway_http_request_duration_seconds_count{G, route!~"/v2.*|/metrics|/livez|/readyz"}[R]))`, "{{route}}"}),
		stack("KServe v2 calls", "reqps", "Calls of Triton's own protocol.",
			Query{`sum by (protocol, method) (rate(gateway_kserve_request_duration_seconds_count{G}[R]))`, "{{protocol}} {{method}}"}),
		lines("Requests in flight", "short", "HTTP requests being served, by gateway. It grows when answers take longer; it should fall again.",
			Query{`gateway_http_requests_in_flight{G}`, "{{instance}}"}),
		stack("Failures by route", "reqps", "Everything but 1xx to 3xx. 4xx is the caller's side, but for 429: the gateway is full. 502 and 503 are the backend, 504 is too slow, 500 is a fault of the gateway.",
			Query{`sum by (route, code) (rate(gateway_http_request_duration_seconds_count{G, route!~"/v2.*", code=~"[45].."}[R]))`, "{{code}} {{route}}"}),
		stack("KServe v2 failures", "reqps", "HTTP statuses and gRPC codes other than OK.",
			Query{`sum by (protocol, code) (rate(gateway_kserve_request_duration_seconds_count{G, code!~"OK|2.."}[R]))`, "{{protocol}} {{code}}"}),
		lines("Burn of the error budget", "short", "1: what 99.9 % leaves is used up exactly at the end of the month. 14.4 over an hour wakes somebody, 6 over six hours is a ticket.",
			Query{`job:gateway_request_failures:ratio_rate5m{job="$job"} / 0.001`, "5 min"},
			Query{`job:gateway_request_failures:ratio_rate1h{job="$job"} / 0.001`, "1 h"},
			Query{`job:gateway_request_failures:ratio_rate6h{job="$job"} / 0.001`, "6 h"}),
		lines("Time of infer over REST", "s", "Half of the calls, 95 and 99 of 100 take less.", quantiles(`gateway_http_request_duration_seconds_bucket{G, route=~"/v1/models/.*/infer"}`)...),
		lines("Time of ModelInfer over KServe v2", "s", "Half of the calls, 95 and 99 of 100 take less.", quantiles(`gateway_kserve_request_duration_seconds_bucket{G, method="ModelInfer"}`)...),
		{Kind: "table", Title: "Alerts now", About: "Pending ones will fire if it goes on. docs/guide/monitoring.md says what to do.", Unit: "short", Width: 8, Height: 8,
			Queries: []Query{{`ALERTS`, "{{alertname}}"}}},
	}}
}

// quantiles asks for the median and what few calls exceed, of the buckets of a histogram.
func quantiles(buckets string) (list []Query) {
	for _, q := range []struct{ of, name string }{{"0.5", "half"}, {"0.95", "95 %"}, {"0.99", "99 %"}} {
		list = append(list, Query{`histogram_quantile(` + q.of + `, sum by (le) (rate(` + buckets + `[R])))`, q.name})
	}
	return list
}

// stages is where the time goes.
func stages() Row {
	const of = `{G, model=~"$model"`
	return Row{"Stages", []Panel{
		stack("Time of an answer by stage", "s", "The mean time of one item, as a sum of its stages; what came from the cache counts with its short way. The thickest layer is the one to look at.",
			Query{`sum by (stage) (rate(gateway_stage_duration_seconds_sum` + of + `}[R])) / scalar(sum(rate(gateway_stage_duration_seconds_count` + of + `, stage="accept"}[R])))`, "{{stage}}"}).wide(12),
		stack("Work by stage", "short", "Seconds spent a second: how many items are in each stage at a time.",
			Query{`sum by (stage) (rate(gateway_stage_duration_seconds_sum` + of + `}[R]))`, "{{stage}}"}).wide(12),
		lines("Slowest 1 % of each stage", "s", "queue is the wait for a decoder: processors are short. infer is the backend, its own queue included.",
			Query{`histogram_quantile(0.99, sum by (stage, le) (rate(gateway_stage_duration_seconds_bucket` + of + `}[R])))`, "{{stage}}"}),
		lines("Mean time of infer by model", "s", "The whole call of the backend, as the gateway sees it.",
			Query{`sum by (model) (rate(gateway_stage_duration_seconds_sum` + of + `, stage="infer"}[R])) / (sum by (model) (rate(gateway_stage_duration_seconds_count` + of + `, stage="infer"}[R])) > 0)`, "{{model}}"}),
		stack("Failures by stage", "short", "Items a second that ended in a stage, by the kind of failure.",
			Query{`sum by (stage, outcome) (rate(gateway_stage_duration_seconds_count` + of + `, outcome!="ok"}[R]))`, "{{stage}} {{outcome}}"}),
	}}
}
