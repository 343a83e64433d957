// Package kserve serves KServe v2 to callers, over gRPC and over HTTP with the binary tensor extension, so that Triton's clients and
// perf_analyzer work against the gateway as they are. Tensors pass through as bytes, checked and not decoded.
//
// core.go is what both transports call; a file that begins with grpc or http is one transport's, wire is gRPC's messages, virtual the image models.
//
// # Image models
//
// Over every model M that takes pictures there is a model M.image, unless the backend has one of that name. It goes the whole way of POST /v1/models/M/infer
// (decode, preprocess, model, postprocess, caches) and exists so that any client of KServe can send a picture, and perf_analyzer can measure all of it.
//
//   - Input: image, BYTES, the bytes of JPEG, PNG or WebP files, shape [N,1] with N up to 32; or [1], one picture without a batch dimension.
//   - Output json, BYTES [N,1] ([1]): the document of /v1, one for each picture.
//   - Classification: labels BYTES [N,k], scores FP32 [N,k], indices INT64 [N,k], best first.
//   - Detection: boxes FP32 [N,n,4] as x1, y1, x2, y2 in pixels of the picture; scores, labels and indices [N,n].
//   - Segmentation: labels and indices [N,n], areas INT64 [N,n] in pixels; masks are in json alone. Feature extraction: embedding FP32 [N,d].
//   - k and n are those of the picture with the most; where another has fewer, its rows end in the index -1, the label "" and zeros. For one picture they
//     are exact. With the input [1] the N is left out.
//   - Parameters: top_k, confidence, iou, max_detections, classes (labels with commas between them), cache (default, no-cache, no-store); as on /v1.
//   - One bad picture fails the request, and the error says which. The statistics add up the times of a request's pictures: decode and preprocess are
//     compute_input, the model is compute_infer, postprocess is compute_output.
package kserve

import (
	"context"
	"log/slog"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/edge"
)

// Runner is what is asked of the pipeline.
type Runner interface {
	// Pass runs tensors as they are; see pipeline.Pass.
	Pass(ctx context.Context, r *backend.Request) (*pipeline.Passed, error)
	// Stream gives every response of a decoupled model; see backend.Streamer.
	Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error
	// Run answers one picture.
	Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)
	// Admit asks whether a call may come in; body is as much of it as counts. Memory is asked for apart.
	Admit(ctx context.Context, model, version string, body int64) (release func(), err error)
}

// Models is what is asked of the catalog.
type Models interface {
	Lookup(name string) (*catalog.Model, error)
	Models() []*catalog.Model
	Ready() error
}

// Code is what a failure is on the two transports: an HTTP status and the number of a gRPC code.
type Code struct {
	HTTP int
	GRPC uint32
}

// Deps are the parts that a Server works with.
type Deps struct {
	Meter Meter // nil: nobody's use is bounded

	Runner  Runner
	Models  Models
	Backend backend.Backend // for what is optional: statistics, loading, streams
	// Full is the error that Runner.Admit would give now, without taking a place; it does not wait. nil: calls are asked about only when they have come whole.
	Full func(ctx context.Context, model, version string, body int64) error
	// Codes is the gateway's one table of failures. text is public.
	Codes func(err error) (code Code, text string, retryAfter time.Duration)
	// Observe counts a call when it has ended; method is the RPC's name, such as ModelInfer, and model is one that exists, or "". May be nil.
	Observe func(ctx context.Context, protocol, method, model string, code Code, took time.Duration)
	// Trace begins the span of a gRPC call that carries tensors; header gives the value of its metadata. end may be nil; text is public. The
	// calls over HTTP have a span by the time they come here. May be nil.
	Trace func(ctx context.Context, method string, header func(key string) string) (under context.Context, end func(code Code, text string))
	// Audit notes what operators do; nil: nobody does.
	Audit Auditor
	Gate  Gate // nil: everybody may do everything that the listener has
	// Class puts the class that a call over gRPC asks for into its context, by the values of its metadata x-priority; see package priority. Calls over HTTP come with
	// theirs. The error is Invalid. nil: all are alike.
	Class func(ctx context.Context, values []string) (context.Context, error)
	// Bytes takes memory for bodies out of what all of them have. nil: there is enough.
	Bytes func(ctx context.Context, n int64) (release func(), err error)
	// Promise is what is lent of it to bodies that are to come. nil: any.
	Promise *edge.Promise
	// Cut counts clients that were cut off. May be nil.
	Cut     *edge.Counts
	Version string // of the gateway
	Log     *slog.Logger
	Limits  Limits
}

// Auditor notes what operators do. address is where a call over gRPC comes from, "" for HTTP, where the context knows.
type Auditor interface {
	// Begin notes that something is about to be done; done is called once with what came of it. On an error it must not be done.
	Begin(ctx context.Context, action, target, address string) (done func(error), err error)
	// Refused notes that something was not allowed.
	Refused(ctx context.Context, action, target, address string, why error)
}

// Limits bound one call.
type Limits struct {
	Message int64         // bytes of one request, inflated
	Timeout time.Duration // the longest that a call may take, and what it may take where the caller does not say
	Longest time.Duration // the same for a stream over HTTP; 0: Timeout
	Streams uint32        // streams and unary calls at a time on one HTTP/2 connection
	Inputs  int           // inputs of one request, and outputs asked for; 0 is 64
	Rate    edge.Rate     // at which bodies and messages have to come, and answers to be taken
	Coming  int64         // bytes of all gRPC messages that are coming at one time; 0: any number
}

const defaultInputs = 64

// Server answers KServe v2. It is safe for concurrent use.
type Server struct {
	Deps
	images  images
	servers servers // of gRPC
	buffers buffers // of requests
	places  edge.Places
}

// New makes a server.
func New(d Deps) *Server {
	if d.Limits.Inputs <= 0 {
		d.Limits.Inputs = defaultInputs
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Bytes == nil {
		d.Bytes = func(context.Context, int64) (func(), error) { return func() {}, nil }
	}
	s := &Server{Deps: d}
	s.servers.draining = make(chan struct{})
	s.servers.stopping = make(chan struct{})
	return s
}
