package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is a runner whose answers the test writes.
type model struct {
	mu      sync.Mutex
	calls   map[string]int // by the item's text
	running int
	most    int // that ran at a time
	do      func(ctx context.Context, text string, call int) error
	took    time.Duration
}

func (m *model) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	text := string(r.Item.Image.Bytes)
	m.mu.Lock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	m.calls[text]++
	call := m.calls[text]
	m.running++
	m.most = max(m.most, m.running)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.running--
		m.mu.Unlock()
	}()
	if m.took > 0 {
		select {
		case <-time.After(m.took):
		case <-ctx.Done():
			return nil, fault.Ended(ctx.Err(), "in the model")
		}
	}
	if m.do != nil {
		if err := m.do(ctx, text, call); err != nil {
			return nil, err
		}
	}
	return &pipeline.Answer{Body: fmt.Appendf(nil, `{"model":%q,"text":%q,"from_cache":`, r.Model, text), FromCache: call > 1}, nil
}

func (m *model) count(text string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[text]
}

func (m *model) sum() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		n += c
	}
	return n
}

// decoder refuses items that begin with "bad".
type decoder struct{}

func (decoder) Decode(spec *jobs.Spec, _ int, data []byte) (*pipeline.Request, error) {
	if strings.HasPrefix(string(data), "bad") {
		return nil, fault.New(fault.Invalid, "invalid_image", "%s is no picture", data)
	}
	return &pipeline.Request{Model: spec.Model, Version: spec.Version, Tenant: spec.Tenant, Item: pipeline.Item{Image: pipeline.NewBody(data, nil)}}, nil
}

func problem(_ *jobs.Spec, _ int, err error) (body []byte, poison bool) {
	var f *fault.Error
	if !errors.As(err, &f) {
		return nil, false
	}
	body, _ = json.Marshal(map[string]string{"code": f.Code, "detail": f.Detail})
	return body, f.Kind == fault.Invalid
}

// rig is a service over a store in memory, in a bubble of its own time.
type rig struct {
	*testing.T
	*jobs.Service
	store jobs.Store
	model *model
}

// bubble runs a test in a bubble. edit changes what the service is made of.
func bubble(t *testing.T, run func(r *rig), edit ...func(*jobs.Deps)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(newRig(t, edit...)) })
}

func newRig(t *testing.T, edit ...func(*jobs.Deps)) *rig {
	m := &model{}
	d := jobs.Deps{Store: memory.New(nil), Runner: m, Decoder: decoder{}, Problem: problem}
	for _, e := range edit {
		e(&d)
	}
	return &rig{t, jobs.New(d), d.Store, m}
}

// work runs workers until the test ends, or until stop, which waits for them.
func (r *rig) work() (stop func()) { return r.run(r.Service.Work) }

func (r *rig) run(loop func(context.Context)) (stop func()) {
	stop = begin(loop)
	r.Cleanup(stop)
	return stop
}

// begin runs a loop until stop, which waits for it.
func begin(loop func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { loop(ctx) })
	return func() { cancel(); wait.Wait() }
}

// submission is a job of pictures with the given texts.
func submission(texts ...string) *jobs.Submission {
	var list []jobs.Input
	for _, t := range texts {
		list = append(list, jobs.Input{Kind: jobs.Image, Name: t + ".jpg", Data: []byte(t)})
	}
	return &jobs.Submission{Tenant: "t", Model: "shapes", Items: jobs.Each(list)}
}

func (r *rig) submit(in *jobs.Submission) *jobs.Job {
	r.Helper()
	j, created, err := r.Submit(r.Context(), in)
	if err != nil || !created {
		r.Fatalf("submitted: created %v, %v", created, err)
	}
	return j
}

// ends waits for the job's final state, which has to be the given one.
func (r *rig) ends(id string, want jobs.State, done, bad, attempt int) *jobs.Job {
	r.Helper()
	j, err := r.Wait(r.Context(), nil, id, 24*time.Hour)
	if err != nil {
		r.Fatal(err)
	}
	if j.State != want || j.Done != done || j.Bad != bad || j.Attempt != attempt {
		r.Fatalf("job is %s with %d done, %d bad, attempt %d, problem %+v; want %s, %d, %d, %d", j.State, j.Done, j.Bad, j.Attempt, j.Problem, want, done, bad, attempt)
	}
	return j
}

func (r *rig) results(id string) (list []string) {
	r.Helper()
	all, err := r.Results(r.Context(), nil, id)
	if err != nil {
		r.Fatal(err)
	}
	for _, a := range all {
		list = append(list, string(a.Body))
	}
	return list
}

func texts(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("item ", i))
	}
	return list
}

// refused wants an error of a kind and code, at a place where one is given.
func refused(t *testing.T, err error, kind fault.Kind, code, place string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Fatalf("error %v, want kind %d, code %s", err, kind, code)
	}
	if place != "" && (len(f.Fields) != 1 || f.Fields[0].Location != place) {
		t.Errorf("places %v, want %s", f.Fields, place)
	}
}
