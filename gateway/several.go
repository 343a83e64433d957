package gateway

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// runAll runs the items side by side, at most as many as there are processors.
func (s *server) runAll(ctx context.Context, call *call, request pipeline.Request) []result {
	results := make([]result, len(call.items))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(call.items)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(call.items); i = int(next.Add(1)) - 1 {
				one := request
				if call.items[i].err != nil {
					results[i].err = call.locate(call.items[i].err, i)
					continue
				}
				one.Item = call.items[i].Item
				one.ID = fmt.Sprintf("%s.%d", request.ID, i)
				results[i] = s.runOne(ctx, &one)
				results[i].err = call.locate(results[i].err, i)
			}
		})
	}
	workers.Wait()
	return results
}

// runOne runs an item on a goroutine of its own, where a panic would end the process.
func (s *server) runOne(ctx context.Context, request *pipeline.Request) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{err: fmt.Errorf("panic: %v", p)}
		}
	}()
	r.answer, r.err = s.runner.Run(ctx, request)
	return r
}

// maxFields bounds the places that one error lists.
const maxFields = 1000

// allFailed is the error of a call of which no item succeeded: the first one's, with the places of all of them. What holds for
// every item, such as a bad option, is listed once.
func (c *call) allFailed(results []result) error {
	first := *faultOf(results[0].err)
	first.Err, first.Fields = results[0].err, nil
	listed := map[fault.Field]bool{}
	for i, r := range results {
		f := faultOf(r.err)
		fields := f.Fields
		if len(fields) == 0 {
			fields = []fault.Field{{Location: c.place("", i), Message: f.Detail}}
		}
		for _, field := range fields {
			if !listed[field] && len(listed) < maxFields {
				listed[field] = true
				first.Fields = append(first.Fields, field)
			}
		}
		first.RetryAfter = max(first.RetryAfter, f.RetryAfter)
	}
	return &first
}
