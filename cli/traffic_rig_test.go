package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"triton-gateway/gateway"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// trafficRig is a whole gateway before a server with versions 1 to 3 of the model m, of which the first two are loaded. Each answers with its number.
type trafficRig struct {
	*testing.T
	triton         *tritontest.Server
	public, inside string // base URLs
}

func newTraffic(t *testing.T, edit func(*gateway.Config)) *trafficRig {
	t.Helper()
	s := tritontest.New(t)
	config := &tritonpb.ModelConfig{Name: "m", MaxBatchSize: 4,
		Input:  []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_INT32, Dims: []int64{1}}},
		Output: []*tritonpb.ModelOutput{{Name: "version", DataType: tritonpb.DataType_TYPE_INT32, Dims: []int64{1}}}}
	for i, v := range []string{"1", "2", "3"} {
		s.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			out := tensor.Tensor{Name: "version", DType: tensor.Int32, Shape: in[0].Shape, Data: make([]byte, len(in[0].Data))}
			for at := 0; at < len(out.Data); at += 4 {
				out.Data[at] = byte(i + 1)
			}
			return []tensor.Tensor{out}, nil
		}, tritontest.Version(v), tritontest.Config(config))
	}
	s.SetVersions("m", "1", "2")
	c := gateway.DefaultConfig()
	c.Listen = gateway.Listen{HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	c.ModelRepository, c.Triton.Endpoints = "", []string{s.Addr()}
	c.Jobs.Queue = gateway.Queue("sqlite:" + filepath.Join(t.TempDir(), "jobs.db"))
	edit(&c)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g, err := gateway.New(ctx, c, gateway.Build{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	where := g.Banner()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	admin := regexp.MustCompile(`admin +http://localhost:(\d+)/metrics`).FindStringSubmatch(where)
	if admin == nil {
		t.Fatal(where)
	}
	return &trafficRig{t, s, "http://" + g.Addr(), "http://127.0.0.1:" + admin[1]}
}

// cmd runs a command against a listener; args are parted at blanks.
func (r *trafficRig) cmd(at, args string) (out, errs string, code int) {
	r.Helper()
	var o, e bytes.Buffer
	code = run(r.Context(), &Env{Args: append(strings.Fields(args), "--url", at), Out: &o, Err: &e})
	return o.String(), e.String(), code
}

// want runs a command on the admin listener and looks for texts, in their order, in what it prints: to standard output, then to standard error.
func (r *trafficRig) want(code int, args string, texts ...string) {
	r.Helper()
	out, errs, got := r.cmd(r.inside, args)
	r.looked(args, code, out, errs, got, texts...)
}

func (r *trafficRig) looked(args string, code int, out, errs string, got int, texts ...string) {
	r.Helper()
	rest := strings.Join(strings.Fields(out+" "+errs), " ")
	if got != code {
		r.Errorf("%s: exit code %d, not %d\n%s%s", args, got, code, out, errs)
	}
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			r.Errorf("%s: no %q in\n%s%s", args, text, out, errs)
			continue
		}
		rest = after
	}
}

// file writes one for a command.
func (r *trafficRig) file(name, text string) string {
	r.Helper()
	path := filepath.Join(r.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

// ask asks a model or a route for an answer.
func (r *trafficRig) ask(name string, x int) {
	r.Helper()
	res, err := http.Post(r.public+"/v2/models/"+name+"/infer", "application/json", strings.NewReader(fmt.Sprintf(`{"inputs":[{"name":"x","datatype":"INT32","shape":[1,1],"data":[%d]}]}`, x)))
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		r.Errorf("%s: %s", name, res.Status)
	}
}

// withKeys asks callers who they are: key "look" may infer, key "run" is the operators'.
func withKeys(t *testing.T) func(*gateway.Config) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	keys := "keys:\n"
	for id, scopes := range map[string]string{"look": "infer", "run": "infer, admin"} {
		keys += fmt.Sprintf("- {id: %s, sha256: \"%x\", tenant: a, scopes: [%s]}\n", id, sha256.Sum256([]byte(id)), scopes)
	}
	if err := os.WriteFile(path, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *gateway.Config) { c.Auth.KeysFile = path }
}
