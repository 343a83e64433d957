package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/sqs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// onMoto makes the queues and the table of a URL on a server that speaks like AWS.
func onMoto(t *testing.T, endpoint, prefix, options string) string {
	t.Helper()
	url := "sqs://eu-central-1/" + prefix + "?visibility=10s&endpoint=" + endpoint + options
	if _, err := sqs.Setup(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// TestSQSByConfiguration: what one process took in by the settings alone is there for the next one, which works on it; with queues of either kind.
func TestSQSByConfiguration(t *testing.T) {
	_, endpoint := parts.Moto(t)
	for name, options := range map[string]string{"standard": "", "fifo": "&fifo=true"} {
		t.Run(name, func(t *testing.T) {
			fake, queue := adder(t), Queue(onMoto(t, endpoint, name, options))
			api, stop := run(t, fake, queue, Roles{API: true})
			status, text := ask(t, "POST", "http://"+api.Addr()+"/v1/jobs?model=m", tensorCall)
			job := decode[jobDoc](t, text)
			if status != 202 || job.State != "queued" {
				t.Fatalf("%d %s", status, text)
			}
			stop()
			worker, _ := run(t, fake, queue, Roles{Jobs: true})
			done := jobDoc{}
			parts.Until(t, "the job is done", time.Minute, func() bool {
				_, text = ask(t, "GET", "http://"+worker.Addr()+"/v1/jobs/"+job.ID+"?wait=20s", "")
				done = decode[jobDoc](t, text)
				return done.State != "queued" && done.State != "running"
			})
			if done.State != "succeeded" || !strings.Contains(string(done.Result), `"outputs"`) {
				t.Errorf("%s", text)
			}
		})
	}
}

// hybridRig is a gateway that answers by a Redis and SQS together, which the test sees each.
type hybridRig struct {
	*testing.T
	base      string
	redis     *parts.RedisServer
	near, far jobs.Store
	taken     []string // ids that were accepted
}

// hand hands a job in, and gives the status and the id.
func (r *hybridRig) hand(priority, key string) (int, string) {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), "POST", r.base+"/v1/jobs?model=m&priority="+priority, strings.NewReader(tensorCall))
	if err != nil {
		r.Fatal(err)
	}
	q.Header.Set("Content-Type", typeJSON)
	if key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.Error(err)
	}
	return res.StatusCode, decode[jobDoc](r, string(text)).ID
}

// accepted hands a job in that has to be taken.
func (r *hybridRig) accepted(priority, key string) string {
	r.Helper()
	status, id := r.hand(priority, key)
	if status != 202 || id == "" {
		r.Fatalf("a %s job with key %q: %d", priority, key, status)
	}
	r.taken = append(r.taken, id)
	return id
}

// in wants a job in one of the stores alone, and to be found by its id.
func (r *hybridRig) in(id string, near bool) {
	r.Helper()
	_, n := r.near.Get(r.Context(), id)
	_, f := r.far.Get(r.Context(), id)
	if near && (n != nil || fault.KindOf(f) != fault.NotFound) || !near && (f != nil || fault.KindOf(n) != fault.NotFound) {
		r.Fatalf("job %s: near %v, far %v; want it near: %v", id, n, f, near)
	}
	if status, text := ask(r.T, "GET", r.base+"/v1/jobs/"+id, ""); status != 200 || decode[jobDoc](r, text).ID != id {
		r.Errorf("%d %s", status, text)
	}
}

func (r *hybridRig) status(id string) int {
	r.Helper()
	status, _ := ask(r.T, "GET", r.base+"/v1/jobs/"+id, "")
	return status
}

// TestHybridByConfiguration goes through what a hybrid promises, opened by the settings alone.
func TestHybridByConfiguration(t *testing.T) {
	_, endpoint := parts.Moto(t)
	r := &hybridRig{T: t, redis: parts.Redis(t, parts.WithPersistence())}
	batch := onMoto(t, endpoint, "photos", "")
	queue := Queue(fmt.Sprintf(`{"realtime":%q,"batch":%q,"overflow":3}`, r.redis.URL(), batch))
	c := DefaultConfig().Jobs
	for url, store := range map[string]*jobs.Store{r.redis.URL(): &r.near, batch: &r.far} {
		s, err := openOne(t.Context(), url, &c, quietLog())
		if err != nil {
			t.Fatal(err)
		}
		*store = s
		t.Cleanup(func() { _ = s.Close() })
	}
	fake := adder(t)
	api, stop := run(t, fake, queue, Roles{API: true})
	r.base = "http://" + api.Addr()

	var near string
	for i := range 5 { // realtime jobs go near while fewer than three wait there
		id := r.accepted("realtime", "")
		r.in(id, i < 3)
		near = r.taken[0]
	}
	far := r.accepted("batch", "")
	r.in(far, false)
	r.in(r.accepted("interactive", ""), false)
	if status, text := ask(t, "GET", r.base+"/v1/jobs", ""); status != 200 || strings.Count(text, `"id"`) != 7 {
		t.Errorf("%d %s", status, text)
	}
	r.keys()
	r.keysAtOnce()

	r.redis.Kill() // what is far goes on, and what is near is refused or overflows
	r.in2(r.accepted("batch", ""))
	r.in2(r.accepted("realtime", ""))
	if status, _ := r.hand("realtime", "another"); status != 503 {
		t.Errorf("a job that might be near already: %d", status)
	}
	if n, f := r.status(near), r.status(far); n != 503 || f != 200 {
		t.Errorf("while the near store is away: %d, %d", n, f)
	}
	if err := r.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "the near store is back", time.Minute, func() bool { return r.status(near) == 200 })
	parts.Until(t, "its keys are, too", time.Minute, func() bool {
		status, id := r.hand("realtime", "another")
		if status == 202 {
			r.taken = append(r.taken, id)
		}
		return status == 202
	})
	stop()
	worker, _ := run(t, fake, queue, Roles{Jobs: true})
	r.base = "http://" + worker.Addr()
	for _, id := range r.taken {
		job := jobDoc{}
		parts.Until(t, "job "+id+" is done", 2*time.Minute, func() bool {
			status, text := ask(t, "GET", r.base+"/v1/jobs/"+id+"?wait=10s", "")
			job = decode[jobDoc](t, text)
			return status == 200 && job.State != "queued" && job.State != "running"
		})
		if job.State != "succeeded" || job.Attempts > 1 || !strings.Contains(string(job.Result), `"outputs"`) {
			t.Errorf("job %s: %+v", id, job)
		}
	}
}

// in2 wants a job far, while nobody can look near.
func (r *hybridRig) in2(id string) {
	r.Helper()
	if _, err := r.far.Get(r.Context(), id); err != nil {
		r.Errorf("job %s: %v", id, err)
	}
}

// keys: one key is one job in both stores, and another body with it is refused, be it of the other store.
func (r *hybridRig) keys() {
	r.Helper()
	for key, homes := range map[string][2]string{"near": {"realtime", "batch"}, "far": {"batch", "realtime"}} {
		first := r.accepted(homes[0], key)
		r.in(first, key == "near")
		for range 2 {
			if status, id := r.hand(homes[0], key); status >= 300 || id != first {
				r.Errorf("key %s again: %d %s, want %s", key, status, id, first)
			}
			if status, _ := r.hand(homes[1], key); status != 409 {
				r.Errorf("key %s for a %s job: %d", key, homes[1], status)
			}
		}
	}
}

// keysAtOnce: many hand in one key at the same moment, with different priorities.
func (r *hybridRig) keysAtOnce() {
	r.Helper()
	for round := range 4 {
		var (
			wait sync.WaitGroup
			mu   sync.Mutex
			key  = fmt.Sprint("round ", round)
			ids  = map[string]int{}
		)
		for i := range 8 {
			wait.Go(func() {
				status, id := r.hand([]string{"realtime", "batch"}[i%2], key)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case status == 202 || status == 200:
					ids[id]++
				case status != 409:
					r.Errorf("%s: %d", key, status)
				}
			})
		}
		wait.Wait()
		if len(ids) > 1 {
			r.Errorf("%s: %d jobs", key, len(ids))
		}
		for id := range ids {
			r.taken = append(r.taken, id)
		}
		_, n := r.near.(jobs.Keyed).ByKey(r.Context(), "", key)
		_, f := r.far.(jobs.Keyed).ByKey(r.Context(), "", key)
		if (n == nil) == (f == nil) {
			r.Errorf("%s: near %v, far %v; want it in one of them", key, n, f)
		}
	}
}
