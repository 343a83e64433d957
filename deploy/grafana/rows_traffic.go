package grafana

// moving is for what operators do with traffic: routes and their shadows, canaries and switches.
func moving() Row {
	return Row{"Routes, canaries, switches", []Panel{
		stack("Requests by candidate", "reqps", "What each route decides, stored answers included: whether the shares are as they were written.",
			Query{`sum by (route, model, version) (rate(gateway_route_requests_total{G}[R]))`, "{{route}}: {{model}} {{version}}"}).wide(6),
		lines("Share of canaries", "percentunit", "Of the requests that weights decide. It goes up in steps; at 0 the canary went back or was taken back.",
			Query{`max by (route) (gateway_canary_share{G})`, "{{route}}"}).upTo(1).wide(6),
		lines("Evidence against canaries", "short", "The highest of all gateways, by rule: above 1 a canary goes back, below 0 it looks good. Nothing is drawn while none is watched.",
			Query{`max by (route, rule) (gateway_canary_evidence{G})`, "{{route}}: {{rule}}"}).wide(6),
		lines("Moves of canaries", "short", "Since the gateways started: up, done, or back, with the rule that sent it back.",
			Query{`sum by (route, move, rule) (gateway_canary_moves_total{G})`, "{{route}}: {{move}} {{rule}}"}).wide(6),
		stack("Answers for shadows", "short", "A second, by what became of them. dropped_load: callers came first. dropped_full, dropped_bytes: more than shadows.parallel, waiting and held take. dropped_late: the shadow is late or away, and left alone.",
			Query{`sum by (route, outcome) (rate(gateway_shadow_requests_total{G}[R]))`, "{{route}}: {{outcome}}"}).wide(6),
		lines("Disagreement of shadows", "percentunit", "Of the answers compared, those that are not alike. The route's disagreements show the worst.",
			Query{`sum by (route, shadow) (rate(gateway_shadow_disagreements_total{G}[R])) / (sum by (route, shadow) (rate(gateway_shadow_requests_total{G, outcome="compared"}[R])) > 0)`, "{{route}}: {{shadow}}"}).upTo(1).wide(6),
		lines("Switches of versions", "short", "Where the last switch of each model stands (1), and how switches have ended since the gateways started.",
			Query{`max by (model, phase) (gateway_model_switch_phase{G, model=~"$model"})`, "{{model}} is {{phase}}"}, Query{`sum by (model, outcome) (gateway_model_switches_total{G, model=~"$model"})`, "{{model}} {{outcome}}"}).wide(6),
		lines("Steps of a switch", "s", "The mean time of each step on one model server, since the gateways started.",
			Query{`sum by (step, outcome) (gateway_model_switch_step_seconds_sum{G}) / (sum by (step, outcome) (gateway_model_switch_step_seconds_count{G}) > 0)`, "{{step}} {{outcome}}"}).wide(6),
	}}
}

// waiting is who has to wait for whom, and what goes to a model together.
func waiting() Row {
	const of = `{G, model=~"$model"`
	return Row{"Priorities and batches", []Panel{
		stack("Waiting by class", "short", "How many wait at a time, on average, of those that had their turn: for a decoder (workers), memory (bodies), a model, or a batch of it.",
			Query{`sum by (line, priority) (rate(gateway_priority_wait_seconds_total{G}[R]))`, "{{priority}}, {{line}}"}).wide(6),
		stack("Served after a wait", "reqps", "Requests that waited and had their turn, by class. What did not wait is in no class here.",
			Query{`sum by (line, priority) (rate(gateway_priority_waits_total{G}[R]))`, "{{priority}}, {{line}}"}).wide(6),
		stack("Refused by class", "reqps", "Turned away with 429: too many waited, the model had too many under way (calls), or somebody more urgent took the place. batch goes first, realtime last.",
			Query{`sum by (line, priority) (rate(gateway_priority_refused_total{G}[R]))`, "{{priority}}, {{line}}"}).wide(6),
		lines("Items of a batch", "short", "The mean of the calls that the gateway has put together, by model. 1: nothing came together.",
			Query{`sum by (model) (rate(gateway_batch_size_sum` + of + `}[R])) / (sum by (model) (rate(gateway_batch_size_count` + of + `}[R])) > 0)`, "{{model}}"}).wide(6),
		lines("Batches by size", "short", "Batches a second that have at most so many items; the highest line is all of them.",
			Query{`sum by (le) (rate(gateway_batch_size_bucket` + of + `, le!="+Inf"}[R]))`, "up to {{le}}"}).wide(6),
		lines("Wait for the batch before", "s", "95 of 100 batches waited less than so long, from their first call on; batching.bound is the most.",
			Query{`histogram_quantile(0.95, sum by (model, le) (rate(gateway_batch_wait_seconds_bucket` + of + `}[R])))`, "{{model}}"}).wide(6),
	}}
}
