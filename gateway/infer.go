package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// runner is what HTTP needs of the pipeline.
type runner interface {
	// Run answers one item.
	Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)
	// Cached gives the stored answer for the picture with this SHA-256, or NotFound result_not_cached.
	Cached(ctx context.Context, r *pipeline.Request, digest [sha256.Size]byte) (*pipeline.Answer, error)
}

// infer answers POST .../infer: one picture, row or set of tensors, or several.
func (s *server) infer(c *gin.Context) error {
	model, version, err := s.target(c)
	if err != nil {
		return err
	}
	call, err := s.readCall(c.Writer, c.Request)
	if err != nil {
		return err
	}
	defer call.release()
	return s.answer(c, call, model, version)
}

// inferRow answers GET .../infer: one row in the query.
func (s *server) inferRow(c *gin.Context) error {
	name, version, err := s.target(c)
	if err != nil {
		return err
	}
	model, err := s.models.Lookup(name)
	if err != nil {
		return err
	}
	if len(model.Spec.Input.Columns) == 0 {
		c.Writer.Header().Set("Allow", "POST")
		return fault.New(fault.MethodNotAllowed, "method_not_allowed", "GET is for models that take rows; send POST with %s", accepted)
	}
	call, err := readRow(c.Request, model.Spec.Input.Columns)
	if err != nil {
		return err
	}
	return s.answer(c, call, name, version)
}

// target gives the model and the version that are asked for, before the body is read: an unknown model is refused at once.
func (s *server) target(c *gin.Context) (model, version string, err error) {
	model = c.Param("model")
	if _, err = s.models.Lookup(model); err != nil {
		return "", "", err
	}
	version = c.Param("version")
	if !strings.Contains(c.Request.URL.RawQuery, "version=") {
		return model, version, nil
	}
	q, err := parseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return "", "", err
	}
	place := "path.version"
	for _, pair := range q {
		if pair.name != "version" {
			continue
		}
		if pair.value == "" {
			return "", "", badOption("query.version", "version is empty; give a number or leave it out")
		}
		if version != "" && version != pair.value {
			return "", "", fault.New(fault.Invalid, "invalid_request", "version is given twice with different values: %s and %s", clip(version), clip(pair.value)).
				At(place, "contradicts query.version").At("query.version", "contradicts "+place)
		}
		version, place = pair.value, "query.version"
	}
	return model, version, nil
}

// answer runs the items of a call and writes what comes out.
func (s *server) answer(c *gin.Context, call *call, model, version string) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.limits.Timeout)
	defer cancel()
	request := pipeline.Request{Model: model, Version: version, ID: requestID(c), Options: call.opts.post, Cache: call.opts.cache}
	if !call.many {
		if err := call.items[0].err; err != nil {
			return err
		}
		request.Item = call.items[0].Item
		a, err := s.runner.Run(ctx, &request)
		if err != nil {
			return call.locate(err, 0)
		}
		s.send(c, a, call.opts.cache)
		return nil
	}
	results := s.runAll(ctx, call, request)
	for _, r := range results {
		if r.err == nil {
			s.sendAll(c, model, results, call.opts.cache)
			return nil
		}
	}
	return allFailed(results)
}

// runAll runs the items side by side, at most as many as there are processors.
func (s *server) runAll(ctx context.Context, call *call, request pipeline.Request) []result {
	results := make([]result, len(call.items))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(call.items)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(call.items); i = int(next.Add(1)) - 1 {
				one := request
				if results[i].err = call.items[i].err; results[i].err != nil {
					continue
				}
				one.Item = call.items[i].Item
				one.ID = fmt.Sprintf("%s.%d", request.ID, i)
				results[i] = s.runOne(ctx, &one)
				results[i].err = call.locate(results[i].err, i)
			}
		})
	}
	workers.Wait()
	return results
}

// runOne runs an item on a goroutine of its own, where a panic would end the process.
func (s *server) runOne(ctx context.Context, request *pipeline.Request) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{err: fmt.Errorf("panic: %v", p)}
		}
	}()
	r.answer, r.err = s.runner.Run(ctx, request)
	return r
}

// allFailed is the error of a call of which no item succeeded: the first one's, with all of them listed.
func allFailed(results []result) error {
	first := *faultOf(results[0].err)
	first.Err, first.Fields = results[0].err, nil
	for i, r := range results {
		f := faultOf(r.err)
		if len(f.Fields) == 0 {
			first.Fields = append(first.Fields, fault.Field{Location: fmt.Sprintf("results[%d]", i), Message: f.Detail})
		}
		for _, field := range f.Fields {
			first.Fields = append(first.Fields, fault.Field{Location: field.Location, Message: f.Detail})
		}
		first.RetryAfter = max(first.RetryAfter, f.RetryAfter)
	}
	return &first
}

// locate turns the places that the pipeline knows, such as top_k or petal_width, into places of the request, such as query.top_k or body.rows[3].petal_width.
func (c *call) locate(err error, item int) error {
	var f *fault.Error
	if err == nil || !errors.As(err, &f) || len(f.Fields) == 0 && f.Kind != fault.Invalid {
		return err
	}
	moved := *f
	moved.Fields = nil
	for _, field := range f.Fields {
		field.Location = c.place(field.Location, item)
		moved.Fields = append(moved.Fields, field)
	}
	if len(moved.Fields) == 0 {
		moved.Fields = []fault.Field{{Location: c.place("", item), Message: f.Detail}}
	}
	moved.Err = err
	return &moved
}

func (c *call) place(location string, item int) string {
	if strings.HasPrefix(location, "query.") || strings.HasPrefix(location, "body.") || strings.HasPrefix(location, "header.") {
		return location
	}
	if index := optionIndex(location); index >= 0 && c.opts.place[index] != "" {
		return c.opts.place[index]
	}
	base := "body"
	switch row := item < len(c.items) && c.items[item].Row != nil; {
	case c.body == nil:
		base = "query"
	case row && c.many:
		base = fmt.Sprintf("body.rows[%d]", item)
	case row:
		base = "body.row"
	case c.many:
		base = fmt.Sprintf("body.images[%d]", item)
	}
	if location == "" || location == "body" {
		return base
	}
	if location = strings.TrimPrefix(location, "row."); strings.HasPrefix(location, "[") {
		return base + location
	}
	return base + "." + location
}

// byDigest answers GET .../results/{sha256}: what infer would answer for the picture with that digest, if it is stored.
func (s *server) byDigest(c *gin.Context) error {
	model, version, err := s.target(c)
	if err != nil {
		return err
	}
	var digest [sha256.Size]byte
	text := c.Param("sha256")
	if len(text) != 2*sha256.Size {
		return badOption("path.sha256", "the digest is the SHA-256 of the picture's bytes in 64 hexadecimal digits")
	}
	if _, err := hex.Decode(digest[:], []byte(text)); err != nil {
		return badOption("path.sha256", "the digest is the SHA-256 of the picture's bytes in 64 hexadecimal digits")
	}
	call := &call{}
	if err := call.query(c.Request); err != nil {
		return err
	}
	request := pipeline.Request{Model: model, Version: version, ID: requestID(c), Options: call.opts.post}
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.limits.Timeout)
	defer cancel()
	a, err := s.runner.Cached(ctx, &request, digest)
	if err != nil {
		return call.locate(err, 0)
	}
	s.send(c, a, request.Cache)
	return nil
}
