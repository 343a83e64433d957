package gateway

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"triton-gateway/gateway/pipeline"
)

// fetcher gets what is at a URL; see fetch.Fetcher.
type fetcher interface {
	Get(ctx context.Context, url string, read func(size int64, body io.Reader) error) error
}

// fetchSide is how many pictures of one call are fetched at a time.
const fetchSide = 4

// fetchAll fetches the pictures that a call names by URL. One that cannot be had fails alone, as one that cannot be decoded does.
func (s *server) fetchAll(ctx context.Context, c *call) {
	var wanted []int
	for i := range c.items {
		if c.items[i].url != "" {
			wanted = append(wanted, i)
		}
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(fetchSide, len(wanted)) {
		workers.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(wanted); n = int(next.Add(1)) - 1 {
				i := wanted[n]
				it := &c.items[i]
				var err error
				if it.Image, err = s.fetchOne(ctx, it.url); err != nil {
					place := c.at + ".url"
					if c.many {
						place = c.at + "[" + strconv.Itoa(i) + "].url"
					}
					f := *faultOf(err)
					it.err = f.At(place, f.Detail)
				}
			}
		})
	}
	workers.Wait()
}

// fetchOne fetches a picture into memory of the pool. The caller releases it.
func (s *server) fetchOne(ctx context.Context, url string) (body *pipeline.Body, err error) {
	err = s.fetcher.Get(ctx, url, func(size int64, in io.Reader) (err error) {
		body, err = s.bodies.from(ctx, size, in)
		return err
	})
	if err != nil && body != nil {
		body.Release()
		body = nil
	}
	return body, err
}

var errNothing = errors.New("nothing came")

// from reads what is not a request's own body, until it ends or fails; size is what was announced, or -1. The reader has a limit of its own.
func (p *bodyPool) from(ctx context.Context, size int64, in io.Reader) (*pipeline.Body, error) {
	if size < 0 {
		size = min(firstChunk, p.limit)
	}
	b, err := p.take(ctx, size)
	if err != nil {
		return nil, err
	}
	n := 0
	for {
		m, err := io.ReadFull(in, b.data[n:])
		n += m
		switch {
		case err == nil && n == len(b.data):
			larger, err := p.take(ctx, 2*int64(n))
			if err != nil {
				p.put(b)
				return nil, err
			}
			copy(larger.data, b.data[:n])
			p.put(b)
			b = larger
		case errors.Is(err, io.EOF) && n == 0:
			p.put(b)
			return nil, errNothing
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // whether it was cut, the reader knows
			return pipeline.NewBody(b.data[:n:n], b.free), nil
		default:
			p.put(b)
			return nil, err
		}
	}
}
