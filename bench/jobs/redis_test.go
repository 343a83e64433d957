package jobs

import (
	"flag"
	"fmt"
	"testing"

	"triton-gateway/internal/parts"
)

var full = flag.Bool("full", false, "measure long enough for docs/performance-jobs.md instead of showing that it runs")

// TestBesideAsynq prints jobs a second of both on one Redis that syncs every write.
func TestBesideAsynq(t *testing.T) {
	rounds, n := 1, 50
	if *full {
		rounds, n = 7, 800
	}
	server := parts.Redis(t, parts.WithPersistence())
	var engines []*Engine
	for _, inOne := range []bool{true, false} {
		engine, err := Start(t.Context(), server.URL(), fmt.Sprint("bench:", inOne), inOne)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = engine.Close() }()
		engines = append(engines, engine)
	}
	rival := StartAsynq(t, server.Addr)
	ordered := 0
	for _, producers := range []int{1, 16} {
		rates, err := Compare(t.Context(), Order{producers, n}, rounds, []Side{{"triton-gateway", engines[0].Run}, {"triton-gateway, input and job apart", engines[1].Run},
			{"asynq", rival.Run(false)}, {"asynq, its handler writes a result", rival.Run(true)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d producers, %d rounds of %d jobs\n%s", producers, rounds, n, Table(rates))
		ordered += 2 * n * rounds
		for _, e := range engines {
			if done, err := e.Succeeded(t.Context()); err != nil || done != ordered {
				t.Errorf("%d of %d jobs are in the store with their result: %v", done, ordered, err)
			}
		}
	}
}
