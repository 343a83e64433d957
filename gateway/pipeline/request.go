// Package pipeline is one request from bytes to answer. pipeline.go is the list of stages; each stage is a file of its name.
package pipeline

import (
	"net/http"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/cache"
	"triton-gateway/postprocess"
	"triton-gateway/preprocess"
	"triton-gateway/tensor"
)

// Request is one item for one model.
type Request struct {
	Model   string
	Version string // "" means the version that the model's policy gives
	Tenant  string
	ID      string // the request's id, for logs and the backend
	Item    Item
	Options postprocess.Options
	Cache   cache.Mode

	// What a route may decide by, beside the caller that the context knows. A model's answer depends on none of it.
	Header http.Header // of the call; nil: none, or that of WithHeader. It is only read
	Rows   int         // items of the call; 0 counts as 1
	Chance uint64      // random, the same for all items of a call; 0: each is drawn for itself
}

// Item is what is sent: exactly one of its fields is set.
type Item struct {
	Image   *Body
	Row     *preprocess.Row
	Tensors []tensor.Tensor

	part *part // of the picture Image, decoded already; nil: the whole of it as it was sent
}

// empty reports whether nothing is sent.
func (i *Item) empty() bool { return i.Image == nil && i.Row == nil && i.Tensors == nil }

// Body is the bytes of an upload in a pooled buffer, counted by its holders, because a computation shared by several callers
// may outlive the caller whose bytes it reads.
type Body struct {
	Bytes []byte
	refs  atomic.Int32
	free  func()
	whole int64 // of the buffer that Bytes are a piece of, in bytes; 0: they are all of it
}

// NewBody makes a Body with one holder. free is called once, when the last holder lets go; it may be nil.
func NewBody(data []byte, free func()) *Body {
	b := &Body{Bytes: data, free: free}
	b.refs.Store(1)
	return b
}

// Within notes that Bytes are a piece of a buffer of so many bytes, all of which are kept as long as one piece is, and gives b back.
func (b *Body) Within(bytes int64) *Body {
	b.whole = bytes
	return b
}

// Holds is how many bytes of memory are kept by holding b.
func (b *Body) Holds() int64 { return max(b.whole, int64(len(b.Bytes))) }

// Retain adds a holder.
func (b *Body) Retain() { b.refs.Add(1) }

// Release ends one holder's claim. The bytes must not be touched afterwards.
func (b *Body) Release() {
	switch n := b.refs.Add(-1); {
	case n < 0:
		panic("pipeline: body released too often")
	case n == 0 && b.free != nil:
		b.free()
	}
}

// Timing is the time one stage took, for Server-Timing. Its parts are counted for themselves: the sum is the time of all.
type Timing struct {
	Stage    string
	Duration time.Duration
}

// AddTimings adds more to timings, each stage once. What ran side by side counts for itself, so that the sum may be more than the whole.
func AddTimings(timings, more []Timing) []Timing {
next:
	for _, t := range more {
		for i := range timings {
			if timings[i].Stage == t.Stage {
				timings[i].Duration += t.Duration
				continue next
			}
		}
		timings = append(timings, t)
	}
	return timings
}

// Answer is one item's answer.
type Answer struct {
	// Body is the whole JSON document of one item but for its last member: it ends in `"from_cache":`, to be followed by true} or false}.
	// It is shared and must not be changed.
	Body      []byte
	FromCache bool   // no model ran for this answer
	ETag      string // weak, quoted
	Cache     cache.Outcome
	Tensor    bool   // the answer came from cached tensors: only postprocess ran
	ID        string // the computation's id
	Model     string
	Version   string
	Reason    string // why this one: requested, policy, or what a route decided by
	Task      string
	TTL       time.Duration // how long the answer may be kept by others
	Routed    *Routed       // how a route came to this model; nil where a model was named
	Timings   []Timing      // of those that ran: queue, decode, preprocess, infer, postprocess, and the others where they took 50 us or more
}
