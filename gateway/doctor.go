package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
)

// Verdict is the outcome of one check.
type Verdict string

// The verdicts. Odd is worth a look but keeps nothing from working.
const (
	Fine  Verdict = "ok"
	Odd   Verdict = "warn"
	Wrong Verdict = "FAIL"
)

// Check is one thing looked at: what, what was found, and how to mend it.
type Check struct {
	Verdict Verdict
	Subject string
	Finding string
	Mend    string // "" where nothing is to be mended
}

// examineTimeout bounds the talk with one server.
const examineTimeout = 3 * time.Second

// examineDecoderFor bounds the start of a process.
const examineDecoderFor = 30 * time.Second

// Examine looks at everything that the settings name - images, engine or Triton, every model, Redis, the addresses - and gives the
// checks one by one. It changes nothing.
func Examine(ctx context.Context, c Config) iter.Seq[Check] {
	return func(yield func(Check) bool) {
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		_ = examineImages(ctx, c, quiet, yield) &&
			examineRepository(c, yield) &&
			examineBackend(ctx, c, quiet, yield) &&
			examineRedis(ctx, c, yield) &&
			examineListen("listen.http", c.Listen.HTTP, yield) &&
			examineListen("listen.grpc", c.Listen.GRPC, yield) &&
			examineListen("listen.admin", c.Listen.Admin, yield)
	}
}

func examineRepository(c Config, yield func(Check) bool) bool {
	if c.ModelRepository == "" {
		return true
	}
	models, configs, err := modelFolders(c.ModelRepository)
	info, statErr := os.Stat(c.ModelRepository)
	switch remote := len(c.Triton.Endpoints) > 0; {
	case statErr != nil && remote:
		return yield(Check{Odd, "repository", fmt.Sprintf("%s does not exist: task.yaml must come from Triton's config parameters", c.ModelRepository), "name a folder with model_repository, or leave it"})
	case statErr != nil:
		return yield(Check{Wrong, "repository", fmt.Sprintf("%s does not exist", c.ModelRepository), "give the folder with --model-repository or model_repository, or name a Triton with --triton"})
	case !info.IsDir():
		return yield(Check{Wrong, "repository", c.ModelRepository + " is not a folder", "name the folder that holds the model folders"})
	case err != nil:
		return yield(Check{Wrong, "repository", c.ModelRepository + " cannot be read", "let the user of this process read it"})
	case models == 0:
		return yield(Check{Odd, "repository", c.ModelRepository + " holds no model", "its layout is <model>/config.pbtxt, <model>/1/model.onnx; name the folder above the models' folders"})
	case configs < models && !remote:
		return yield(Check{Fine, "repository", fmt.Sprintf("%s, %d models, %d of them without config.pbtxt: what it would say is read from model.onnx", c.ModelRepository, models, models-configs), ""})
	}
	return yield(Check{Fine, "repository", fmt.Sprintf("%s, %d models", c.ModelRepository, models), ""})
}

// modelFolders counts the folders of a repository that look like models - with a config.pbtxt, a task.yaml or a version - and those
// with a config.pbtxt.
func modelFolders(repository string) (models, configs int, err error) {
	entries, err := os.ReadDir(repository)
	for _, e := range entries {
		dir := filepath.Join(repository, e.Name())
		switch versions, _ := modelconfig.Versions(dir); {
		case isFile(filepath.Join(dir, "config.pbtxt")):
			models, configs = models+1, configs+1
		case len(versions) > 0, isFile(filepath.Join(dir, catalog.FromFile)):
			models++
		}
	}
	return models, configs, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func examineBackend(ctx context.Context, c Config, quiet *slog.Logger, yield func(Check) bool) bool {
	if len(c.Triton.Endpoints) > 0 {
		return examineTritons(ctx, c, quiet, yield)
	}
	engine, err := embedded.New(embedded.Config{Repository: c.ModelRepository, Library: c.Embedded.Library, Threads: c.Embedded.Threads, Log: quiet})
	if err != nil {
		mend := "mend the folder, or name a Triton with --triton"
		if errors.Is(err, ort.ErrNoLibrary) {
			mend = "run `make build`, or name the library with embedded.library, or a Triton with --triton"
		}
		return yield(Check{Wrong, "engine", publicText(err), mend})
	}
	defer engine.Close()
	_, version := engine.Library()
	return yield(Check{Fine, "engine", "embedded ONNX Runtime " + version, ""}) && examineModels(ctx, c, engine, quiet, yield)
}

func examineTritons(ctx context.Context, c Config, quiet *slog.Logger, yield func(Check) bool) bool {
	for i, endpoint := range c.Triton.Endpoints {
		one := c.Triton
		one.Endpoints = c.Triton.Endpoints[i : i+1]
		one.EndpointHeaders = EndpointHeaders{endpoint: c.Triton.EndpointHeaders[endpoint]}
		if one.Metrics = nil; i < len(c.Triton.Metrics) {
			one.Metrics = c.Triton.Metrics[i : i+1]
		}
		if !examineTriton(ctx, c, one, "Triton "+endpoint, quiet, yield) {
			return false
		}
	}
	return true
}

func examineTriton(ctx context.Context, c Config, one Triton, subject string, quiet *slog.Logger, yield func(Check) bool) bool {
	settings, err := one.client()
	if err != nil {
		return yield(Check{Wrong, subject, err.Error(), "triton.ca names a PEM file with certificates"})
	}
	client, err := triton.New(settings, triton.Deps{Log: quiet})
	if err != nil {
		return yield(Check{Wrong, subject, publicText(err), "see triton.endpoints in gateway.yaml"})
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	index, err := client.Index(ctx)
	if err != nil {
		return yield(Check{Wrong, subject, publicText(err), "is it the gRPC port (8001 by default), and does Triton run? Look at its log; `--grpc-address` must not be another machine's loopback"})
	}
	return yield(Check{Fine, subject, fmt.Sprintf("answers, %d model versions", len(index)), ""}) && examineModels(ctx, c, client, quiet, yield)
}

func examineModels(ctx context.Context, c Config, b backend.Backend, quiet *slog.Logger, yield func(Check) bool) bool {
	models := catalog.New(b, catalog.Options{Repository: c.ModelRepository, Log: quiet})
	defer models.Close()
	for _, m := range models.Models() {
		if !examineModel(c, m, yield) {
			return false
		}
	}
	if err := models.Ready(); err != nil {
		return yield(Check{Wrong, "models", publicText(err), "mend the backend first"})
	}
	return examineNames(ctx, c, models, quiet, yield)
}

func examineModel(c Config, m *catalog.Model, yield func(Check) bool) bool {
	subject := "model " + m.Name
	if m.Error != "" {
		return yield(Check{Wrong, subject, m.Error, "mend the files in its folder; they are read again by themselves"})
	}
	limits := preprocess.Limits{Pixels: c.Limits.Pixels, Side: c.Limits.Side}
	if _, err := preprocess.New(m.Spec, opencv.New(1), limits); err != nil {
		return yield(Check{Wrong, subject, publicText(err), "mend its task.yaml; docs/task-yaml.md has every key"})
	}
	for _, v := range m.Versions {
		if v.Reason != "" && !yield(Check{Odd, subject, fmt.Sprintf("version %s is %s: %s", v.Number, v.State, v.Reason), "mend the files of that version"}) {
			return false
		}
	}
	for _, w := range m.Warnings {
		if !yield(Check{Odd, subject, w, "say it in task.yaml or config.pbtxt"}) {
			return false
		}
	}
	if !examineSettings(&c, m, subject, yield) {
		return false
	}
	if !m.Ready() {
		return yield(Check{Wrong, subject, "no version is ready", "see the lines above, and the backend's log"})
	}
	return yield(Check{Fine, subject, fmt.Sprintf("%s, version %s ready, task from %s", m.Spec.Task, m.Versions[0].Number, m.Source), ""})
}

func examineRedis(ctx context.Context, c Config, yield func(Check) bool) bool {
	if c.Cache.Redis == "" {
		return yield(Check{Fine, "Redis", "none configured: answers are kept in memory, " + c.Cache.Memory.String(), ""})
	}
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	subject := "Redis " + c.Cache.Redis.String()
	if err := cache.Ping(ctx, cache.Config{Redis: string(c.Cache.Redis), RedisCA: c.Cache.RedisCA}); err != nil {
		return yield(Check{Wrong, subject, publicText(err), "check address, password and TLS (rediss://) of cache.redis; meanwhile the gateway works with memory alone"})
	}
	return yield(Check{Fine, subject, "answers", ""})
}

func examineListen(setting, address string, yield func(Check) bool) bool {
	if address == "" {
		return yield(Check{Fine, setting, "turned off", ""})
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return yield(Check{Odd, setting, fmt.Sprintf("%s cannot be listened on: %v", address, err), "a gateway may be running there already; otherwise choose another address"})
	}
	_ = l.Close()
	return yield(Check{Fine, setting, address + " is free", ""})
}

// publicText is what people may read of an error.
func publicText(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	text := f.Detail
	if f.Err != nil && !strings.Contains(text, f.Err.Error()) {
		text += " (" + f.Err.Error() + ")"
	}
	return text
}
