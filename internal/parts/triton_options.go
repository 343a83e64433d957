package parts

import (
	"fmt"
	"strconv"
	"time"
)

// TritonOption changes how a Triton is started.
type TritonOption func(*tritonSettings)

type tritonSettings struct {
	args      []string // beyond the fixed ones
	control   []string // how models come and go
	exitOnErr bool     // whether a model that cannot be loaded ends the start
}

func newTritonSettings(options []TritonOption) tritonSettings {
	s := tritonSettings{control: []string{"--model-control-mode=explicit", "--load-model=*"}, exitOnErr: true}
	for _, option := range options {
		option(&s)
	}
	return s
}

// WithResponseCache turns on Triton's own cache of this many bytes. A model takes part when its config.pbtxt
// has `response_cache { enable: true }`.
func WithResponseCache(bytes int) TritonOption {
	return WithTritonArgs("--cache-config=local,size=" + strconv.Itoa(bytes))
}

// WithModels starts in explicit mode with these models loaded, or none; others are loaded by request.
// Without an option a Triton starts in explicit mode with all models loaded.
func WithModels(names ...string) TritonOption {
	return func(s *tritonSettings) {
		s.control = []string{"--model-control-mode=explicit"}
		for _, name := range names {
			s.control = append(s.control, "--load-model="+name)
		}
	}
}

// WithPolling makes Triton look at the repository every so often (whole seconds, at least one) and load what changed.
func WithPolling(every time.Duration) TritonOption {
	return func(s *tritonSettings) {
		seconds := max(1, int(every/time.Second))
		s.control = []string{"--model-control-mode=poll", fmt.Sprintf("--repository-poll-secs=%d", seconds)}
	}
}

// WithFixedModels starts in mode `none`: all models are loaded, and requests to load or unload are refused.
func WithFixedModels() TritonOption {
	return func(s *tritonSettings) { s.control = []string{"--model-control-mode=none"} }
}

// WithBrokenModels lets Triton start though a model of the repository cannot be loaded. It then serves the others, and calls
// itself not ready.
func WithBrokenModels() TritonOption {
	return func(s *tritonSettings) { s.exitOnErr = false }
}

// WithTritonArgs adds flags of tritonserver.
func WithTritonArgs(args ...string) TritonOption {
	return func(s *tritonSettings) { s.args = append(s.args, args...) }
}
