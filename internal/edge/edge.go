// Package edge is what stands between the internet and the servers: how many connections there may be, how fast a body has to come and an answer has to be
// taken, and how long a request that sends slowly keeps its place. It exists because the servers of the standard library bound none of these, and because HTTP
// and gRPC have to bound them alike.
package edge

import "sync/atomic"

// Reason is why something was cut off.
type Reason uint8

// The reasons, by what the client did.
const (
	Full       Reason = iota // a connection beyond limits.connections
	PerAddress               // a connection beyond limits.connections_per_address
	Idle                     // an idle connection that made room for a new one, or was idle for too long
	SlowHeader               // a header that did not come in time
	SlowBody                 // a body below limits.body_rate
	SlowReader               // an answer that is taken below limits.body_rate
	Resets                   // calls that are given up as fast as they are made
	Flood                    // frames of HTTP/2 that serve nothing
	Memory                   // messages that come at one time are larger than limits.bodies
	reasons
)

var names = [reasons]string{"connections", "connections_per_address", "idle", "slow_header", "slow_body", "slow_reader", "resets", "flood", "memory"}

// String is the reason's label in metrics.
func (r Reason) String() string {
	if r < reasons {
		return names[r]
	}
	return "other"
}

// Counts counts what was cut off, by reason. The zero value counts from 0; nil counts nothing. It is safe for concurrent use.
type Counts struct{ n [reasons]atomic.Uint64 }

// Add counts one.
func (c *Counts) Add(r Reason) {
	if c != nil && r < reasons {
		c.n[r].Add(1)
	}
}

// Each calls do with every reason and its count.
func (c *Counts) Each(do func(r Reason, n uint64)) {
	for r := range reasons {
		do(r, c.n[r].Load())
	}
}

// Of is the count of one reason.
func (c *Counts) Of(r Reason) uint64 { return c.n[r].Load() }
