package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// figure is what one measurement gives.
type figure struct {
	rate float64       // requests per second
	cpu  time.Duration // CPU time of the serving processes for one request
	p50  time.Duration // seen by the client
}

// serial makes every picture of a miss another one than all before.
var serial atomic.Uint64

// measure sends requests over a few connections, one at a time on each, for a while.
func measure(ctx context.Context, t *target, p picture, kind string, connections int, duration time.Duration) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, duration+30*time.Second)
	defer cancel()
	if kind != "miss" { // so that it is none
		if _, err := sendFor(ctx, cmp.Or(t.fills, t), p, false, time.Now()); err != nil {
			return figure{}, err
		}
	}
	before, err := cpuTime(t.pid)
	if err != nil {
		return figure{}, err
	}
	start := time.Now()
	until := start.Add(duration)
	var wait sync.WaitGroup
	latencies := make([][]time.Duration, connections)
	faults := make([]error, connections)
	for i := range connections {
		wait.Go(func() { latencies[i], faults[i] = sendFor(ctx, t, p, kind == "miss", until) })
	}
	wait.Wait()
	elapsed := time.Since(start)
	after, err := cpuTime(t.pid)
	if err != nil {
		return figure{}, err
	}
	for _, fault := range faults {
		if fault != nil {
			return figure{}, fault
		}
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return figure{
		rate: float64(len(all)) / elapsed.Seconds(),
		cpu:  (after - before) / time.Duration(len(all)),
		p50:  all[len(all)/2],
	}, nil
}

// mostRefills is how often one connection may find that what it asks for is not stored any more.
const mostRefills = 3

// sendFor sends on one connection until the time is over; at least once.
func sendFor(ctx context.Context, t *target, p picture, unique bool, until time.Time) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	message, counter := t.message(p)
	reader := bufio.NewReader(conn)
	refills := 0
	var took []time.Duration
	for {
		if unique {
			binary.BigEndian.PutUint64(message[counter:], serial.Add(1)|1<<63)
		}
		start := time.Now()
		if _, err := conn.Write(message); err != nil {
			return nil, err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		if response.StatusCode == http.StatusNotFound && t.fills != nil && refills < mostRefills {
			refills++ // in doubt about a model's load the gateway begins a new epoch, with nothing stored
			if _, err := sendFor(ctx, t.fills, p, false, time.Now()); err != nil {
				return nil, err
			}
			continue
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %s: %s", response.Status, body)
		}
		took = append(took, time.Since(start))
		if hit := bytes.Contains(body, []byte(`"from_cache":true`)); t.caches && unique && hit {
			return nil, fmt.Errorf("a picture that was never sent was answered from the cache")
		}
		if time.Now().After(until) {
			return took, nil
		}
	}
}

// median takes each figure's own median.
func median(list []figure) figure {
	pick := func(value func(figure) float64) float64 {
		values := make([]float64, len(list))
		for i, f := range list {
			values[i] = value(f)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return figure{
		rate: pick(func(f figure) float64 { return f.rate }),
		cpu:  time.Duration(pick(func(f figure) float64 { return float64(f.cpu) })),
		p50:  time.Duration(pick(func(f figure) float64 { return float64(f.p50) })),
	}
}
