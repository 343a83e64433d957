package gateway

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

// live says that the process answers. It depends on nothing else: restarting the gateway does not mend a broken Triton.
func (s *server) live(c *gin.Context) {
	c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

type readiness struct {
	Status string           `json:"status"`
	Models []modelReadiness `json:"models"`
	Jobs   *jobReadiness    `json:"jobs,omitempty"`
}

// jobReadiness says whether jobs can be handed in. A gateway whose job store is away answers infer all the same, so it stays ready.
type jobReadiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

type modelReadiness struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// ready says whether requests should be sent here: the backend answers, and at least one model can. A gateway whose backend is away
// still serves stored answers to those who ask, but another replica, if there is one, can do more.
func (s *server) ready(c *gin.Context) error {
	if s.draining.Load() {
		return fault.New(fault.Draining, "draining", "this gateway is shutting down")
	}
	if err := s.models.Err(); err != nil {
		return err
	}
	doc := readiness{Status: "ready", Models: []modelReadiness{}}
	count := 0
	for _, m := range s.models.List() {
		r := modelReadiness{Name: m.Name, Ready: m.ready(), Reason: m.reason()}
		if r.Ready {
			count++
		}
		if s.gate == nil { // who sends no key learns no names
			doc.Models = append(doc.Models, r)
		}
	}
	status := http.StatusOK
	if !isOff(s.jobs.refused) {
		doc.Jobs = &jobReadiness{Ready: true}
		if _, err := s.jobs.figures(c.Request.Context()); err != nil {
			doc.Jobs = &jobReadiness{Reason: faultOf(err).Detail}
		}
	}
	if s.jobs.alone && !doc.Jobs.Ready {
		doc.Status, status = "the job store does not answer", http.StatusServiceUnavailable
		c.Header("Retry-After", "1")
	}
	if count == 0 {
		doc.Status, status = "no model is ready", http.StatusServiceUnavailable
		c.Header("Retry-After", "1")
	}
	c.JSON(status, doc)
	return nil
}
