package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows lists, for every package, which packages of this module it may import: down only, never sideways.
// A name ending in /... stands for a folder and all below it.
var arrows = map[string][]string{
	".":                            {"cli"},
	"cli":                          {"gateway", "task", "internal/pemfile"},
	"gateway":                      {"gateway/...", "preprocess/...", "postprocess", "task", "modelconfig", "tensor", "internal/..."},
	"gateway/web":                  {},
	"gateway/audit":                {"internal/..."},
	"gateway/payload":              {"internal/..."},
	"gateway/telemetry":            {"internal/..."},
	"gateway/telemetry/otlptest":   {},
	"gateway/auth":                 {"internal/..."},
	"gateway/kserve":               {"gateway/pipeline", "gateway/catalog", "gateway/backend", "gateway/cache", "postprocess", "preprocess", "task", "modelconfig", "tensor", "tritonpb", "internal/..."},
	"gateway/graph":                {"postprocess", "task", "internal/..."},
	"gateway/pipeline":             {"gateway/catalog", "gateway/cache", "gateway/backend", "gateway/route", "preprocess", "postprocess", "task", "tensor", "internal/..."},
	"gateway/catalog":              {"gateway/backend", "task", "modelconfig", "tensor", "internal/..."},
	"gateway/cache":                {"internal/..."},
	"gateway/quota":                {"internal/..."},
	"gateway/streams":              {"internal/..."},
	"gateway/backend":              {"modelconfig", "tensor", "internal/..."},
	"gateway/route":                {"gateway/canary", "internal/..."},
	"gateway/route/book":           {"gateway/route", "gateway/canary", "internal/..."},
	"gateway/canary":               {"internal/..."},
	"gateway/shadow":               {"postprocess", "task", "tensor", "internal/..."},
	"gateway/lint":                 {"modelconfig", "task", "internal/..."},
	"gateway/rollout":              {"gateway/backend", "modelconfig", "tensor", "internal/..."},
	"gateway/backend/batch":        {"gateway/backend", "tensor", "internal/..."},
	"gateway/backend/embedded":     {"gateway/backend", "gateway/backend/embedded/ort", "modelconfig", "tensor", "internal/..."},
	"gateway/backend/embedded/ort": {"tensor", "internal/..."},
	"gateway/backend/triton":       {"gateway/backend", "modelconfig", "tensor", "tritonpb", "internal/..."},
	"gateway/jobs":                 {"gateway/pipeline", "internal/..."},
	"gateway/jobs/...":             {"gateway/jobs", "internal/..."},
	"preprocess":                   {"task", "tensor", "internal/..."},
	"preprocess/opencv":            {"preprocess", "internal/..."},
	"preprocess/isolate":           {"preprocess", "internal/..."},
	"postprocess":                  {"task", "tensor", "internal/..."},
	"task":                         {"modelconfig", "tensor", "internal/..."},
	"modelconfig":                  {"tensor", "tritonpb", "internal/..."},
	"tensor":                       {},
	"tritonpb":                     {},
	"internal/tritontest":          {"tritonpb", "tensor", "internal/..."},
	"internal/load":                {"tritonpb", "tensor", "internal/..."},
	"internal/...":                 {"internal/..."},
	"bench/soak":                   {"bench/chaos", "internal/..."},
	"bench/...":                    {"gateway/...", "preprocess/...", "tensor", "tritonpb", "internal/..."},
	"e2e/...":                      {"internal/..."},
	"docs":                         {"internal/..."},
	"deploy/...":                   {"internal/..."},
}

// owners lists who may import a third-party module; everyone else goes through them.
var owners = map[string][]string{
	"github.com/gin-gonic/gin":            {"gateway", "bench/..."},
	"github.com/danielgtaylor/huma":       {"gateway"},
	"github.com/coder/websocket":          {"gateway"},
	"gocv.io/x/gocv":                      {"preprocess/opencv"},
	"github.com/yalue/onnxruntime_go":     {"gateway/backend/embedded/..."},
	"google.golang.org/grpc":              {"gateway/backend/triton", "gateway/kserve", "tritonpb", "internal/tritontest", "internal/load", "bench/..."},
	"golang.org/x/net":                    {"internal/h2"},
	"github.com/redis/go-redis":           {"gateway/cache", "gateway/quota", "gateway/jobs/redis"},
	"github.com/maypok86/otter":           {"gateway/cache"},
	"modernc.org/sqlite":                  {"gateway/jobs/sqlite"},
	"github.com/aws":                      {"gateway/jobs/sqs"},
	"github.com/alecthomas/kong":          {"cli"},
	"github.com/golang-jwt/jwt":           {"gateway/auth"},
	"github.com/prometheus/client_golang": {"gateway"},
	"go.opentelemetry.io":                 {"gateway/telemetry/..."},
	"google.golang.org/protobuf":          {"gateway/telemetry/otlptest", "gateway/kserve", "modelconfig", "gateway/backend/triton", "gateway/backend/embedded/ort", "tritonpb", "internal/tritontest", "internal/load", "bench/..."},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestArrowsPointDown(t *testing.T) {
	const module = "triton-gateway"
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" {
			name = "."
		}
		allowed, known := lookUp(name)
		if !known {
			t.Errorf("package %s is not in the table of arrows", name)
		}
		for _, i := range p.Imports {
			if inner, ours := strings.CutPrefix(i, module+"/"); ours && !matches(allowed, inner) {
				t.Errorf("%s must not import %s", name, inner)
			}
			for dependency, users := range owners {
				if strings.HasPrefix(i, dependency) && !matches(users, name) {
					t.Errorf("%s must not import %s; only %v may", name, i, users)
				}
			}
		}
	}
}

func lookUp(name string) ([]string, bool) {
	if allowed, ok := arrows[name]; ok {
		return allowed, true
	}
	for pattern, allowed := range arrows {
		if matches([]string{pattern}, name) {
			return allowed, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		folder, deep := strings.CutSuffix(p, "/...")
		return p == name || deep && (name == folder || strings.HasPrefix(name, folder+"/"))
	})
}

func listPackages(t *testing.T) (list []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-tags", "gocv_specific_modules", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}
