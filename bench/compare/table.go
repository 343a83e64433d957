package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// row is one line of the table.
type row struct {
	picture picture
	kind    string
	target  string
	figure  figure
}

// peerName is the target that the others are compared with.
const peerName = "FastAPI peer, form"

// byDigest is the target that is asked for stored answers.
const byDigest = "gateway, by digest"

// writeTable writes the figures with their ratio to the peer's CPU.
func writeTable(s settings, rows []row, hits []string) error {
	peer := map[string]float64{}
	for _, r := range rows {
		if r.target == peerName {
			peer[r.picture.name+r.kind] = r.figure.cpu.Seconds()
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Side by side\n\nWritten by `make bench` (`go run ./bench/compare -rounds %d -duration %s -connections %d`): medians of %d rounds, the targets in turn, on %d cores that also\n",
		s.rounds, s.duration, s.connections, s.rounds, runtime.NumCPU())
	b.WriteString("carry the load generator, Redis and a real Triton 2.51.0. CPU is user and system time of the serving processes alone for one request. Only the\nratios carry over to other machines.\n\n")
	b.WriteString("| picture | bytes | kind | target | CPU per request | against the peer | requests/s | p50 |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		if r.kind == "digest" {
			continue
		}
		ratio := "-"
		if p := peer[r.picture.name+r.kind]; p > 0 && r.figure.cpu > 0 {
			ratio = fmt.Sprintf("1/%.2f", p/r.figure.cpu.Seconds())
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %.0f us | %s | %.0f | %.2f ms |\n", r.picture.name, len(r.picture.data), r.kind, r.target,
			r.figure.cpu.Seconds()*1e6, ratio, r.figure.rate, r.figure.p50.Seconds()*1e3)
	}
	b.WriteString(digestTable(rows))
	if len(hits) == 0 {
		return os.WriteFile(s.out, []byte(b.String()), 0o644)
	}
	fmt.Fprintf(&b, "\n## Server time of a hit\n\nMedian of `total` in `Server-Timing` over %d requests, one at a time: from the header's end to the answer, the body's reading and hashing included.\n\n| picture | bytes | target | median |\n|---|---|---|---|\n%s", singles, strings.Join(hits, ""))
	return os.WriteFile(s.out, []byte(b.String()), 0o644)
}

// digestTable is the section of the answers that are asked for by digest, beside the peer's hits, for which the picture is sent.
func digestTable(rows []row) string {
	peer := map[string]float64{}
	for _, r := range rows {
		if r.target == peerName && r.kind == "digest" {
			peer[r.picture.name] = r.figure.rate
		}
	}
	var b strings.Builder
	for _, r := range rows {
		if r.kind != "digest" {
			continue
		}
		ratio := "-"
		if p := peer[r.picture.name]; p > 0 {
			ratio = fmt.Sprintf("%.1f", r.figure.rate/p)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %.1f us | %.0f | %s | %.2f ms |\n", r.picture.name, len(r.picture.data), r.target,
			r.figure.cpu.Seconds()*1e6, r.figure.rate, ratio, r.figure.p50.Seconds()*1e3)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n## By digest\n\nThe answer is stored; the gateway is asked for it by the picture's SHA-256 (`GET /v1/models/{model}/results/{sha256}`), the peer is sent the picture.\n\n" +
		"| picture | bytes | target | CPU per request | requests/s | times the peer's | p50 |\n|---|---|---|---|---|---|---|\n" + b.String()
}
