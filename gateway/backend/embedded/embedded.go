// Package embedded runs models in this process with ONNX Runtime, out of the same model repository that Triton serves. It exists
// so that one command runs everything: no server, no GPU, no configuration.
//
// A folder means what it means in Triton: config.pbtxt (version_policy, max_batch_size, reshape, default_model_filename,
// instance_group, the parameter intra_op_thread_count; what is missing is taken from the model), one folder per version.
// Folders that change on disk are loaded again without a restart and without a gap: see watch.go.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// Config sets up an Engine.
type Config struct {
	Repository string          // the folder of model folders
	Library    string          // ONNX Runtime's shared library; "" searches the places that ort.Find names
	Threads    int             // threads that all runs together may use; 0 is GOMAXPROCS
	Interval   time.Duration   // how often the folder is looked at; 0 is half a second
	Log        *slog.Logger    // nil is slog.Default()
	Priorities priority.Policy // of the lines in which calls wait for an instance
}

const (
	defaultInterval = 500 * time.Millisecond
	// settleTime is how long a folder must stay unchanged before it is read, so that a file is not read while it is written.
	settleTime = 100 * time.Millisecond
)

// session is what the engine asks of ONNX Runtime; tests put others in its place.
type session interface {
	Graph() ort.Graph
	Run(ctx context.Context, inputs []tensor.Tensor, shapes [][]int64) ([]tensor.Tensor, error)
	Stop()
	Close() error
}

var _ session = (*ort.Session)(nil)

// Engine is a backend that runs the models itself.
type Engine struct {
	config  Config
	log     *slog.Logger
	library *ort.Runtime
	open    func(model []byte, o ort.Options) (session, error)

	threads *semaphore.Weighted // of all runs together
	loads   chan struct{}       // bounds the folders that are loaded at the same time
	shown   atomic.Pointer[map[string]*shown]

	base   context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // the watcher and the loads
	life   sync.RWMutex   // held for reading by every Infer, for writing by Close
	closed bool

	mu     sync.Mutex // guards the rest, and every start of work
	models map[string]*model
	off    map[string]bool // unloaded by name
}

var (
	_ backend.Backend    = (*Engine)(nil)
	_ backend.Streamer   = (*Engine)(nil)
	_ backend.Teller     = (*Engine)(nil)
	_ backend.Controller = (*Engine)(nil)
	_ backend.Gate       = (*Engine)(nil)
)

// New loads every model of the repository and then watches the folder. A model that cannot be loaded is logged and shown by
// Index; it does not keep the engine from starting. Errors are fault.Unavailable: no such folder, or no usable library (the cause
// is then ort.ErrNoLibrary and the text says what to do).
func New(c Config) (*Engine, error) {
	path, err := ort.Find(c.Library)
	if err != nil {
		return nil, unavailable("%v", err).Wrap(err)
	}
	library, err := ort.Open(path)
	if err != nil {
		return nil, unavailable("%v", err).Wrap(err)
	}
	e := newEngine(c, func(model []byte, o ort.Options) (session, error) { return library.Load(model, o) })
	e.library = library
	if err := e.start(); err != nil {
		_ = e.Close()
		return nil, err
	}
	e.log.Info("embedded engine is up", "library", library.Path(), "version", library.Version(), "threads", e.config.Threads)
	return e, nil
}

func newEngine(c Config, open func([]byte, ort.Options) (session, error)) *Engine {
	if c.Threads <= 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	e := &Engine{config: c, log: c.Log, open: open, models: map[string]*model{}, off: map[string]bool{},
		threads: semaphore.NewWeighted(int64(c.Threads)), loads: make(chan struct{}, c.Threads)}
	e.shown.Store(&map[string]*shown{})
	e.base, e.cancel = context.WithCancel(context.Background())
	return e
}

// Library tells the file and the version of the ONNX Runtime in use.
func (e *Engine) Library() (path, version string) { return e.library.Path(), e.library.Version() }

// Close stops the watcher, ends running inferences and frees every session. Later calls of Infer answer fault.Unavailable.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.cancel() // from here on nothing starts work
	e.mu.Unlock()
	e.work.Wait()
	e.life.Lock()
	defer e.life.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.shown.Store(&map[string]*shown{})
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.models {
		m.drop()
	}
	e.models = map[string]*model{}
	if e.library == nil {
		return nil
	}
	if err := e.library.Close(); err != nil {
		return fmt.Errorf("closing ONNX Runtime: %w", err)
	}
	return nil
}

// Index lists every version that the version policies choose, and models of which none could be read. A version that is READY and has a
// Reason serves an earlier load: its files have changed, and what is there now cannot be loaded.
func (e *Engine) Index(context.Context) ([]backend.ModelStatus, error) {
	var out []backend.ModelStatus
	for _, m := range *e.shown.Load() {
		out = append(out, m.status...)
	}
	slices.SortFunc(out, compareStatus)
	return out, nil
}

// Config gives the config of the model's highest ready version, completed from the model's file. Errors are fault.NotFound and
// fault.Unavailable.
func (e *Engine) Config(_ context.Context, name string) (*modelconfig.Config, error) {
	m, ok := (*e.shown.Load())[name]
	if !ok {
		return nil, unknownModel(name)
	}
	if len(m.ready) == 0 {
		return nil, unavailable("model %q is not ready: %s", name, m.reason())
	}
	c := *m.ready[0].run.config
	return &c, nil
}

func unknownModel(name string) *fault.Error {
	return fault.New(fault.NotFound, "model_not_found", "Request for unknown model: '%s' is not found", name)
}

func unavailable(format string, args ...any) *fault.Error {
	return fault.New(fault.Unavailable, "backend_unavailable", format, args...).After(time.Second)
}
