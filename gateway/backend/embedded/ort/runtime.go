//go:build cgo

package ort

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// owner is the one global of this package, because the library has one: the binding keeps a single environment per process.
// The first Open makes it, the last Close ends it.
var owner struct {
	sync.Mutex
	refs int
	path string
}

// Runtime is a claim on the process's ONNX Runtime. Each Open is paired with one Close.
type Runtime struct {
	once sync.Once
	path string
}

// Open loads the library at path, or joins the one that is loaded already if it is the same file. Errors are ErrNoLibrary: not
// a library, too old, or another one is in use.
func Open(path string) (*Runtime, error) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	owner.Lock()
	defer owner.Unlock()
	if owner.refs > 0 && owner.path != path {
		return nil, fmt.Errorf("%w: this process already uses %s, so %s cannot be loaded as well", ErrNoLibrary, owner.path, path)
	}
	if owner.refs == 0 {
		onnxruntime.SetSharedLibraryPath(path)
		// Every failure comes back as an error and is logged with its model; the library's own lines on stderr would be doubles.
		if err := onnxruntime.InitializeEnvironment(onnxruntime.WithLogLevelFatal()); err != nil {
			return nil, explain(path, err)
		}
		if err := shareArena(); err != nil {
			_ = onnxruntime.DestroyEnvironment()
			return nil, explain(path, err)
		}
		owner.path = path
	}
	owner.refs++
	return &Runtime{path: path}, nil
}

// shareArena gives all sessions one arena for what a run needs on its way. With one each, which is the library's default, every session
// keeps the memory of its own largest run for good; without any, malloc keeps more than that, and a run costs a tenth more time.
// Weights stay outside, so that a closed session gives them back: see sessionOptions.
func shareArena() error {
	memory, err := onnxruntime.GetMemoryInfo()
	if err != nil {
		return err
	}
	const byDefault = -1
	config, err := onnxruntime.NewArenaCfg(0, byDefault, byDefault, byDefault)
	if err != nil {
		return err
	}
	defer config.Destroy()
	return onnxruntime.CreateAndRegisterAllocator(memory, config)
}

func explain(path string, err error) error {
	if strings.Contains(err.Error(), "API base: 2") { // the library does not have the version of the API that was asked for
		return fmt.Errorf("%w: %s is too old; %s or newer is needed: run `make deps`, or name another library", ErrNoLibrary, path, MinVersion)
	}
	return fmt.Errorf("%w: %s cannot be loaded (%w); run `make deps`, or name another library", ErrNoLibrary, path, err)
}

// Path is the library's file.
func (r *Runtime) Path() string { return r.path }

// Version is the library's own version, such as "1.24.3".
func (r *Runtime) Version() string {
	owner.Lock()
	defer owner.Unlock()
	if owner.refs == 0 {
		return ""
	}
	return onnxruntime.GetVersion()
}

// Close gives the claim back. All sessions must be closed before.
func (r *Runtime) Close() error {
	var err error
	r.once.Do(func() {
		owner.Lock()
		defer owner.Unlock()
		if owner.refs--; owner.refs == 0 {
			err = onnxruntime.DestroyEnvironment()
		}
	})
	return err
}
