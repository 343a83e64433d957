package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"strings"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// runner is what HTTP needs of the pipeline.
type runner interface {
	// Admit asks, before the body is read, whether a call may come in. body is its announced size, -1 where that is not known.
	Admit(ctx context.Context, model, version string, body int64) (release func(), err error)
	// Decodable is nil if a picture would be decoded now, or wait for it.
	Decodable(ctx context.Context) error
	// Run answers one item.
	Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)
	// Cached gives the stored answer for the picture with this SHA-256, or NotFound result_not_cached.
	Cached(ctx context.Context, r *pipeline.Request, digest [sha256.Size]byte) (*pipeline.Answer, error)
}

// infer answers POST .../infer: one picture, row or set of tensors, or several.
func (s *server) infer(c *gin.Context) error {
	model, version, cancel, err := s.asked(c)
	if err != nil {
		return err
	}
	defer cancel()
	r := c.Request
	if r.Header["Prefer"] != nil && s.jobs.service != nil {
		if want := readPrefer(r.Header); want.async {
			return s.inferAsync(c, model, version, want)
		}
	}
	call, release, err := s.receive(c.Writer, r, model, version)
	if err != nil {
		return err
	}
	defer release()
	defer call.release()
	return s.answer(c, call, model, version)
}

// inferRow answers GET .../infer: one row in the query.
func (s *server) inferRow(c *gin.Context) error {
	name, version, cancel, err := s.asked(c)
	if err != nil {
		return err
	}
	defer cancel()
	r := c.Request
	model, err := s.models.Lookup(name)
	if err != nil {
		return err
	}
	if len(model.Spec.Input.Columns) == 0 {
		c.Writer.Header().Set("Allow", "POST")
		return fault.New(fault.MethodNotAllowed, "method_not_allowed", "GET is for models that take rows; send POST with %s", accepted)
	}
	call, err := readRow(r, model.Spec.Input.Columns)
	if err != nil {
		return err
	}
	release, err := s.admit(r, name, version, 0)
	if err != nil {
		return err
	}
	defer release()
	return s.answer(c, call, name, version)
}

// asked puts the request under its deadline, and gives the model and the version that it asks for. The caller has to call cancel at its end.
func (s *server) asked(c *gin.Context) (model, version string, cancel context.CancelFunc, err error) {
	r, cancel, err := s.limits.within(c.Request, stateOf(c).started)
	if err != nil {
		return "", "", nil, err
	}
	c.Request = r
	if model, version, err = s.target(c); err != nil {
		cancel()
		return "", "", nil, err
	}
	return model, version, cancel, nil
}

// target gives the model and the version that are asked for, before the body is read: an unknown model is refused at once.
func (s *server) target(c *gin.Context) (model, version string, err error) {
	model = cmp.Or(c.Param("model"), c.Param("name"))
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
	request := pipeline.Request{Model: model, Version: version, Tenant: caller.TenantOf(ctx), ID: requestID(c), Options: call.opts.post, Cache: call.opts.cache, Header: c.Request.Header, Rows: len(call.items)}
	if !call.many {
		if err := call.items[0].err; err != nil {
			return call.locate(err, 0)
		}
		request.Item = call.items[0].Item
		a, err := s.runner.Run(ctx, &request)
		if err != nil {
			return call.locate(err, 0)
		}
		s.send(c, a, call.opts.cache)
		return nil
	}
	request.Chance = rand.Uint64() | 1 // where chance decides, the items of a call stay together
	results := s.runAll(ctx, call, request)
	for _, r := range results {
		if r.err == nil {
			s.sendAll(c, results, call.opts.cache)
			return nil
		}
	}
	return call.allFailed(results)
}
