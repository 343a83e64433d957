package triton

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

const inferMethod = "/inference.GRPCInferenceService/ModelInfer"

var _ backend.Backend = (*Client)(nil)

// Client is a backend.Backend over one or more Tritons that serve the same models.
type Client struct {
	endpoints []*endpoint
	first     atomic.Uint32 // the endpoint that answered last; calls go there first
	reconnect time.Duration
	epochs    *epochs
	log       *slog.Logger
}

// New prepares the connections. It does not wait for any of them; the first call does.
func New(c Config, d Deps) (*Client, error) {
	targets, err := c.targets()
	if err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	client := &Client{reconnect: c.Reconnect, log: d.Log}
	if client.reconnect == 0 {
		client.reconnect = defaultReconnect
	}
	for _, t := range targets {
		e, err := dial(t, &c)
		if err != nil {
			return nil, errors.Join(err, client.closeConnections())
		}
		client.endpoints = append(client.endpoints, e)
	}
	client.epochs = newEpochs(d)
	return client, nil
}

// Close ends running calls and closes the connections.
func (c *Client) Close() error {
	c.leave()
	return c.closeConnections()
}

func (c *Client) closeConnections() error {
	var all []error
	for _, e := range c.endpoints {
		all = append(all, e.conn.Close())
	}
	return errors.Join(all...)
}

// Infer runs one model by ModelInfer. The tensors' Data goes to the transport uncopied, and after a cancelled or failed call the transport may still read it:
// it must be ordinary Go memory that nobody writes to or reuses, not only until Infer returns. That is
// what tensor.Tensor asks of everyone.
//
// A call that failed for want of a connection is made once more, on the next endpoint or on a fresh connection to the same one: a
// model's answer depends on its input alone, so running it twice does no harm.
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

// infer calls the preferred endpoint, and one other or the same again where the connection was the matter.
func (c *Client) infer(ctx context.Context, request *inferRequest, answer *inferResponse) error {
	at := int(c.first.Load()) % len(c.endpoints)
	again, err := c.attempt(ctx, c.endpoints[at], request, answer)
	if err == nil || !again || ctx.Err() != nil {
		return err
	}
	next := (at + 1) % len(c.endpoints)
	if !c.endpoints[next].reconnect(ctx, c.reconnect) {
		return err
	}
	if _, err := c.attempt(ctx, c.endpoints[next], request, answer); err != nil {
		return err
	}
	c.first.Store(uint32(next))
	return nil
}

// attempt makes one call and says whether another connection may do better.
func (c *Client) attempt(ctx context.Context, e *endpoint, request *inferRequest, answer *inferResponse) (again bool, err error) {
	var trailer metadata.MD
	counted := e.calls.of(request.model, request.version)
	counted.begin()
	err = e.conn.Invoke(e.outgoing(ctx), inferMethod, request, answer, grpc.ForceCodecV2(codec{}), grpc.Trailer(&trailer))
	counted.end(outcomeOf(err, len(trailer) > 0))
	if err == nil {
		if request.version == "" {
			e.calls.of(request.model, answer.version).untimed()
		}
		return false, nil
	}
	s, _ := status.FromError(err)
	return s.Code() == codes.Unavailable && find(s).retry, translate(ctx, err)
}

// newInferRequest checks what Triton would only refuse, or what would corrupt the message.
func newInferRequest(r *backend.Request) (*inferRequest, error) {
	texts := []string{r.Model, r.Version, r.ID}
	out := &inferRequest{model: r.Model, version: r.Version, id: r.ID, params: r.Params, inputs: r.Inputs}
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
