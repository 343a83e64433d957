package grafana

func cached() Row {
	return Row{"Cache", []Panel{
		stack("Where answers come from", "short", "Items a second: from memory, from Redis, computed (none miss), or computed because the caller wanted no cache (bypass).",
			Query{`sum by (tier, result) (rate(gateway_cache_requests_total{G}[R]))`, "{{tier}} {{result}}"}),
		lines("Hit ratio", "percentunit", "Of half an hour, for the alert; and of the last moments.",
			Query{`job:gateway_cache_hits:ratio_rate30m{job="$job"}`, "30 min"},
			Query{`sum(rate(gateway_cache_requests_total{G, result="hit"}[R])) / sum(rate(gateway_cache_requests_total{G, result=~"hit|miss"}[R]))`, "now"}).upTo(1),
		lines("Computed and shared", "short", "Computations started, and answers that another caller's computation gave: what simultaneous equal requests save.",
			Query{`sum(rate(gateway_cache_computed_total{G}[R]))`, "computed"}, Query{`sum(rate(gateway_cache_shared_total{G}[R]))`, "shared"}),
		lines("Cache size", "bytes", "Memory that stored answers and tensors take; cache.memory bounds it.", Query{`gateway_cache_bytes{G}`, "{{instance}}"}),
		lines("Look-ups found by tier", "percentunit", "A look-up in Redis follows one in memory that found nothing.",
			Query{`sum by (tier) (rate(gateway_cache_hits_total{G}[R])) / (sum by (tier) (rate(gateway_cache_hits_total{G}[R])) + sum by (tier) (rate(gateway_cache_misses_total{G}[R])) > 0)`, "{{tier}}"}).upTo(1),
		lines("Dropped, failed, waiting", "short", "Values a second that memory evicted or Redis did not get, calls of Redis that failed, and values that wait to be written.",
			Query{`sum by (tier) (rate(gateway_cache_drops_total{G}[R]))`, "{{tier}} dropped"}, Query{`sum by (tier) (rate(gateway_cache_errors_total{G}[R]))`, "{{tier}} failed"},
			Query{`sum(gateway_cache_redis_pending{G})`, "waiting for Redis"}, Query{`count(gateway_cache_redis_up{G} == 0)`, "gateways without Redis"}),
	}}
}

func pool() Row {
	return Row{"Pool", []Panel{
		lines("Tritons by gateway", "short", "1: gets calls. 0: left alone after failures, and probed.", Query{`gateway_backend_up{G}`, "{{endpoint}} of {{instance}}"}).upTo(1.2),
		stack("Calls by Triton", "reqps", "Calls go to the endpoint with the fewest under way, so a slow one gets fewer.", Query{`sum by (endpoint) (rate(gateway_backend_calls_total{G}[R]))`, "{{endpoint}}"}),
		lines("Calls in flight and their limit", "short", "The limit adapts to how a Triton answers. Calls above it wait in the gateway.",
			Query{`sum by (endpoint) (gateway_backend_in_flight{G})`, "{{endpoint}}"}, Query{`sum by (endpoint) (gateway_backend_limit{G})`, "{{endpoint}} limit"}),
		lines("Failures and retries", "short", "A second. Second tries and hedges are bounded: when the budget is used up, callers see the failures.",
			Query{`sum by (endpoint) (rate(gateway_backend_failures_total{G}[R]))`, "{{endpoint}} failed"}, Query{`sum by (endpoint) (rate(gateway_backend_retries_total{G}[R]))`, "{{endpoint}} second tries"},
			Query{`sum by (endpoint) (rate(gateway_backend_hedges_total{G}[R]))`, "{{endpoint}} hedges"}).wide(16),
		lines("Taken out", "short", "Times since the gateways started that they left a Triton alone.", Query{`sum by (endpoint) (gateway_backend_ejections_total{G})`, "{{endpoint}}"}),
	}}
}

func limits() Row {
	return Row{"Limits", []Panel{
		lines("Taken of each limit", "percentunit", "How much of each limit is taken: workers decode pictures, bodies are bytes of uploads in memory.",
			Query{`gateway_limit_used{G} / gateway_limit_capacity{G}`, "{{limit}} of {{instance}}"}).upTo(1).wide(6),
		lines("Waiting", "short", "Requests that wait for a limit. limits.queue bounds those that wait for workers.", Query{`gateway_limit_waiting{G}`, "{{limit}} of {{instance}}"}).wide(6),
		stack("Calls inside by model", "short", "Waiting ones included; limits.model_items bounds each.", Query{`sum by (model) (gateway_admission_calls{G, model=~"$model"})`, "{{model}}"}).wide(6),
		stack("Refused", "reqps", "Turned away with 429: by a limit of the process, or of a model.",
			Query{`sum by (limit) (rate(gateway_limit_refused_total{G}[R]))`, "{{limit}}"}, Query{`sum by (model) (rate(gateway_admission_refused_total{G, model=~"$model"}[R]))`, "model {{model}}"}).wide(6),
	}}
}

func jobs() Row {
	return Row{"Jobs", []Panel{
		stack("Jobs in the store", "short", "Of all gateways on the store.", Query{`sum by (state) (job_state_priority:gateway_jobs:max{job="$job"})`, "{{state}}"}).wide(6),
		lines("The oldest waits", "s", "How long the oldest job that is due has waited: the best sign of too few workers.", Query{`job_priority:gateway_jobs_oldest_seconds:max{job="$job"}`, "{{priority}}"}).wide(6),
		stack("Attempts", "short", "A second, by what came of them. poison: the input is at fault. retried: the attempt was lost.", Query{`sum by (outcome) (rate(gateway_job_attempts_total{G}[R]))`, "{{outcome}}"}).wide(6),
		lines("Webhooks", "short", "Calls a second.", Query{`sum by (outcome) (rate(gateway_job_webhooks_total{G}[R]))`, "{{outcome}}"}).wide(6),
		lines("Wait until a worker came", "s", "95 of 100 jobs waited less since they were due.", Query{`histogram_quantile(0.95, sum by (priority, le) (rate(gateway_job_wait_seconds_bucket{G}[R])))`, "{{priority}}"}),
		lines("Time until the end", "s", "95 of 100 jobs took less, from their first start.", Query{`histogram_quantile(0.95, sum by (state, le) (rate(gateway_job_duration_seconds_bucket{G}[R])))`, "{{state}}"}),
		lines("Stored pictures and rows", "bytes", "jobs.stored bounds it.", Query{`max by (job) (gateway_jobs_stored_bytes{G})`, "stored"}),
	}}
}
