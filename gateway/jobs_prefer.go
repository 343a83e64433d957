package gateway

import (
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
)

// inferAsync answers an infer with Prefer: respond-async: as a job, or with wait as infer does, if the job is done in that time.
func (s *server) inferAsync(c *gin.Context, model, version string, want preference) error {
	if s.gate != nil {
		if err := s.gate.may(stateOf(c).who, workers); err != nil {
			return err
		}
	}
	p := &jobParams{fixed: true}
	p.Model, p.Version = model, version
	j, created, err := s.handIn(c, p)
	if err != nil {
		return err
	}
	applied := "respond-async"
	if want.wait > 0 {
		applied += ", wait=" + strconv.Itoa(int(want.wait/time.Second))
	}
	c.Header("Preference-Applied", applied)
	c.Writer.Header().Add("Vary", "Prefer")
	if want.wait == 0 {
		return s.accepted(c, j, created)
	}
	id := j.ID
	if j, err = s.waitFor(c.Request.Context(), s.jobs.service, tenantOf(c), id, want.wait); err != nil {
		return err
	}
	c.Header("Location", jobPath(id))
	switch j.State {
	case jobs.Succeeded:
		return s.sendPlain(c, j)
	case jobs.Failed:
		return failureOf(j)
	}
	return s.accepted(c, j, created)
}

// sendPlain answers with a job's result alone, as infer does.
func (s *server) sendPlain(c *gin.Context, j *jobs.Job) error {
	r, err := newResultReader(c.Request.Context(), s.jobs.service, j)
	if err != nil {
		return err
	}
	s.startResult(c)
	return s.endResult(c, j, r.writeTo(c.Writer))
}
