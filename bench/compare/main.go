// Command compare measures this gateway beside the service that most teams write first (FastAPI, Redis, tritonclient; see
// ../peer) and beside the limits of the machine, all in one run against the same real Triton, and writes a table.
//
// The machines are shared and noisy, so the order is A B C A B C ..., the figure is the median over the rounds, and what is
// compared is the CPU time that the serving processes spent on a request: user and system time of the process and its children,
// Triton's, Redis's and the load generator's left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

type settings struct {
	rounds      int
	duration    time.Duration
	connections int
	only        string
	kinds       string
	out         string
	gateway     string
	python      string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "how often each target is measured")
	flag.DurationVar(&s.duration, "duration", 3*time.Second, "how long one measurement takes")
	flag.IntVar(&s.connections, "connections", 8, "connections of the load generator, each with one request at a time")
	flag.StringVar(&s.only, "pictures", "", "only pictures whose name holds this")
	flag.StringVar(&s.kinds, "kinds", "hit,miss,digest", "what to measure: hits with the picture sent, misses, hits asked for by digest")
	flag.StringVar(&s.out, "out", "bench/RESULTS.md", "where the table goes")
	flag.StringVar(&s.gateway, "gateway", "bin/triton-gateway", "the gateway's program")
	flag.StringVar(&s.python, "python", ".cache/bench/bin/python", "the Python that has the peer's packages")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	pictures, err := makePictures()
	if err != nil {
		return err
	}
	field, err := startField(ctx, s)
	if err != nil {
		return err
	}
	defer field.close()
	var rows []row
	pictures = slices.DeleteFunc(pictures, func(p picture) bool { return !strings.Contains(p.name, s.only) })
	for _, p := range pictures {
		for _, kind := range strings.Split(s.kinds, ",") {
			measured, err := measureAll(ctx, s, field, p, kind)
			if err != nil {
				return err
			}
			rows = append(rows, measured...)
		}
	}
	if strings.Contains(s.kinds, "miss") {
		bare, err := bareTriton(ctx, field)
		if err != nil {
			return err
		}
		rows = append(rows, bare)
	}
	var hits []string
	if !strings.Contains(s.kinds, "hit") {
		return writeTable(s, rows, hits)
	}
	for _, t := range field.targets {
		if !strings.HasPrefix(t.name, "gateway, decode: exact") {
			continue
		}
		for _, p := range pictures {
			took, err := serverTime(ctx, t, p)
			if err != nil {
				return err
			}
			hits = append(hits, fmt.Sprintf("| %s | %d | %s | %.3f ms |\n", p.name, len(p.data), t.name, took.Seconds()*1e3))
			fmt.Fprint(os.Stderr, hits[len(hits)-1])
		}
	}
	return writeTable(s, rows, hits)
}

// measureAll measures one picture and kind on every target that takes part in it, in turn.
func measureAll(ctx context.Context, s settings, f *field, p picture, kind string) ([]row, error) {
	var taking []*target
	for _, t := range f.targets {
		if t.takes(kind) {
			taking = append(taking, t)
		}
	}
	figures := map[string][]figure{}
	for round := -1; round < s.rounds; round++ { // the first is a warm-up
		for _, t := range taking {
			duration := s.duration
			if round < 0 {
				duration = time.Second
			}
			fig, err := measure(ctx, t, p, kind, s.connections, duration)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, %s: %w", t.name, p.name, kind, err)
			}
			if round >= 0 {
				figures[t.name] = append(figures[t.name], fig)
			}
		}
	}
	var rows []row
	for _, t := range taking {
		r := row{picture: p, kind: kind, target: t.name, figure: median(figures[t.name])}
		fmt.Fprintf(os.Stderr, "%-10s %-4s %-28s %9.1f req/s %9.0f us CPU  p50 %7.2f ms\n", p.name, kind, t.name,
			r.figure.rate, r.figure.cpu.Seconds()*1e6, r.figure.p50.Seconds()*1e3)
		rows = append(rows, r)
	}
	return rows, nil
}
