// Package catalog knows which models exist, what each does and which load of it is running. It exists so that a request needs no
// call to find out: it asks the backend twice a second, reads task.yaml and labels where they changed (labels also from the backend), and publishes the whole as
// one immutable snapshot, which requests read without a lock.
//
// How old may an answer from the cache be? A cache key holds the load epoch of the snapshot, so an entry of an earlier load is hit for as
// long as the snapshot names that load: one Interval after a reload behind our back, normally. When the backend does not answer in
// time, a reload may go unseen for longer; Fresh then says no, and stored answers are not used. One case is different: a backend
// that cannot be reached at all. Nothing newer can be had from it, its last answers are the best there is, and when it comes back, changed or
// not, the next look names the new epoch within one Interval. So Fresh stays true then.
package catalog

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
)

// Source is what the catalog asks of the backend.
type Source interface {
	// Index lists every version of every model. The kind of its error matters: fault.Unavailable says that the backend cannot be reached.
	Index(ctx context.Context) ([]backend.ModelStatus, error)
	// Config gives the completed config of a model that has a ready version.
	Config(ctx context.Context, model string) (*modelconfig.Config, error)
}

// Options sets up a Catalog.
type Options struct {
	Repository string        // a local folder with model folders, for task.yaml, labels and samples; "" if there is none
	Interval   time.Duration // between two looks; 0 is half a second
	Log        *slog.Logger  // nil is slog.Default()
}

const (
	defaultInterval = 500 * time.Millisecond
	indexTimeout    = time.Second     // of one Index
	configTimeout   = 5 * time.Second // of all Configs of one look
	// freshFor is how long a look is good for serving stored answers. With what the backend itself needs to notice a change, it keeps stale
	// answers below two seconds.
	freshFor = 1500 * time.Millisecond
)

// Catalog is safe for concurrent use.
type Catalog struct {
	source  Source
	options Options
	log     *slog.Logger

	now     atomic.Pointer[snapshot]
	pins    pins
	looked  atomic.Int64 // when the last look began that told something, as time since born; 0: never
	born    time.Time
	problem atomic.Pointer[fault.Error] // why the last look failed; nil if it did not

	turn   chan struct{} // held by the look in progress
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// snapshot is everything at one moment. It is never changed.
type snapshot struct {
	models map[string]*Model
	list   []*Model // by name
}

// New makes a catalog, looks once, and goes on looking until Close. That the first look fails is no error: see Ready.
func New(source Source, o Options) *Catalog {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Catalog{source: source, options: o, log: o.Log, born: time.Now(), turn: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	_ = c.Refresh(ctx) // kept in problem
	c.done.Go(func() { c.loop(ctx) })
	return c
}

func (c *Catalog) loop(ctx context.Context) {
	tick := time.NewTicker(c.options.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = c.Refresh(ctx) // kept in problem
		case <-ctx.Done():
			return
		}
	}
}

// Close stops looking. The last snapshot stays readable.
func (c *Catalog) Close() error {
	c.cancel()
	c.done.Wait()
	return nil
}

// Lookup gives a model that can be asked. It neither locks nor allocates when it succeeds. Errors: NotFound model_not_found, naming similar
// models; Unavailable backend_unavailable with the reason, for a model that is known and not ready, and for every model before the
// first look has succeeded.
func (c *Catalog) Lookup(name string) (*Model, error) {
	s := c.now.Load()
	if s == nil {
		return nil, c.notYet()
	}
	m, ok := s.models[name]
	if !ok {
		return nil, NoModel(name, s.list)
	}
	if m.Error != "" {
		return nil, fault.New(fault.Unavailable, "backend_unavailable", "model %q cannot be served: %s", name, m.Error).After(time.Second)
	}
	return m, nil
}

// Has reports whether there is a model of that name, one that cannot be served included. It neither locks nor allocates.
func (c *Catalog) Has(name string) bool {
	s := c.now.Load()
	return s != nil && s.models[name] != nil
}

// Models lists all models by name, those that cannot be served included.
func (c *Catalog) Models() []*Model {
	if s := c.now.Load(); s != nil {
		return s.list
	}
	return nil
}

// Loaded reports whether a look has ever succeeded.
func (c *Catalog) Loaded() bool { return c.now.Load() != nil }

// Ready is nil if the last look succeeded. Otherwise the error, Unavailable backend_unavailable, says why not; the models are then those of the last
// look that did.
func (c *Catalog) Ready() error {
	if !c.Loaded() {
		return c.notYet()
	}
	if p := c.problem.Load(); p != nil {
		return p
	}
	return nil
}

// Fresh reports whether stored answers may be served by the epochs of the snapshot: the last look began less than 1.5 s ago and
// succeeded, or found that the backend cannot be reached. See the package's comment.
func (c *Catalog) Fresh() bool {
	looked := c.looked.Load()
	return looked > 0 && int64(time.Since(c.born))-looked < int64(freshFor)
}

func (c *Catalog) notYet() *fault.Error {
	if p := c.problem.Load(); p != nil {
		return p
	}
	return fault.New(fault.Unavailable, "backend_unavailable", "the models are not known yet; ask again in a moment").After(time.Second)
}
