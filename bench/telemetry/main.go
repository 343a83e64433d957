// Command telemetry measures what metrics, log and traces cost: three gateways that differ in nothing else run side by side, on the embedded
// engine and the demo models, and take turns in being asked. What is compared is the CPU time of each process for a request: user and system
// time, the load generator's and the collector's left out.
//
//	go run -tags gocv_specific_modules,nomsgpack ./bench/telemetry
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"time"

	"triton-gateway/gateway/telemetry/otlptest"
	"triton-gateway/internal/load"
)

type settings struct {
	rounds, calls, callers int
	picture, repository    string
}

func main() {
	var s settings
	serve := flag.String("serve", "", "for the program itself: be a gateway of this mode")
	otlp := flag.String("otlp", "", "for the program itself: the collector")
	flag.IntVar(&s.rounds, "rounds", 9, "how often each gateway is measured")
	flag.IntVar(&s.calls, "calls", 10_000, "calls of one measurement")
	flag.IntVar(&s.callers, "callers", 4, "connections, each with one request at a time")
	flag.StringVar(&s.picture, "picture", "model_repository/shapes/golden/circle-1.png", "the picture of the cached hits")
	flag.StringVar(&s.repository, "models", "model_repository", "the model repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *serve != "" {
		err = beGateway(ctx, *serve, *otlp, s.repository)
	} else {
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
}

// work is one kind of request.
type work struct {
	name, path, kind string
	body             []byte
}

func run(ctx context.Context, s settings) error {
	picture, err := os.ReadFile(s.picture)
	if err != nil {
		return err
	}
	sink := otlptest.Start()
	defer sink.Close()
	sink.Forget()
	var children []*child
	for _, mode := range modes {
		c, err := startChild(ctx, mode, sink.URL(), s.repository)
		if err != nil {
			return err
		}
		defer c.stop()
		children = append(children, c)
	}
	for _, w := range []work{
		{"cached hit of a picture", "/v1/models/shapes/infer", "image/png", picture},
		{"a row through the engine", "/v1/models/iris/infer?cache=no-store", "application/json", []byte(`{"row":{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}`)},
	} {
		if err := measure(ctx, s, w, children); err != nil {
			return err
		}
	}
	fmt.Printf("%d spans came to the collector\n", sink.Count())
	return nil
}

// measure asks the gateways in turn and prints the median of each, and of its ratio to the first one in the same round.
func measure(ctx context.Context, s settings, w work, children []*child) error {
	cost := make([][]float64, len(children)) // microseconds of CPU a call
	ratio := make([][]float64, len(children))
	for round := range s.rounds + 1 {
		for i := range children {
			i = (i + round) % len(children) // nobody is always first
			c := children[i]
			client := load.NewHTTP("http://"+c.address+w.path, http.Header{"Content-Type": {w.kind}}, s.callers)
			before, err := load.CPU(c.pid())
			if err != nil {
				return err
			}
			got := load.Closed(ctx, s.callers, s.calls, 0, client.Call(w.body))
			client.Close()
			after, err := load.CPU(c.pid())
			if err != nil {
				return err
			}
			if n := got.Count(load.Answered); n != s.calls {
				return fmt.Errorf("%s, %s: %d of %d answered: %v", w.name, c.mode, n, s.calls, got.Texts)
			}
			if round > 0 { // the first fills caches and pools
				cost[i] = append(cost[i], float64((after-before).Nanoseconds())/1000/float64(s.calls))
			}
		}
		for i := range children {
			if round > 0 {
				ratio[i] = append(ratio[i], cost[i][round-1]/cost[0][round-1])
			}
		}
	}
	fmt.Printf("%s: %d rounds of %d calls\n", w.name, s.rounds, s.calls)
	for i, c := range children {
		fmt.Printf("  %-28s %7.1f us   %+5.1f %%\n", c.mode, median(cost[i]), 100*(median(ratio[i])-1))
	}
	return nil
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// startupTime bounds the start of a gateway.
const startupTime = 30 * time.Second
