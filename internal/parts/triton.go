package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// startAttempts is how often a start is tried that failed by bad luck.
const startAttempts = 6

// transient is true for the one way in which this Triton ends on a crowded machine: its Python backend gives up when a
// lock that it shares with a model's process is not free within ten seconds. It comes with many models that start at the same time, so two at a time are loaded.
func transient(err error) bool { return strings.Contains(err.Error(), "lock_exception") }

// TritonServer is a real Triton Inference Server, with an `onnxruntime` and a `python` backend. The addresses stay the same
// over a restart. Its methods are for one goroutine at a time; the addresses may be read by all.
type TritonServer struct {
	GRPC       string // host:port
	HTTP       string // host:port
	Metrics    string // host:port, Prometheus text at /metrics
	Repository string // absolute path of the model repository it serves

	command Command
	dir     string // backend directory, ours
	shm     string // prefix of its shared memory, by which what a killed one left is found
	*Process
}

// Triton starts a Triton on a model repository for the length of one test; a relative path counts from the module's root.
// It takes some seconds: tests of one package better share one, see [Shared].
func Triton(tb testing.TB, repository string, options ...TritonOption) *TritonServer {
	tb.Helper()
	server, err := StartTriton(repository, options...)
	Check(tb, err)
	tb.Cleanup(func() {
		showLog(tb, server.Process, "Triton")
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// StartTriton starts a Triton that lives until Close. The error is [ErrMissing] when none is installed, and
// holds the end of Triton's log when it did not become ready.
func StartTriton(repository string, options ...TritonOption) (*TritonServer, error) {
	settings := newTritonSettings(options)
	install, err := findTriton()
	if err != nil {
		return nil, err
	}
	if repository, err = fromRoot(repository); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		server, err := startTriton(install, repository, settings)
		if err == nil || attempt == startAttempts || !(transient(err) || strings.Contains(err.Error(), "already in use")) {
			return server, err
		}
	}
}

func startTriton(install tritonInstall, repository string, settings tritonSettings) (*TritonServer, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "triton-gateway-backends-")
	if err != nil {
		return nil, err
	}
	s := &TritonServer{
		GRPC: local(ports[0]), HTTP: local(ports[1]), Metrics: local(ports[2]),
		Repository: repository, dir: dir, shm: filepath.Base(dir),
	}
	if err := install.backends(dir); err != nil {
		s.sweep()
		return nil, fmt.Errorf("make Triton's backend directory: %w", err)
	}
	args := []string{
		"--model-repository=" + repository, "--backend-directory=" + dir,
		"--cache-directory=" + filepath.Join(install.server, "caches"),
		"--grpc-address=127.0.0.1", "--http-address=127.0.0.1", "--metrics-address=127.0.0.1",
		"--grpc-port=" + strconv.Itoa(ports[0]), "--http-port=" + strconv.Itoa(ports[1]), "--metrics-port=" + strconv.Itoa(ports[2]),
		"--allow-gpu-metrics=false",
		// Completing a config.pbtxt costs a process per version, and the Python backend could complete none.
		"--disable-auto-complete-config", "--model-load-thread-count=2",
		"--backend-config=python,shm-region-prefix-name=" + s.shm, "--backend-config=onnxruntime,shm-region-prefix-name=" + s.shm,
		// How long a model's process may take to start: 30 s are not enough on every machine.
		"--backend-config=python,stub-timeout-seconds=180", "--backend-config=onnxruntime,stub-timeout-seconds=180",
		"--exit-on-error=" + strconv.FormatBool(settings.exitOnErr),
	}
	s.command = Command{
		Path: install.binary(), Args: append(append(args, settings.control...), settings.args...), Env: install.env(),
		// The last of its three services to start, after the models are loaded.
		Ready: func(line string) bool { return strings.Contains(line, "Started Metrics Service at") },
	}
	if s.Process, err = start(s.command); err != nil {
		s.sweep()
		return nil, err
	}
	return s, nil
}

// Restart starts it again on the same addresses, after Kill or Stop; one that still runs is stopped first.
func (s *TritonServer) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		s.clearShm()
		process, err := start(s.command)
		if err == nil {
			s.output.remove()
			s.Process = process
			return nil
		}
		if attempt == startAttempts || !transient(err) {
			return err
		}
	}
}

// Close ends it and removes all that it left behind. It does not ask first: a Triton takes three seconds to end in peace.
func (s *TritonServer) Close() error {
	s.Kill()
	s.output.remove()
	s.sweep()
	return nil
}

func (s *TritonServer) sweep() {
	s.clearShm()
	_ = os.RemoveAll(s.dir)
}

// clearShm removes the shared memory of a server that was killed before it could do so.
func (s *TritonServer) clearShm() {
	left, _ := filepath.Glob("/dev/shm/" + s.shm + "*")
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// fromRoot makes a path absolute that counts from the module's root.
func fromRoot(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	root, err := moduleRoot()
	return filepath.Join(root, path), err
}
