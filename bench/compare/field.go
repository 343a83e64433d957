package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"triton-gateway/internal/parts"
)

// field is everything that runs: Triton and Redis, and the servers that are compared.
type field struct {
	targets []*target
	triton  *parts.TritonServer
	cleanup []func()
	dir     string
}

func (f *field) close() {
	for i := len(f.cleanup) - 1; i >= 0; i-- {
		f.cleanup[i]()
	}
}

func startField(ctx context.Context, s settings) (_ *field, err error) {
	f := &field{}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "compare"); err != nil {
		return nil, err
	}
	f.cleanup = append(f.cleanup, func() { os.RemoveAll(f.dir) })
	if f.triton, err = parts.StartTriton("model_repository"); err != nil {
		return nil, err
	}
	f.cleanup = append(f.cleanup, func() { f.triton.Close() })
	redis, err := parts.StartRedis()
	if err != nil {
		return nil, err
	}
	f.cleanup = append(f.cleanup, func() { redis.Close() })
	for _, start := range []func() error{
		func() error { return f.gateway(ctx, s, "exact", "", "hit", "miss") },
		func() error { return f.gateway(ctx, s, "fast", "", "miss") },
		func() error { return f.gateway(ctx, s, "exact", redis.URL(), "hit") },
		func() error { return f.peer(ctx, s, redis.URL()) },
		func() error { return f.limits(ctx) },
	} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

const model = "shapes"

// gateway starts our own program in front of the Triton, with the model's decode mode set. With a Redis, that is its only cache.
func (f *field) gateway(ctx context.Context, s settings, decode, redis string, kinds ...string) error {
	repository, err := f.repository(decode)
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.gateway, "serve", "--http", address, "--grpc", "none", "--admin", "none", "--triton", f.triton.GRPC, "--model-repository", repository)
	cmd.Env = append(os.Environ(), "GATEWAY_LOG__LEVEL=warn", "GATEWAY_JOBS__QUEUE=off")
	name := "gateway, decode: " + decode
	if redis != "" {
		cmd.Env = append(cmd.Env, "GATEWAY_CACHE__REDIS="+redis, "GATEWAY_CACHE__MEMORY=0")
		name = "gateway, Redis alone"
	}
	if err := f.start(ctx, cmd, "http://"+address+"/readyz"); err != nil {
		return err
	}
	path := "/v1/models/" + model + "/infer"
	f.targets = append(f.targets,
		&target{name: name + ", form", address: address, path: path, pid: cmd.Process.Pid, kinds: kinds, caches: true})
	if decode == "exact" && redis == "" {
		body := &target{name: name + ", raw body", address: address, path: path, raw: true, pid: cmd.Process.Pid, kinds: []string{"hit"}, caches: true}
		f.targets = append(f.targets, body, &target{name: byDigest, address: address, path: "/v1/models/" + model + "/results/%s", asks: true, fills: body,
			pid: cmd.Process.Pid, kinds: []string{"digest"}, caches: true})
	}
	return nil
}

// repository is the demo repository with the classifier's decode mode set.
func (f *field) repository(decode string) (string, error) {
	source, target := filepath.Join("model_repository", model), filepath.Join(f.dir, decode, model)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"config.pbtxt", "task.yaml", "labels.txt"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		text := strings.ReplaceAll(string(data), "decode: exact", "decode: "+decode)
		if err := os.WriteFile(filepath.Join(target, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return filepath.Dir(target), nil
}

func (f *field) peer(ctx context.Context, s settings, redis string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	labels, err := os.ReadFile(filepath.Join("model_repository", model, "labels.txt"))
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	python, err := filepath.Abs(s.python)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", port, "--workers", "2",
		"--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
	cmd.Dir = "bench/peer"
	cmd.Env = append(os.Environ(), "PEER_REDIS="+redis, "PEER_TRITON="+f.triton.GRPC, "PEER_MODEL="+model, "PEER_INPUT=input", "PEER_OUTPUT=logits",
		"PEER_SIZE=64", "PEER_LABELS="+strings.Join(strings.Fields(string(labels)), ","), "PEER_MEAN=[0.485,0.456,0.406]", "PEER_STD=[0.229,0.224,0.225]",
		"PYTHONDONTWRITEBYTECODE=1")
	if err := f.start(ctx, cmd, "http://"+address+"/healthz"); err != nil {
		return err
	}
	f.targets = append(f.targets, &target{name: peerName, address: address, path: "/infer", pid: cmd.Process.Pid, kinds: []string{"hit", "miss", "digest"}, caches: true})
	return nil
}

func (f *field) limits(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	program := filepath.Join(f.dir, "limits")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./bench/limits").CombinedOutput(); err != nil {
		return fmt.Errorf("build bench/limits: %w\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, program, "-http", address)
	if err := f.start(ctx, cmd, "http://"+address+"/"); err != nil {
		return err
	}
	f.targets = append(f.targets, &target{name: "limit: Gin, read, SHA-256", address: address, path: "/infer", raw: true, pid: cmd.Process.Pid, kinds: []string{"hit"}},
		&target{name: "limit: Gin, no body", address: address, path: "/", asks: true, pid: cmd.Process.Pid, kinds: []string{"digest"}})
	return nil
}

// start runs a server until the field closes, and returns when url answers with anything but 503.
func (f *field) start(ctx context.Context, cmd *exec.Cmd, url string) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(f.dir, fmt.Sprintf("%d.log", len(f.cleanup))))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	f.cleanup = append(f.cleanup, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		log.Close()
	})
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		response, err := http.Get(url)
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusServiceUnavailable {
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("%s did not become ready:\n%s", strings.Join(cmd.Args, " "), text)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
