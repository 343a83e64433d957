package backend

import (
	"context"
	"time"
)

// Streamer is a Backend that runs decoupled models, which answer one request with any number of responses.
type Streamer interface {
	// Stream runs one request and gives each response to emit, in order, on the caller's goroutine. It returns nil after the last one; an
	// error of emit ends the call and is returned. A model that is not decoupled gives one response. The parameter triton_final_response is
	// set on every response. Where the last response of a decoupled model carries no outputs but that flag, it is given only if the request's
	// triton_enable_empty_final_response is true. Errors are those of Infer; what was emitted before one stays valid.
	Stream(ctx context.Context, r *Request, emit func(*Response) error) error
}

// Teller is a Backend that keeps Triton's inference statistics.
type Teller interface {
	// Statistics gives the counters of every ready version of a model, or of all models where model is "", or of one version. With several
	// servers behind the backend, they are the sums. Errors: NotFound, Unavailable.
	Statistics(ctx context.Context, model, version string) ([]Statistics, error)
}

// Controller is a Backend whose models can be loaded and unloaded by name. With several servers behind the backend, a call goes to all
// of them; where it fails on some, the error is a Conflict replica_failed whose Fields name each server and what it said.
type Controller interface {
	// Load loads a model, or loads it anew. params are those of Triton's model repository extension: config, and file:VERSION/NAME ([]byte).
	Load(ctx context.Context, model string, params map[string]any) error
	// Unload takes a model out of service, and with dependents also those that an ensemble made of it needs.
	Unload(ctx context.Context, model string, dependents bool) error
}

// Gate is a Backend that knows beforehand whether it would turn a call away.
type Gate interface {
	// Full is nil if a call of the model that is made now would run or wait; otherwise the error that it would get: Busy queue_full with
	// RetryAfter, Unavailable where no server has the model ready, Timeout where ctx's deadline is nearer than the expected end. It takes no
	// lock that a call holds while it waits, and costs less than a microsecond.
	Full(ctx context.Context, model, version string) error
}

// Pool is a Backend of several servers.
type Pool interface {
	// Endpoints tells the state of every server, in the order of the configuration.
	Endpoints() []EndpointState
}

// EndpointState is one server as its calls and probes show it.
type EndpointState struct {
	Name     string // as configured, without secrets
	Ready    bool   // calls are sent to it
	Reason   string // why it is not ready; "" otherwise
	Running  int    // calls under way
	Limit    int    // the most calls at a time that its adaptive limits allow together; 0: none known yet
	Calls    uint64 // since the start
	Failures uint64 // of these, failed for reasons of the server or the way to it
	Retries  uint64 // calls that were second tries, after a failure elsewhere
	Hedges   uint64 // calls that were made beside a slow one
	Ejected  uint64 // times that it was taken out
}

// Statistics are the counters of one model version since it was loaded, as Triton's statistics extension has them.
type Statistics struct {
	Model, Version                                                                       string
	LastInference                                                                        time.Time // zero: never
	Inferences                                                                           uint64    // items, hits of the server's own cache left out
	Executions                                                                           uint64    // runs of the model: one for each batch
	Success, Fail, Queue, ComputeInput, ComputeInfer, ComputeOutput, CacheHit, CacheMiss Duration
	Batches                                                                              []BatchStatistics             // by rising size
	Responses                                                                            map[string]ResponseStatistics // of decoupled models: by the response's index, from "0"
}

// Duration is how often something happened, and how long it took in all.
type Duration struct {
	Count uint64
	Total time.Duration
}

// BatchStatistics count the executions of one batch size.
type BatchStatistics struct {
	Size                                      uint64
	ComputeInput, ComputeInfer, ComputeOutput Duration
}

// ResponseStatistics count one place in the row of responses of a decoupled model.
type ResponseStatistics struct {
	ComputeInfer, ComputeOutput, Success, Fail, EmptyResponse, Cancel Duration
}
