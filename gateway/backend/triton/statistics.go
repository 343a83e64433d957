package triton

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

var _ backend.Teller = (*Client)(nil)

// Statistics gives the sums over the endpoints that answer within the time of one look; only a failure of all of them is an error. Triton's counters start anew with
// each load, so a sum may fall. Servers without statistics give Unsupported.
func (c *Client) Statistics(ctx context.Context, model, version string) ([]backend.Statistics, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	asked := &tritonpb.ModelStatisticsRequest{Name: model, Version: version}
	members := c.list()
	answers := make([]*tritonpb.ModelStatisticsResponse, len(members))
	failures := make([]error, len(members))
	var wait sync.WaitGroup
	for i, e := range members {
		wait.Go(func() { answers[i], failures[i] = e.service.ModelStatistics(e.outgoing(ctx), asked) })
	}
	wait.Wait()
	var sum totals
	var worst *fault.Error
	answered := false
	for i, err := range failures {
		if err == nil {
			answered = true
			sum.add(answers[i])
			continue
		}
		f := translate(ctx, err)
		if status.Code(err) == codes.Unimplemented {
			f = fault.New(fault.Unsupported, "unsupported_model", "the model server keeps no statistics").Wrap(err)
		}
		if worst == nil || worst.Kind == fault.NotFound {
			worst = f // a model that one server does not have may be on another that does not answer
		}
	}
	if !answered && worst != nil {
		return nil, worst
	}
	return sum.list, nil
}

// totals are sums by model and version, in the order in which they came.
type totals struct{ list []backend.Statistics }

func (t *totals) add(answer *tritonpb.ModelStatisticsResponse) {
	for _, from := range answer.GetModelStats() {
		at := slices.IndexFunc(t.list, func(s backend.Statistics) bool { return s.Model == from.GetName() && s.Version == from.GetVersion() })
		if at < 0 {
			at = len(t.list)
			t.list = append(t.list, backend.Statistics{Model: from.GetName(), Version: from.GetVersion()})
		}
		addStatistics(&t.list[at], from)
	}
}

func addStatistics(to *backend.Statistics, from *tritonpb.ModelStatistics) {
	if ms := from.GetLastInference(); ms > 0 && ms < 1<<53 {
		if at := time.UnixMilli(int64(ms)); at.After(to.LastInference) {
			to.LastInference = at
		}
	}
	to.Inferences += from.GetInferenceCount()
	to.Executions += from.GetExecutionCount()
	i := from.GetInferenceStats()
	addDuration(&to.Success, i.GetSuccess())
	addDuration(&to.Fail, i.GetFail())
	addDuration(&to.Queue, i.GetQueue())
	addDuration(&to.ComputeInput, i.GetComputeInput())
	addDuration(&to.ComputeInfer, i.GetComputeInfer())
	addDuration(&to.ComputeOutput, i.GetComputeOutput())
	addDuration(&to.CacheHit, i.GetCacheHit())
	addDuration(&to.CacheMiss, i.GetCacheMiss())
	for _, b := range from.GetBatchStats() {
		at, found := slices.BinarySearchFunc(to.Batches, b.GetBatchSize(), func(x backend.BatchStatistics, size uint64) int { return cmp.Compare(x.Size, size) })
		if !found {
			to.Batches = slices.Insert(to.Batches, at, backend.BatchStatistics{Size: b.GetBatchSize()})
		}
		addDuration(&to.Batches[at].ComputeInput, b.GetComputeInput())
		addDuration(&to.Batches[at].ComputeInfer, b.GetComputeInfer())
		addDuration(&to.Batches[at].ComputeOutput, b.GetComputeOutput())
	}
	for key, r := range from.GetResponseStats() {
		if to.Responses == nil {
			to.Responses = map[string]backend.ResponseStatistics{}
		}
		sum := to.Responses[key]
		addDuration(&sum.ComputeInfer, r.GetComputeInfer())
		addDuration(&sum.ComputeOutput, r.GetComputeOutput())
		addDuration(&sum.Success, r.GetSuccess())
		addDuration(&sum.Fail, r.GetFail())
		addDuration(&sum.EmptyResponse, r.GetEmptyResponse())
		addDuration(&sum.Cancel, r.GetCancel())
		to.Responses[key] = sum
	}
}

// addDuration adds; a server's nonsense wraps round and does no harm.
func addDuration(to *backend.Duration, from *tritonpb.StatisticDuration) {
	to.Count += from.GetCount()
	to.Total += time.Duration(from.GetNs())
}
