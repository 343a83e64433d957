package gateway

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
)

// jobSide is what HTTP needs for jobs.
type jobSide struct {
	service *jobs.Service // nil: there are none, for the reason in refused
	refused error
	check   func(*pipeline.Request) error // refuses at once what no worker could answer
	alone   bool                          // this process does nothing but work on jobs
	items   int                           // of one job
	bytes   int64                         // of one job
	spool   string                        // folder for archives that are being received; "": the system's
	memory  int64                         // bytes of the budget for bodies that an archive may take
	room    *limit.Bytes                  // of that folder
	away    atomic.Pointer[storeAway]     // nil: it never was
	held    atomic.Int32                  // waits and event streams under way

	parting context.Context // ends when waits and event streams are to end
	part    context.CancelFunc
}

const (
	mostHeld    = 1024             // waits and event streams at a time
	longestWait = time.Minute      // of one request that waits for a job
	noteTimeout = 15 * time.Second // between two signs of life in an event stream
)

// newJobSide makes the HTTP side of a service; without one, refused says why there are no jobs.
func newJobSide(service *jobs.Service, refused error, c *Config, check func(*pipeline.Request) error) *jobSide {
	j := &jobSide{service: service, refused: refused, check: check, alone: !c.Roles.API, items: c.Jobs.Items, bytes: int64(c.Jobs.Bytes), spool: c.Jobs.Queue.folder(),
		memory: int64(c.Limits.Bodies) / 2, room: limit.NewBytes(int64(c.Jobs.Bytes)).Named("jobs.bytes")}
	j.parting, j.part = context.WithCancel(context.Background())
	return j
}

// jobsOff is why there are no jobs where the settings want none.
func jobsOff() error {
	return fault.New(fault.NotFound, "not_found", "jobs are off (jobs.queue: off); ask synchronously, by POST /v1/models/NAME/infer")
}

// ready gives the service, or why there is none.
func (j *jobSide) ready() (*jobs.Service, error) {
	if j.service == nil {
		return nil, j.refused
	}
	return j.service, nil
}

// hold counts a request that stays for long, and ends its context when the gateway is to end. The caller calls release.
func (j *jobSide) hold(ctx context.Context) (_ context.Context, release func(), err error) {
	if j.held.Add(1) > mostHeld {
		j.held.Add(-1)
		return nil, nil, fault.New(fault.Busy, "queue_full", "%d requests wait for jobs already; ask without wait, or come again later", mostHeld).After(time.Second)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(j.parting, cancel)
	return ctx, func() {
		stop()
		cancel()
		j.held.Add(-1)
	}, nil
}

// registerJobs adds the routes of jobs.
func (s *server) registerJobs(e *gin.Engine) {
	e.POST("/v1/jobs", s.handle(s.submitJob))
	e.GET("/v1/jobs", s.handle(s.listJobs))
	e.GET("/v1/jobs/:id", s.handle(s.getJob))
	e.DELETE("/v1/jobs/:id", s.handle(s.cancelJob))
	e.POST("/v1/jobs/:id/retry", s.handle(s.retryJob))
	e.GET("/v1/jobs/:id/events", s.handle(s.jobEvents))
}

// submitJob answers POST /v1/jobs.
func (s *server) submitJob(c *gin.Context) error {
	r, cancel, err := s.limits.within(c.Request, stateOf(c).started)
	if err != nil {
		return err
	}
	defer cancel()
	c.Request = r
	j, created, err := s.handIn(c, &jobParams{})
	if err != nil {
		return err
	}
	return s.accepted(c, j, created)
}

// accepted answers with a job that was taken in.
func (s *server) accepted(c *gin.Context, j *jobs.Job, created bool) error {
	c.Header("Location", jobPath(j.ID))
	status := http.StatusAccepted
	if !created {
		c.Header("Idempotency-Replayed", "true")
		if j.State.Final() {
			status = http.StatusOK
		}
	}
	s.sendJob(c, status, j)
	return nil
}

// getJob answers GET /v1/jobs/{id}.
func (s *server) getJob(c *gin.Context) error {
	service, err := s.jobs.ready()
	if err != nil {
		return err
	}
	wait, err := waitOf(c.Request)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	var j *jobs.Job
	if wait > 0 {
		j, err = s.waitFor(ctx, service, tenantOf(c), c.Param("id"), wait)
	} else {
		j, err = service.Get(ctx, tenantOf(c), c.Param("id"))
	}
	if err != nil {
		return err
	}
	stateOf(c).model = j.Model
	return s.sendResult(c, service, j)
}

// waitFor gives the job when it is final, or as it is when the time is over or the gateway is to end.
func (s *server) waitFor(ctx context.Context, service *jobs.Service, tenant *string, id string, wait time.Duration) (*jobs.Job, error) {
	held, release, err := s.jobs.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err = service.Wait(held, tenant, id, wait); err != nil && (ctx.Err() != nil || held.Err() == nil) {
		return nil, err
	}
	return service.Get(ctx, tenant, id) // with its items, which a wait does not read
}

// waitOf reads how long a request waits.
func waitOf(r *http.Request) (time.Duration, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, err
	}
	wait := time.Duration(0)
	for _, pair := range q {
		if pair.name != "wait" {
			return 0, badOption("query."+clip(pair.name), "the query has no parameter %q; known is wait", clip(pair.name))
		}
		if wait, err = span("wait", pair.value); err != nil {
			return 0, err
		}
		if wait < 0 {
			return 0, badOption("query.wait", "the wait is negative; write a time such as 20s")
		}
	}
	return min(wait, longestWait), nil
}

// cancelJob answers DELETE /v1/jobs/{id}.
func (s *server) cancelJob(c *gin.Context) error {
	return s.changeJob(c, func(ctx context.Context, service *jobs.Service, id string) (*jobs.Job, int, error) {
		j, err := service.Cancel(ctx, tenantOf(c), id)
		if err != nil {
			return nil, 0, err
		}
		status := http.StatusOK
		if !j.State.Final() {
			status = http.StatusAccepted // its worker is told
		}
		return j, status, nil
	})
}

// retryJob answers POST /v1/jobs/{id}/retry.
func (s *server) retryJob(c *gin.Context) error {
	return s.changeJob(c, func(ctx context.Context, service *jobs.Service, id string) (*jobs.Job, int, error) {
		if err := s.takesJobs(); err != nil {
			return nil, 0, err
		}
		var j *jobs.Job
		err := s.audit.do(ctx, actRetry, id, func() (err error) {
			j, err = service.Retry(ctx, tenantOf(c), id)
			return err
		})
		return j, http.StatusAccepted, err
	})
}

func (s *server) changeJob(c *gin.Context, change func(context.Context, *jobs.Service, string) (*jobs.Job, int, error)) error {
	service, err := s.jobs.ready()
	if err != nil {
		return err
	}
	j, status, err := change(c.Request.Context(), service, c.Param("id"))
	if err != nil {
		return err
	}
	stateOf(c).model = j.Model
	s.sendJob(c, status, j)
	return nil
}

// takesJobs refuses new work once the gateway is going away.
func (s *server) takesJobs() error {
	if s.draining.Load() {
		return fault.New(fault.Draining, "draining", "this gateway is shutting down and takes no new jobs; hand it in again, to another one").After(time.Second)
	}
	return nil
}

// tenantOf is whose jobs a caller sees: those of the own tenant, and on the admin listener all, for which it is nil.
func tenantOf(c *gin.Context) *string {
	if stateOf(c).inside {
		return nil
	}
	tenant := caller.TenantOf(c.Request.Context())
	return &tenant
}

// workforce is what works on jobs in this process.
type workforce struct {
	service *jobs.Service
	works   bool // it takes jobs, and does not only see to those that are over

	stopWork, stopKeep context.CancelFunc
	work, keep         sync.WaitGroup
}

// begin starts the loops.
func (w *workforce) begin() {
	if w.service == nil {
		return
	}
	working, stopWork := context.WithCancel(context.Background())
	keeping, stopKeep := context.WithCancel(context.Background())
	w.stopWork, w.stopKeep = stopWork, stopKeep
	if w.works {
		w.work.Go(func() { w.service.Work(working) })
	}
	w.keep.Go(func() { w.service.Keep(keeping) })
}

// handBack lets workers take no more: items at work may end, the jobs go back. It does not wait.
func (w *workforce) handBack() {
	if w.stopWork != nil {
		w.stopWork()
	}
}

// end waits until all loops have ended.
func (w *workforce) end() {
	if w.stopWork == nil {
		return
	}
	w.handBack()
	w.work.Wait()
	w.stopKeep()
	w.keep.Wait()
}
