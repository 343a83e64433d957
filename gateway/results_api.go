package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// byDigest answers GET .../results/{sha256}: what infer would answer for the picture with that digest, if it is stored.
func (s *server) byDigest(c *gin.Context) error {
	model, version, cancel, err := s.asked(c)
	if err != nil {
		return err
	}
	defer cancel()
	r := c.Request
	var digest [sha256.Size]byte
	text := c.Param("sha256")
	if len(text) != 2*sha256.Size {
		return badOption("path.sha256", "the digest is the SHA-256 of the picture's bytes in 64 hexadecimal digits")
	}
	if _, err := hex.Decode(digest[:], []byte(text)); err != nil {
		return badOption("path.sha256", "the digest is the SHA-256 of the picture's bytes in 64 hexadecimal digits")
	}
	call := &call{}
	if err := call.query(r); err != nil {
		return err
	}
	request := pipeline.Request{Model: model, Version: version, Tenant: caller.TenantOf(r.Context()), ID: requestID(c), Options: call.opts.post, Cache: call.opts.cache, Header: r.Header}
	ctx, stop := context.WithTimeout(r.Context(), s.limits.Timeout)
	defer stop()
	a, err := s.runner.Cached(ctx, &request, digest)
	if errors.Is(err, &fault.Error{Code: "result_not_cached"}) && readPrefer(r.Header).quiet {
		c.Header("Preference-Applied", "miss=no-content")
		c.Writer.Header().Add("Vary", "Prefer")
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return nil
	}
	if err != nil {
		return call.locate(err, 0)
	}
	s.send(c, a, request.Cache)
	return nil
}
