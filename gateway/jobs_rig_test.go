package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// safeStore counts what reaches a store, and fails when told to.
type safeStore struct {
	jobs.Store
	mu      sync.Mutex
	created int
	puts    int
	fail    error
	looked  func() // called with every Get; nil: nobody
}

// Get also tells who listens.
func (s *safeStore) Get(ctx context.Context, id string) (*jobs.Job, error) {
	s.mu.Lock()
	looked := s.looked
	s.mu.Unlock()
	if looked != nil {
		looked()
	}
	return s.Store.Get(ctx, id)
}

func (s *safeStore) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	s.mu.Lock()
	s.created++
	err := s.fail
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Store.Create(ctx, spec)
}

func (s *safeStore) Put(ctx context.Context, digest string, data []byte) error {
	s.mu.Lock()
	s.puts++
	s.mu.Unlock()
	return s.Store.Put(ctx, digest, data)
}

func (s *safeStore) Count(ctx context.Context) (*jobs.Counts, error) {
	s.mu.Lock()
	err := s.fail
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Store.Count(ctx)
}

func (s *safeStore) counts() (created, puts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created, s.puts
}

// jobRig is a server with jobs, on a store in memory.
type jobRig struct {
	*rig
	store   *safeStore
	service *jobs.Service
	config  Config
	stop    func() // of the workers; waits for them
}

// newJobRig makes a rig. Its workers run unless idle is set.
func newJobRig(t testing.TB, idle bool, edit ...func(*Config, *jobs.Deps)) *jobRig {
	t.Helper()
	j := &jobRig{store: &safeStore{Store: memory.New(nil)}, config: DefaultConfig()}
	j.config.Jobs.Items, j.config.Jobs.Bytes = 40, 1<<20
	d := jobs.Deps{Store: j.store, Decoder: jobDecoder{}, Problem: jobProblem, Log: quietLog(), Webhook: jobs.Webhook{Secret: []byte("s")}}
	for _, e := range edit {
		e(&j.config, &d)
	}
	c := &j.config.Jobs
	d.Limits = jobs.Limits{Items: c.Items, Bytes: int64(c.Bytes), Workers: 2, Waiting: c.Waiting, Stored: int64(c.Stored), Attempts: c.Attempts, Timeout: time.Minute}
	var side *jobSide
	j.rig = newRig(t, func(deps *serverDeps) {
		d.Runner = jobRunner{deps.Runner, func(tenant string, a *pipeline.Answer, tier string) { j.server.observe(tenant, a, tier) }}
		j.service = jobs.New(d)
		side = newJobSide(j.service, nil, &j.config, fakeCheck(deps.Models))
		side.spool = t.TempDir()
		deps.Jobs = side
	})
	force := workforce{service: j.service, works: !idle}
	force.begin()
	j.stop = force.end
	t.Cleanup(func() { side.part(); force.end() })
	return j
}

// fakeCheck refuses kinds as the pipeline does, and top_k above 100.
func fakeCheck(models modelSource) func(*pipeline.Request) error {
	return func(r *pipeline.Request) error {
		m, err := models.Lookup(r.Model)
		if err != nil {
			return err
		}
		if (r.Item.Image != nil) != (m.Spec.Preprocess != nil) {
			return fault.New(fault.Invalid, "invalid_request", "model %q takes no such items", r.Model).At("body", "wrong kind of input")
		}
		if r.Options.TopK != nil && *r.Options.TopK > 100 {
			return fault.New(fault.Invalid, "invalid_request", "top_k: too many").At("top_k", "too many")
		}
		_, err = m.Resolve(r.Version)
		return err
	}
}

// submit hands a job in, which has to be taken.
func (j *jobRig) submit(t testing.TB, query, kind, body string, header ...string) jobDoc {
	t.Helper()
	res, text := j.do(t, "POST", "/v1/jobs?"+query, kind, body, header...)
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %d %s", query, res.StatusCode, text)
	}
	doc := decode[jobDoc](t, text)
	if doc.ID == "" || res.Header.Get("Location") != "/v1/jobs/"+doc.ID {
		t.Fatalf("Location %q of %s", res.Header.Get("Location"), text)
	}
	return doc
}

// ended waits for a job's end.
func (j *jobRig) ended(t testing.TB, id string) jobDoc {
	t.Helper()
	res, text := j.do(t, "GET", "/v1/jobs/"+id+"?wait=30s", "", "")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	doc := decode[jobDoc](t, text)
	if !jobs.State(doc.State).Final() {
		t.Fatalf("not final: %s", text)
	}
	return doc
}

// jobDoc is a job as a client reads it.
type jobDoc struct {
	ID, Model, Version, State, Priority string
	Position                            *int
	EstimateSeconds                     *float64 `json:"estimate_seconds"`
	Progress                            struct{ Done, Failed, Total int }
	Attempts                            int
	Names                               []string
	Poison, Cancelling                  bool
	Error                               *problemDoc
	Result                              json.RawMessage
	Links                               map[string]string
	RunAt                               *time.Time `json:"run_at"`
	ExpiresAt                           *time.Time `json:"expires_at"`
	FinishedAt                          *time.Time `json:"finished_at"`
}

type problemDoc struct {
	Code, Detail, Title string
	Status              int
	RequestID           string `json:"request_id"`
	Retryable           bool
	Errors              []struct{ Location, Message string }
}

// refused wants a problem of a status and code at a place, and nothing enqueued.
func (j *jobRig) refused(t *testing.T, status int, code, place, query, kind, body string, header ...string) {
	t.Helper()
	before, _ := j.store.counts()
	res, text := j.do(t, "POST", "/v1/jobs?"+query, kind, body, header...)
	p := problemDoc{}
	_ = json.Unmarshal([]byte(text), &p)
	if res.StatusCode != status || p.Code != code {
		t.Errorf("%s: %d %s, want %d %s", query, res.StatusCode, text, status, code)
		return
	}
	if place != "" && (len(p.Errors) == 0 || p.Errors[0].Location != place) {
		t.Errorf("%s: places %v, want %s", query, p.Errors, place)
	}
	if after, _ := j.store.counts(); after != before {
		t.Errorf("%s: a job was enqueued", query)
	}
	if list := j.listed(t, ""); len(list) > 0 {
		t.Errorf("%s: %d jobs", query, len(list))
	}
}

func (j *jobRig) listed(t testing.TB, query string) []jobDoc {
	t.Helper()
	res, text := j.do(t, "GET", "/v1/jobs"+query, "", "")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	return decode[struct{ Jobs []jobDoc }](t, text).Jobs
}

// live serves a rig over a real connection, for what streams.
func (j *jobRig) live(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(j.http)
	t.Cleanup(s.Close)
	return strings.TrimSuffix(s.URL, "/")
}
