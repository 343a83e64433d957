package triton

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

const inferMethod = "/inference.GRPCInferenceService/ModelInfer"

var (
	_ backend.Backend = (*Client)(nil)
	_ backend.Pool    = (*Client)(nil)
	_ backend.Gate    = (*Client)(nil)
)

// Client is a backend.Backend over one or more Tritons that serve the same models.
type Client struct {
	config    Config
	deps      Deps
	reconnect time.Duration
	epochs    *epochs
	log       *slog.Logger
	born      time.Time

	members   atomic.Pointer[[]*endpoint] // never changed, only replaced
	several   bool                        // there is, or may be, more than one endpoint
	pools     pools
	retries   budget
	hedges    budget
	sequences sequences
	decoupled decoupledModels
	returning returning

	judging sync.Mutex  // held while an endpoint is ejected, let in again, added or removed
	entries []*entry    // of the configuration
	parting []*endpoint // removed, with calls under way
	minding sync.WaitGroup
	stop    context.CancelFunc
}

// New prepares the connections. It does not wait for any of them; the first call does. Names to be resolved are looked up once, for a second at most.
func New(c Config, d Deps) (*Client, error) {
	targets, err := c.targets()
	if err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	client := &Client{config: c, deps: d, reconnect: c.Reconnect, log: d.Log, born: time.Now(), stop: func() {}}
	if client.reconnect == 0 {
		client.reconnect = defaultReconnect
	}
	client.members.Store(&[]*endpoint{})
	client.retries.every, client.retries.least = retryEvery, retriesASecond
	client.hedges.every = hedgeEvery
	client.sequences.most = mostSequences
	client.pools.config = &client.config
	for _, t := range targets {
		client.entries = append(client.entries, &entry{target: t, addresses: []string{t.address}})
		client.several = client.several || t.host != "" || len(targets) > 1
	}
	client.epochs = newEpochs(d)
	ctx, stop := context.WithCancel(context.Background())
	client.stop = stop
	if err := client.assemble(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if client.several {
		client.minding.Go(func() { client.mind(ctx) })
	}
	return client, nil
}

// Close ends running calls and closes the connections.
func (c *Client) Close() error {
	c.stop()
	c.leave()
	c.judging.Lock()
	all := []error{}
	for _, e := range append(c.list(), c.parting...) {
		all = append(all, e.close())
	}
	c.parting = nil
	c.judging.Unlock()
	c.minding.Wait()
	return errors.Join(all...)
}

// list is the endpoints of this moment, in the order of the configuration.
func (c *Client) list() []*endpoint { return *c.members.Load() }

// nanos is the clock of all that is not an epoch: the time since the client was made, never 0.
func (c *Client) nanos() time.Duration { return time.Since(c.born) + 1 }

// Infer runs one model by ModelInfer, on the endpoint with the fewest calls under way of those that have the model ready. It waits while all of them are at
// their limits, in a line of bounded length. The tensors' Data goes to the transport uncopied, and after a cancelled or failed call the transport may still
// read it: it must lie in r.Memory, which is retained as long, or be ordinary Go memory that nobody writes to or reuses.
//
// A call that has certainly not run, or of which the connection broke, is made once more, on another endpoint or on a fresh connection to the
// same one: a model's answer depends on its input alone, so running it twice does no harm. Calls of a sequence are not, and go to one endpoint.
// Second calls of either kind have a budget, so that a failure of all servers is not answered by twice the calls.
func (c *Client) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	request, err := newInferRequest(r)
	if err != nil {
		return nil, err
	}
	var answer inferResponse
	if err := c.infer(ctx, request, &answer); err != nil {
		return nil, err
	}
	return checked(request, &answer)
}

func (c *Client) infer(ctx context.Context, request *inferRequest, answer *inferResponse) error {
	p := c.pools.of(c, request.model, request.version)
	c.retries.called(c.nanos())
	if s := sequenceOf(request); s.id != "" {
		return c.inferSequence(ctx, p, s, request, answer)
	}
	t, err := c.place(ctx, p)
	if err != nil {
		return err
	}
	if p.tail != nil {
		return c.inferHedged(ctx, p, t, request, answer)
	}
	return c.inferTwice(ctx, p, t, request, answer)
}

// inferTwice calls, and calls once more where that may help and the budget allows it.
func (c *Client) inferTwice(ctx context.Context, p *pool, t turn, request *inferRequest, answer *inferResponse) error {
	again, err := c.attempt(ctx, p, &t, request, answer)
	if err == nil {
		return nil
	}
	if again == never || ctx.Err() != nil {
		return translate(ctx, err)
	}
	second, found := c.secondTurn(ctx, p, &t, again)
	if !found {
		return translate(ctx, err)
	}
	if _, err := c.attempt(ctx, p, &second, request, answer); err != nil {
		return translate(ctx, err)
	}
	return nil
}

// attempt makes one call, ends its turn, and says where another may do better. What has ended already is not sent.
func (c *Client) attempt(ctx context.Context, p *pool, t *turn, request *inferRequest, answer *inferResponse) (elsewhere, error) {
	e := t.lane.e
	if ctx.Err() != nil {
		c.finish(p, t, unsent, ctx.Err())
		return never, status.FromContextError(ctx.Err()).Err()
	}
	body, err := request.marshal()
	if err != nil {
		c.finish(p, t, unsent, err)
		return never, status.Errorf(codes.Internal, "error while marshaling: %v", err)
	}
	conn, err := e.link.get(ctx, c.reconnect)
	switch {
	case ctx.Err() != nil:
		c.finish(p, t, unsent, ctx.Err())
		return never, status.FromContextError(ctx.Err()).Err()
	case err != nil:
		c.finish(p, t, broken, err)
		return onOther, err
	}
	if c.several {
		var leave context.CancelCauseFunc
		ctx, leave = context.WithCancelCause(ctx)
		defer leave(nil)
		defer e.enlist(t, leave)()
	}
	e.sent.Add(1)
	t.lane.calls.begin()
	try, end := e.try(ctx)
	answered, err := e.invoke(try, conn, c.reconnect, body, answer)
	end(err)
	t.lane.calls.end(outcomeOf(err, answered))
	if err == nil {
		if request.version == "" {
			e.calls.of(request.model, answer.version).untimed()
		}
		c.finish(p, t, fine, nil)
		return never, nil
	}
	if context.Cause(ctx) == errRescued {
		err = status.Error(codes.Unavailable, "the model server does not answer")
		c.finish(p, t, broken, err)
		return onOther, err
	}
	what, again := judged(ctx, err, answered)
	c.finish(p, t, what, err)
	if status.Code(err) == codes.NotFound && p.readyElsewhere(e) {
		again = onOther
	}
	return again, err
}

// newInferRequest checks what Triton would only refuse, or what would corrupt the message.
func newInferRequest(r *backend.Request) (*inferRequest, error) {
	texts := []string{r.Model, r.Version, r.ID}
	out := &inferRequest{model: r.Model, version: r.Version, id: r.ID, params: r.Params, inputs: r.Inputs, memory: r.Memory}
	for i := range r.Inputs {
		if err := r.Inputs[i].Validate(); err != nil {
			return nil, fault.New(fault.Invalid, "invalid_request", "%v", err)
		}
		texts = append(texts, r.Inputs[i].Name)
	}
	for _, want := range r.Outputs {
		out.outputs = append(out.outputs, wantedOutput{name: want.Name, classes: want.Classes})
		texts = append(texts, want.Name)
	}
	for key, value := range r.Params {
		texts = append(texts, key)
		switch v := value.(type) {
		case string:
			texts = append(texts, v)
		case bool, int64, uint64, float64:
		default:
			return nil, fault.New(fault.Invalid, "invalid_request", "parameter %q is a %T: want bool, int64, float64 or string", key, value)
		}
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return nil, fault.New(fault.Invalid, "invalid_request", "%q is not UTF-8", text)
		}
	}
	return out, nil
}
