package grafana

// versions is for watching a new version beside the old one: a canary. Every gateway tells of all that its Tritons did, so gateways are averaged and not added up.
func versions() Row {
	const of = `{G, model=~"$model"}`
	return Row{"Models and versions", []Panel{
		lines("Share of versions", "percentunit", "Of the calls of each model, by version: whether a new version gets what it should.",
			Query{`avg by (model, version) (rate(gateway_model_requests_total` + of + `[R])) / on (model) group_left sum by (model) (avg by (model, version) (rate(gateway_model_requests_total` + of + `[R])) > 0)`, "{{model}} {{version}}"}).upTo(1).wide(6),
		stack("Requests by version", "reqps", "Calls that the models' server answered, other clients' included.", Query{`avg by (model, version) (rate(gateway_model_requests_total` + of + `[R])) > 0`, "{{model}} {{version}}"}).wide(6),
		lines("Mean time by version", "s", "Inside the models' server, its queue included. Compare a new version with the old one.",
			Query{`avg by (model, version) (rate(gateway_model_request_seconds_total` + of + `[R])) / (avg by (model, version) (rate(gateway_model_requests_total` + of + `[R])) > 0)`, "{{model}} {{version}}"}).wide(6),
		lines("Failed by version", "short", "Requests a second that failed in the models' server.", Query{`avg by (model, version) (rate(gateway_model_failures_total` + of + `[R]))`, "{{model}} {{version}}"}).wide(6),
	}}
}

func triton() Row {
	const of = `{T, model=~"$model"}`
	share := func(metric, name string) Query {
		return Query{`sum(rate(` + metric + of + `[R])) / sum(rate(nv_inference_request_success` + of + `[R]))`, name}
	}
	return Row{"Triton", []Panel{
		stack("Inferences", "short", "Items a second; a request of batch 8 is 8.", Query{`sum by (model) (rate(nv_inference_count` + of + `[R]))`, "{{model}}"}),
		stack("Computing", "µs", "The mean time of a request in Triton by its parts. A thick queue: too few instances. A thick infer: the model.",
			share("nv_inference_queue_duration_us", "queue"), share("nv_inference_compute_input_duration_us", "input"),
			share("nv_inference_compute_infer_duration_us", "infer"), share("nv_inference_compute_output_duration_us", "output")),
		lines("Wait in Triton's queue", "µs", "The mean of five minutes, for the alert.", Query{`job_model:nv_inference_queue_us:mean_rate5m{T}`, "{{model}}"}),
		lines("Batch size", "short", "Items in one run of the model, made by the dynamic batcher.",
			Query{`sum by (model) (rate(nv_inference_count` + of + `[R])) / (sum by (model) (rate(nv_inference_exec_count` + of + `[R])) > 0)`, "{{model}}"}),
		lines("Pending requests", "short", "They wait for an instance.", Query{`sum by (model) (nv_inference_pending_request_count` + of + `)`, "{{model}}"}),
		stack("Failures by model", "short", "Requests a second. REJECTED: the queue is full. BACKEND: the model. CANCELED: the caller left.",
			Query{`sum by (model, reason) (rate(nv_inference_request_failure` + of + `[R])) > 0 or sum by (model) (rate(nv_inference_request_failure` + of + `[R]))`, "{{model}} {{reason}}"}),
		lines("Tritons that answer", "short", "Their metrics port, asked by Prometheus.", Query{`up{T}`, "{{instance}}"}).upTo(1.2),
		lines("Processors", "percentunit", "Of the whole machine on which a Triton runs.", Query{`nv_cpu_utilization{T}`, "{{instance}}"}).upTo(1),
		lines("Memory of the machine", "bytes", "Used, of the machine on which a Triton runs.", Query{`nv_cpu_memory_used_bytes{T}`, "{{instance}}"}, Query{`nv_cpu_memory_total_bytes{T}`, "{{instance}} in all"}),
	}}
}

func runtime() Row {
	return Row{"Go runtime", []Panel{
		lines("Processors used", "short", "Of the gateway's process, and how many Go may use.",
			Query{`rate(process_cpu_seconds_total{G}[R])`, "{{instance}}"}, Query{`max(go_sched_gomaxprocs_threads{G})`, "may use"}).wide(6),
		lines("Memory", "bytes", "Resident memory, Go's heap and stacks. What is resident and not Go's: pages of programs, the image library, ONNX Runtime.",
			Query{`process_resident_memory_bytes{G}`, "resident {{instance}}"}, Query{`go_memstats_heap_inuse_bytes{G} + go_memstats_stack_inuse_bytes{G}`, "Go {{instance}}"}).wide(6),
		lines("Goroutines", "short", "They follow connections and calls.", Query{`go_goroutines{G}`, "{{instance}}"}).wide(6),
		lines("Garbage collection", "s", "The longest pause of the last ones, and pauses a second.",
			Query{`go_gc_duration_seconds{G, quantile=~"1|1.0"}`, "longest {{instance}}"}, Query{`rate(go_gc_duration_seconds_sum{G}[R])`, "a second {{instance}}"}).wide(6),
		lines("Allocated", "Bps", "Bytes a second that were made on Go's heap.", Query{`rate(go_memstats_alloc_bytes_total{G}[R])`, "{{instance}}"}).wide(6),
		lines("Files and connections", "percentunit", "Open, of those that the process may have open.", Query{`process_open_fds{G} / process_max_fds{G}`, "{{instance}}"}).wide(6),
		lines("Log and traces", "short", "A second: lines of the log that were lost, spans by what became of them.",
			Query{`sum(rate(gateway_log_dropped_total{G}[R]))`, "lines lost"}, Query{`sum by (result) (rate(gateway_spans_total{G}[R]))`, "spans {{result}}"}).wide(6),
		{Kind: "table", Title: "Versions", About: "What runs.", Unit: "short", Width: 6, Height: 8, Queries: expand([]Query{{`gateway_build_info{G}`, "{{instance}}"}})},
	}}
}
