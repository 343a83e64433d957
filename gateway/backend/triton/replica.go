package triton

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

// longestLoad bounds a load whose caller has left: what comes after it on the same server waits for its end.
const longestLoad = 30 * time.Minute

// Replica is one server of the pool, for what is done on this one alone.
type Replica struct {
	c *Client
	e *endpoint
}

// Taking lists the servers that take traffic: those in service that are not known to lack what they need.
func (c *Client) Taking() (list []*Replica) {
	for _, r := range c.Replicas() {
		if !r.e.ejected.Load() && !r.e.behind.Load() {
			list = append(list, r)
		}
	}
	return list
}

// Replicas lists all servers, in the order of the configuration.
func (c *Client) Replicas() []*Replica {
	members := c.list()
	list := make([]*Replica, 0, len(members))
	for _, e := range members {
		list = append(list, &Replica{c, e})
	}
	return list
}

// Name is the server's as Endpoints tells it.
func (r *Replica) Name() string { return r.e.name }

// Serve has the server load and unload until just these versions of the model are served. It returns when they are, or when ctx ends; the server then goes on, and the
// next Serve of the same model waits for its end, so that the last one counts. Where these versions are served already nothing is asked of it.
//
// Triton cannot load one version, only a model: it is given the model's whole config with a version_policy that names the versions. Versions that were loaded
// before are left as they are (Triton 2.51). The errors are those of Client.Load; a server that loads nothing on request is Unsupported.
func (r *Replica) Serve(ctx context.Context, model string, versions []string) error {
	one, _ := r.e.loading.LoadOrStore(model, make(chan struct{}, 1))
	turn := one.(chan struct{})
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return translate(ctx, status.FromContextError(ctx.Err()).Err())
	}
	ended := make(chan error, 1)
	r.c.minding.Go(func() {
		defer func() { <-turn }()
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLoad)
		defer cancel()
		ended <- r.serve(work, model, versions)
	})
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return translate(ctx, status.FromContextError(ctx.Err()).Err())
	}
}

func (r *Replica) serve(ctx context.Context, model string, versions []string) error {
	have, err := r.ready(ctx, model)
	if err != nil {
		return told(ctx, err)
	}
	missing := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return have[v] })
	if len(missing) == 0 && len(have) == len(versions) {
		return nil
	}
	config, err := r.config(ctx, model, len(have) > 0)
	if err != nil {
		return err
	}
	policy := &tritonpb.ModelVersionPolicy_Specific{}
	for _, v := range versions {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fault.New(fault.Invalid, "invalid_request", "%q is no version; versions are whole numbers such as 1", v)
		}
		policy.Versions = append(policy.Versions, n)
	}
	config.VersionPolicy = &tritonpb.ModelVersionPolicy{PolicyChoice: &tritonpb.ModelVersionPolicy_Specific_{Specific: policy}}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(config)
	if err != nil {
		return fault.New(fault.Internal, "internal", "the model's config cannot be written").Wrap(err)
	}
	asked := &tritonpb.RepositoryModelLoadRequest{ModelName: model, Parameters: map[string]*tritonpb.ModelRepositoryParameter{
		"config": {ParameterChoice: &tritonpb.ModelRepositoryParameter_StringParam{StringParam: string(text)}}}}
	if _, err = r.e.service.RepositoryModelLoad(r.e.outgoing(ctx), asked); err == nil {
		return nil
	}
	f := told(ctx, err)
	if f.Kind == fault.Unsupported {
		if len(missing) == 0 {
			return nil // what is to be unloaded cannot be, and harms nobody
		}
		f.Detail = "the model server does not load models on request; start it with --model-control-mode=explicit, or have it load both versions (version_policy of config.pbtxt)"
	}
	return f
}

// ready gives the versions that are served now.
func (r *Replica) ready(ctx context.Context, model string) (map[string]bool, error) {
	if !r.e.reconnect(ctx, r.c.reconnect) {
		return nil, status.Error(codes.Unavailable, noConnection)
	}
	index, err := r.e.service.RepositoryIndex(r.e.outgoing(ctx), &tritonpb.RepositoryIndexRequest{Ready: true})
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, m := range index.GetModels() {
		if m.GetName() == model && backend.State(m.GetState()) == backend.Ready {
			have[m.GetVersion()] = true
		}
	}
	return have, nil
}

// config gives a model's whole config: the server's own, or where it has none that of another.
func (r *Replica) config(ctx context.Context, model string, own bool) (*tritonpb.ModelConfig, error) {
	var config *tritonpb.ModelConfig
	ask := func(ctx context.Context, e *endpoint) error {
		answer, err := e.service.ModelConfig(ctx, &tritonpb.ModelConfigRequest{Name: model})
		config = answer.GetConfig()
		return err
	}
	if own {
		if err := ask(r.e.outgoing(ctx), r.e); err != nil {
			return nil, told(ctx, err)
		}
	} else if err := r.c.ask(ctx, ask); err != nil {
		return nil, err
	}
	return proto.CloneOf(config), nil
}

// Ready fails unless the version answers now: Unavailable.
func (r *Replica) Ready(ctx context.Context, model, version string) error {
	if !r.e.reconnect(ctx, r.c.reconnect) {
		return translate(ctx, status.Error(codes.Unavailable, noConnection))
	}
	answer, err := r.e.service.ModelReady(r.e.outgoing(ctx), &tritonpb.ModelReadyRequest{Name: model, Version: version})
	switch {
	case err != nil:
		return told(ctx, err)
	case !answer.GetReady():
		return fault.New(fault.Unavailable, "backend_unavailable", "version %s of model %q is not ready; where it never is, look whether its folder is in the model repository, and at the server's log", version, model)
	}
	if l := r.c.pools.of(r.c, model, version).set(r.c).of(r.e); l != nil {
		l.ready.Store(ready) // before the next look tells
	}
	return nil
}

// Infer makes one call on this server, out of the line and without a second try. Neither limits nor breakers learn from it: the first calls after a load are not like the others. Of
// decoupled models the answers are read to their end.
func (r *Replica) Infer(ctx context.Context, asked *backend.Request) error {
	request, err := newInferRequest(asked)
	if err != nil {
		return err
	}
	calls := r.e.calls.of(asked.Model, asked.Version)
	if !r.c.decoupled.has(asked.Model) {
		conn, err := r.e.link.get(ctx, r.c.reconnect)
		if err != nil {
			return translate(ctx, err)
		}
		body, err := request.marshal()
		if err != nil {
			return translate(ctx, status.Errorf(codes.Internal, "error while marshaling: %v", err))
		}
		calls.begin()
		answered, err := r.e.invoke(ctx, conn, r.c.reconnect, body, new(inferResponse))
		calls.end(outcomeOf(err, answered))
		if err == nil {
			return nil
		}
		f := translate(ctx, err)
		if !answersOnStreams(f) {
			return told(ctx, err)
		}
		r.c.decoupled.add(asked.Model)
	}
	request.params = maps.Clone(request.params)
	if request.params == nil {
		request.params = map[string]any{}
	}
	request.params[enableEmpty] = true
	s := streaming{asked: request, emit: func(*backend.Response) error { return nil }}
	calls.begin()
	err = s.run(ctx, r.e)
	calls.end(outcomeOf(err, true))
	if err != nil {
		return told(ctx, err)
	}
	return nil
}

// Load is how often a version has certainly been loaded anew since this process first looked at the server.
type Load struct {
	Model, Version string
	Times          uint64
}

// Loads lists the versions that the last look has seen ready.
func (r *Replica) Loads() (list []Load) {
	loads := r.e.reloads.Load()
	if loads == nil {
		return nil
	}
	for id, times := range *loads {
		list = append(list, Load{id.model, id.version, times})
	}
	return list
}

// Lacks reports whether the last look has found that the version is not ready. false where there was none.
func (r *Replica) Lacks(model, version string) bool {
	return r.e.readiness(modelVersion{model, version}) == notReady
}

// OutOfService reports whether calls are sent elsewhere until the server is back.
func (r *Replica) OutOfService() bool { return r.e.ejected.Load() }

// Hold takes the server out of Taking until it is let in again: by what OnReturn was given, where others take its calls, and otherwise by LetIn; it then
// goes on taking calls, for nobody else does.
func (r *Replica) Hold(why string) {
	if r.e.behind.CompareAndSwap(false, true) {
		r.c.setAside(r.e, why)
	}
}

// Held reports whether Hold is in force.
func (r *Replica) Held() bool { return r.e.behind.Load() }

// LetIn ends Hold, and lets a server that is out of service in again.
func (r *Replica) LetIn() {
	r.e.behind.Store(false)
	r.c.admit(r.e)
}

// returning is what OnReturn was given.
type returning struct {
	f atomic.Pointer[func(context.Context, *Replica, func()) error]
}

// OnReturn has f called of every server that comes back, and of every new one, before it gets calls. f calls admit when the server may; where it returns without, it is called
// again. Without OnReturn they are let in at once.
func (c *Client) OnReturn(f func(ctx context.Context, r *Replica, admit func()) error) {
	c.returning.f.Store(&f)
}

// letIn lets an endpoint that answers again in.
func (c *Client) letIn(ctx context.Context, e *endpoint) error {
	f := c.returning.f.Load()
	if f == nil {
		c.admit(e)
		return nil
	}
	r := &Replica{c, e}
	err := (*f)(ctx, r, r.LetIn)
	if err != nil && ctx.Err() == nil {
		text := public(err.Error())
		e.reason.Store(&text)
		c.log.Warn("a model server that is back is not let in yet", "endpoint", e.name, "error", err)
	}
	return err
}

// setAside takes an endpoint out of service whose calls may end in peace, unless it is the last.
func (c *Client) setAside(e *endpoint, why string) {
	c.judging.Lock()
	if !c.several || !c.othersServe(e) || !e.ejected.CompareAndSwap(false, true) {
		c.judging.Unlock()
		return
	}
	e.reason.Store(&why)
	e.ejections.Add(1)
	e.good = 0
	e.probed.Store(int64(c.nanos()))
	c.judging.Unlock()
	c.log.Warn("a model server is taken out of service until it is up to date", "endpoint", e.name, "because", why)
	c.dispatch()
}
