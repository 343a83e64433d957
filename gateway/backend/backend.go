// Package backend says what the gateway asks of whoever runs the tensors: a Triton (package triton) or the ONNX Runtime in
// this process (package embedded). Callers know only this interface; decorators and implementations live in folders below.
package backend

import (
	"context"
	"time"

	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// Request is one call of one model. The batch dimension is part of every input's shape where max_batch_size > 0.
type Request struct {
	Model   string
	Version string          // resolved: a number, never empty
	ID      string          // the request's id, for the backend's log; may be empty
	Inputs  []tensor.Tensor // matched to the model's inputs by name
	Outputs []Output        // the outputs wanted; none means all
	// Params are parameters of the request by the names of the protocol (sequence_id, sequence_start, priority, timeout, ...) and custom
	// ones: bool, int64, uint64, float64 or string.
	Params map[string]any
	// Memory owns the bytes of the inputs' Data; nil for ordinary Go memory that nobody writes to. A backend that may read them after
	// it has returned, as a transport may after a cancelled call, retains Memory until it has read for the last time.
	Memory Memory
	// Requests is how many callers' requests were put together into this one, for the backend's statistics, and Waited how long they waited for that, all together.
	// 0 stands for one.
	Requests int
	Waited   time.Duration
}

// Output is one output that is asked for.
type Output struct {
	Name string
	// Classes > 0 asks for so many classes in place of the numbers: BYTES elements "value:index[:label]", Triton's classification extension.
	Classes int64
}

// Memory is a buffer that several hold and that is used again when the last has let go.
type Memory interface {
	Retain()  // adds a holder
	Release() // ends one holder's claim
}

// Response is the answer to a Request. The tensors are owned by the receiver.
type Response struct {
	Version string          // the version that ran
	Epoch   string          // the load that ran, where the backend knows it exactly; "" where it does not
	Outputs []tensor.Tensor // in no particular order; match by name
	// Params are the parameters that came with the answer, such as sequence_id; of a streamed one triton_final_response, a bool. nil where
	// there are none.
	Params map[string]any
}

// State is the readiness of one version of a model, by the name in Triton's repository index.
type State string

// The states of Triton's repository index.
const (
	Ready       State = "READY"
	Loading     State = "LOADING"
	Unloading   State = "UNLOADING"
	Unavailable State = "UNAVAILABLE"
)

// ModelStatus is one version of one model, as the backend sees it. A model of which no version could be read has Version "".
type ModelStatus struct {
	Name    string
	Version string
	State   State
	Reason  string // why it is not ready; "" otherwise
	// Epoch names this load of the version. It changes whenever the weights or the config may have changed (a reload under
	// the same number, a restarted server) and never comes back; gateways that look at the same backend see the same one.
	Epoch string
}

// Backend runs models. All methods are safe for concurrent use. Errors are *fault.Error: NotFound, Invalid (a tensor does not
// fit the model), Busy, Timeout, Canceled, Unavailable, Upstream, Contract. A Contract because the server has refused the tensors has a second one in Err, to be
// found by errors.As: Invalid, with all that the server said, for edges whose callers make the tensors. An Upstream because the model has failed has another
// Upstream there, with what the model said.
type Backend interface {
	// Infer runs one model. It returns when ctx ends, and passes deadline and cancellation on.
	Infer(ctx context.Context, r *Request) (*Response, error)
	// Index lists every version of every model, ready or not. It is cheap: the catalog asks twice a second.
	Index(ctx context.Context) ([]ModelStatus, error)
	// Config gives the model's config as the backend uses it, completed where config.pbtxt leaves things out.
	Config(ctx context.Context, model string) (*modelconfig.Config, error)
	// Close ends all work and frees what the backend holds.
	Close() error
}
