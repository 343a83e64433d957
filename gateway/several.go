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
				if results[i].err = call.items[i].err; results[i].err != nil {
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

// allFailed is the error of a call of which no item succeeded: the first one's, with all of them listed.
func allFailed(results []result) error {
	first := *faultOf(results[0].err)
	first.Err, first.Fields = results[0].err, nil
	for i, r := range results {
		f := faultOf(r.err)
		if len(f.Fields) == 0 {
			first.Fields = append(first.Fields, fault.Field{Location: fmt.Sprintf("results[%d]", i), Message: f.Detail})
		}
		for _, field := range f.Fields {
			first.Fields = append(first.Fields, fault.Field{Location: field.Location, Message: f.Detail})
		}
		first.RetryAfter = max(first.RetryAfter, f.RetryAfter)
	}
	return &first
}
