package gateway

import (
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLaterCountsEverythingOnce(t *testing.T) {
	var l later
	in, also := prometheus.NewHistogram(histogram("h_seconds", "h")), new(durations)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(counted{in, &l})
	count := func() uint64 {
		t.Helper()
		got, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return got[0].GetMetric()[0].GetHistogram().GetSampleCount()
	}
	l.add(duration{in, also, time.Millisecond})
	if len(l.waiting) != 1 || count() != 1 || len(l.waiting) != 0 {
		t.Errorf("%d wait", len(l.waiting))
	}
	const who, each = 4, 1000
	var wait sync.WaitGroup
	for range who {
		wait.Go(func() {
			for range each {
				l.add(duration{in, also, time.Millisecond})
			}
		})
	}
	wait.Wait()
	if n := count(); n != 1+who*each {
		t.Errorf("%d counted", n)
	}
	var sum int64
	for i := range also.buckets {
		sum += also.buckets[i].Load()
	}
	if sum != 1+who*each || len(l.waiting) != 0 {
		t.Errorf("%d counted besides, %d wait", sum, len(l.waiting))
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestLaterAllocatesNothing(t *testing.T) {
	var l later
	in := prometheus.NewHistogram(histogram("h_seconds", "h"))
	for range 4 * together {
		l.add(duration{in: in, took: time.Millisecond})
	}
	if n := testing.AllocsPerRun(10*together, func() { l.add(duration{in: in, took: time.Millisecond}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
