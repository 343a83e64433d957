package pipeline

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/caller"
	"triton-gateway/tensor"
)

type headerKey struct{}

// WithHeader lets the routes' rules see the header of a call whose Request has none, such as one of KServe v2. get gives a value by name, "" where there is none; it has to be
// usable as long as the context is.
func WithHeader(ctx context.Context, get func(name string) string) context.Context {
	return context.WithValue(ctx, headerKey{}, get)
}

// asker collects what a route's decision may depend on.
func (p *Pipeline) asker(ctx context.Context, j *job) *route.Asker {
	a := &route.Asker{Chance: j.Chance, Now: time.Now(), Rows: max(1, int64(j.Rows))}
	if c := caller.From(ctx); c != nil {
		a.User, a.Tier = c.ID, c.Tier
	}
	if a.Chance == 0 {
		a.Chance = rand.Uint64()
	}
	if a.Header, _ = ctx.Value(headerKey{}).(func(string) string); j.Header != nil {
		a.Header = j.Header.Get
	}
	a.Cookie = func(name string) string { return cookie(a.Header, name) }
	switch {
	case j.Item.Image != nil:
		a.Bytes, a.Pixels = int64(len(j.Item.Image.Bytes)), int64(j.header.Width)*int64(j.header.Height)
	case j.raw != nil:
		a.Bytes = sizeOf(j.raw.Inputs)
		if in := j.raw.Inputs; len(in) > 0 && len(in[0].Shape) > 1 { // a batch
			a.Rows = in[0].Shape[0]
		}
	default:
		a.Bytes = sizeOf(j.Item.Tensors)
	}
	if j.plan.Digests() {
		a.Content = p.content(j)
	}
	return a
}

// content is the digest of the item, for routes that keep the same content on one side; zeros where it has none.
func (p *Pipeline) content(j *job) [32]byte {
	switch {
	case j.byDigest:
	case j.Item.Image != nil:
		j.content, j.digested = sha256.Sum256(j.Item.Image.Bytes), true
	case j.raw != nil:
		return tensorsSum(j.raw.Inputs)
	case j.Item.Tensors != nil:
		return tensorsSum(j.Item.Tensors)
	case j.Item.Row != nil:
		return p.rowContent(j)
	}
	return j.content
}

// rowContent digests a row as the first of the route's models sees it, so that it does not matter how the row is written.
func (p *Pipeline) rowContent(j *job) (sum [32]byte) {
	m, err := snapshotOf(p.Models, j.plan)
	if err != nil {
		return sum
	}
	c, err := p.compile(m)
	if err != nil || len(m.Spec.Input.Columns) == 0 {
		return sum
	}
	t, err := c.pre.Row(*j.Item.Row)
	if err != nil {
		return sum // fit will say why
	}
	return sha256.Sum256(t.Data)
}

func sizeOf(list []tensor.Tensor) (bytes int64) {
	for i := range list {
		bytes += int64(len(list[i].Data))
	}
	return bytes
}

func cookie(header func(string) string, name string) string {
	if header == nil {
		return ""
	}
	line := header("Cookie")
	if line == "" {
		return ""
	}
	list, err := http.ParseCookie(line)
	if err != nil {
		return ""
	}
	for _, c := range list {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
