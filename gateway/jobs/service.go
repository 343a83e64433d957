package jobs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"triton-gateway/gateway/pipeline"
)

// Runner answers one item; the pipeline is one.
type Runner interface {
	// Run answers one item. Errors are *fault.Error.
	Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error)
}

// Decoder makes requests of what was handed in. The package that read the body knows how.
type Decoder interface {
	// Decode makes the request of the item of that index. data is the item's bytes; the request may hold on to them. Errors are those that infer gives.
	Decode(spec *Spec, index int, data []byte) (*pipeline.Request, error)
}

// Observer is told what becomes of jobs, for metrics. Its methods are called by many goroutines and must not wait.
type Observer interface {
	// Leased tells that a job was taken, and how long it was due before.
	Leased(j *Job, waited time.Duration)
	// Settled tells that a lease ended: j is the job as it was leased, o what was written, ran how long the lease was held.
	Settled(j *Job, o Outcome, ran time.Duration)
	// Told tells that a webhook was called.
	Told(ok bool)
}

// Deps is what a Service is made of.
type Deps struct {
	Store   Store
	Runner  Runner  // needed by Work
	Decoder Decoder // needed by Work
	// Problem makes the document of the item of that index, which cannot be answered, and tells whether its input is at fault, so that no attempt can
	// succeed. Needed by Work.
	Problem func(spec *Spec, index int, err error) (body []byte, poison bool)
	// Batch gives how many items the model takes at once (its max_batch_size); 0 or 1: it takes none together. Items of a job run one by one through the
	// Runner, each with its own place in the cache; twice as many run side by side as the model takes, so that whoever forms batches below, in this process or
	// in the server, fills one while another runs. nil: Limits.Parallel for all models.
	Batch    func(model, version string) int
	Log      *slog.Logger     // nil: none
	Now      func() time.Time // nil: time.Now; the stamps of jobs
	Limits   Limits
	Webhook  Webhook
	Observer Observer // nil: nobody watches
}

// Limits bound jobs and the work on them. Each zero stands for the value that is named.
type Limits struct {
	Workers  int           // jobs that this process runs at a time: 4
	Parallel int           // items of one job at a time: 16; more where the model takes larger batches
	Crashes  int           // leases in a row that end with their worker and without a result, after which the item at work is given up: 6; at least 3
	Memory   int64         // bytes of the items that this process has at work: 64 MiB; an item that is larger runs alone
	Timeout  time.Duration // of one item: 30 s
	Pause    time.Duration // how long a job keeps its worker while the pipeline turns its items away: 10 s
	Outage   time.Duration // how long after its start a job loses no attempt by a backend that is away: 10 min
	Grace    time.Duration // what items at work may take when Work is to end: 10 s

	Attempts  int           // where the caller names none: 3
	ResultTTL time.Duration // where the caller names none: 1 h
	Items     int           // of one job: 100,000
	Bytes     int64         // of one job's items: 4 GiB
	Waiting   int           // jobs that wait: 1,000,000
	Stored    int64         // bytes of blobs: no limit
}

func (l Limits) filled() Limits {
	fill(&l.Workers, 4)
	fill(&l.Parallel, 16)
	fill(&l.Crashes, 6)
	l.Crashes = max(l.Crashes, aloneAfter+1)
	fill(&l.Memory, 64<<20)
	fill(&l.Timeout, 30*time.Second)
	fill(&l.Pause, 10*time.Second)
	fill(&l.Outage, 10*time.Minute)
	fill(&l.Grace, 10*time.Second)
	fill(&l.Attempts, 3)
	fill(&l.ResultTTL, time.Hour)
	fill(&l.Items, 100_000)
	fill(&l.Bytes, 4<<30)
	fill(&l.Waiting, 1_000_000)
	return l
}

func fill[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// usualTerm is the length of a lease where the store wants no other: with the time between two looks, a dead worker's job is with another in 10 s.
const usualTerm = 9 * time.Second

// Service is jobs over one store. It is safe for concurrent use; the store is its owner's to close, after Work and Keep have ended.
type Service struct {
	Deps
	term   time.Duration       // of a lease
	held   *semaphore.Weighted // Limits.Memory
	lonely atomic.Bool         // a job runs alone: see alone.go
	wake   chan struct{}       // a job may be due
	hub    hub
	meter  meter
	tells  tells

	mu      sync.Mutex
	nudges  map[string]chan struct{} // job id -> its worker here should ask the store now
	paces   pace                     // of all jobs
	paceOf  map[class]*pace
	working atomic.Int32 // calls of Work under way
}

// New makes a Service. Nothing runs until Work or Keep is called.
func New(d Deps) *Service {
	d.Limits = d.Limits.filled()
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, term: TermOf(d.Store), held: semaphore.NewWeighted(d.Limits.Memory), wake: make(chan struct{}, 1), nudges: map[string]chan struct{}{},
		paceOf: map[class]*pace{}}
	s.meter.asking = make(chan struct{}, 1)
	s.hub.watchers = map[string]map[chan struct{}]struct{}{}
	s.tells = newTells(d.Webhook)
	return s
}

// woken lets an idle worker of this process look at once.
func (s *Service) woken() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
