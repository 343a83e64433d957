package gateway

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"triton-gateway/gateway/audit"
	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/payload"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
)

// keepPayloads puts the payload log between the transports and what they run. Without one nothing is put there, and it costs nothing.
func (g *Gateway) keepPayloads(counts *metrics) error {
	c := g.config.Payloads
	if c.Sink == "" {
		return nil
	}
	log, err := payload.New(c.log(), g.log)
	if err != nil {
		return bad("payload_log.%w", err)
	}
	g.onClose(log.Close)
	counts.registry.MustRegister(payloadReadings(log.Figures))
	k := &keeper{log: log, images: c.Images, most: int(c.log().Body), columns: g.columnsOf}
	g.server.runner = keptItems{g.server.runner, k}
	g.kserve.Runner = keptCalls{g.kserve.Runner, k}
	g.server.streams.runner = g.kserve.Runner
	if service := g.force.service; service != nil {
		service.Runner = keptJobs{service.Runner, k}
	}
	return nil
}

// columnsOf are the columns of a model that takes rows, in order.
func (g *Gateway) columnsOf(model string) []string {
	m, err := g.catalog.Lookup(model)
	if err != nil || m.Spec == nil {
		return nil
	}
	return m.Spec.Input.Columns
}

func payloadReadings(figures func() payload.Figures) readings {
	return func() []reading {
		f := figures()
		var dropped []labelled
		for reason, n := range f.Dropped {
			dropped = append(dropped, labelled{float64(n), []string{reason}})
		}
		return []reading{
			{"gateway_payload_written_total", "Requests whose halves were written to the payload log.", nil, true, one(float64(f.Written))},
			{"gateway_payload_dropped_total", "Requests of the sample that were not, by why: queue_full, queue_bytes, sink_failed, shutdown.", []string{"reason"}, true, dropped},
			{"gateway_payload_waiting_bytes", "Bytes that wait to be written.", nil, false, one(float64(f.Bytes))},
		}
	}
}

// keeper makes pairs for the payload log.
type keeper struct {
	log     *payload.Log
	images  bool // pictures themselves are kept
	most    int  // bytes of a half
	columns func(model string) []string
}

// keptItems are the items of REST.
type keptItems struct {
	runner
	*keeper
}

// Run is the runner's.
func (k keptItems) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return k.item(ctx, r, r.ID, "", k.runner.Run)
}

// keptJobs are the items of jobs.
type keptJobs struct {
	jobs.Runner
	*keeper
}

// Run is the runner's.
func (k keptJobs) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return k.item(ctx, r, r.ID, "", k.Runner.Run)
}

// keptCalls are the calls of KServe v2. Their callers' ids need not differ, so that each call has one of the gateway's own.
type keptCalls struct {
	kserve.Runner
	*keeper
}

// Run is the runner's.
func (k keptCalls) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return k.item(ctx, r, ulid.Make().String(), r.ID, k.Runner.Run)
}

// Pass is the runner's.
func (k keptCalls) Pass(ctx context.Context, r *backend.Request) (*pipeline.Passed, error) {
	id := ulid.Make().String()
	if !k.log.Sampled(id) {
		return k.Runner.Pass(ctx, r)
	}
	p := k.asked(ctx, id, r)
	passed, err := k.Runner.Pass(ctx, r)
	if err == nil {
		p.Version, p.Response = passed.Version, k.outputs(r, passed.Response)
	}
	k.add(p, err)
	return passed, err
}

// Stream is the runner's. The responses of decoupled models are not kept: there may be any number.
func (k keptCalls) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	id := ulid.Make().String()
	if !k.log.Sampled(id) {
		return k.Runner.Stream(ctx, r, emit)
	}
	p := k.asked(ctx, id, r)
	err := k.Runner.Stream(ctx, r, emit)
	p.Version = r.Version
	k.add(p, err)
	return err
}

// asked makes the first half of a call with tensors, before the call: its memory may be used again afterwards.
func (k *keeper) asked(ctx context.Context, id string, r *backend.Request) *payload.Pair {
	return &payload.Pair{ID: id, RequestID: clip(r.ID), Model: r.Model, Tenant: caller.TenantOf(ctx), Asked: time.Now(), Request: k.inputs(r)}
}

// item runs one item, and keeps it where it is in the sample.
func (k *keeper) item(ctx context.Context, r *pipeline.Request, id, theirs string, run func(context.Context, *pipeline.Request) (*pipeline.Answer, error)) (*pipeline.Answer, error) {
	if !k.log.Sampled(id) {
		return run(ctx, r)
	}
	p := &payload.Pair{ID: id, RequestID: clip(theirs), Model: r.Model, Tenant: r.Tenant, Asked: time.Now(), Request: k.document(r)}
	if tenant := caller.TenantOf(ctx); tenant != "" {
		p.Tenant = tenant
	}
	a, err := run(ctx, r)
	if err == nil {
		p.Version, p.Response = a.Version, k.answer(a)
	}
	k.add(p, err)
	return a, err
}

func (k *keeper) add(p *payload.Pair, err error) {
	p.Answered, p.Outcome = time.Now(), audit.Outcome(err)
	k.log.Add(*p)
}
