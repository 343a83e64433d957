package triton

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// looksIn2s is how many looks the catalog takes in the two seconds that are promised.
const looksIn2s = 4

// poll looks until done says so, twice a second as the catalog does, and fails after looksIn2s looks.
func poll(t *testing.T, c *Client, model string, done func(string) bool) string {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	epoch := ""
	for look := range looksIn2s {
		if look > 0 {
			<-tick.C
		}
		if epoch = statusOf(t, c, model).Epoch; done(epoch) {
			return epoch
		}
	}
	t.Errorf("the epoch is still %q after %d looks", epoch, looksIn2s)
	return epoch
}

func anyEpoch(epoch string) bool { return epoch != "" }

// gateways are two clients of one Triton that share the epochs, and one that shares nothing.
type gateways struct {
	server      *parts.TritonServer
	a, b, other *Client
}

// infer makes n calls.
func (g *gateways) infer(t *testing.T, c *Client, n int) {
	t.Helper()
	for range n {
		must(t, c, &backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{floats("IN", 1)}})
	}
}

// look takes one look with each gateway and checks that they agree.
func (g *gateways) look(t *testing.T) string {
	t.Helper()
	first := poll(t, g.a, "noop", anyEpoch)
	if second := poll(t, g.b, "noop", anyEpoch); second != first {
		t.Fatalf("the gateways do not agree: %s and %s", first, second)
	}
	return first
}

// settle looks at the catalog's pace until every call that was answered is certain to be counted, as two looks of both gateways do.
func (g *gateways) settle(t *testing.T) string {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range 2 {
		g.look(t)
		<-tick.C
	}
	return g.look(t)
}

// reload loads the model anew behind the gateways' backs.
func (g *gateways) reload(t *testing.T) {
	t.Helper()
	touch(t, filepath.Join(g.server.Repository, "noop", "1", "model.py"))
	if _, err := g.a.list()[0].service.RepositoryModelLoad(t.Context(), &tritonpb.RepositoryModelLoadRequest{ModelName: "noop"}); err != nil {
		t.Fatal(err)
	}
}

func newGateways(t *testing.T) *gateways {
	t.Helper()
	server := parts.Triton(t, copied(t, "noop"), parts.WithModels("noop"))
	store := NewMemoryEpochs()
	one := Config{Endpoints: []string{server.GRPC}}
	return &gateways{server, client(t, one, Deps{Epochs: store}), client(t, one, Deps{Epochs: store}), clientOf(t, server.GRPC)}
}

// TestRealYoungModel: every call of a young model has to be accounted for, however soon a look follows it.
func TestRealYoungModel(t *testing.T) {
	g := newGateways(t)
	first := g.look(t)
	for i := range 12 {
		g.infer(t, g.a, i%3)
		g.infer(t, g.b, i%2)
		if got := poll(t, g.b, "noop", anyEpoch); got != first {
			t.Fatalf("round %d: epoch %s became %s without a reload", i, first, got)
		}
		if got := poll(t, g.a, "noop", anyEpoch); got != first {
			t.Fatalf("round %d: epoch %s became %s without a reload", i, first, got)
		}
	}
}

// TestRealReload loads a model anew behind the gateways' backs while they and strangers call it. The steps follow one another on one
// server: each load begins on the counts that the step before has left, given as counted. Where the calls after a reload are more, the counters do
// not fall, and something else has to give the new load away.
func TestRealReload(t *testing.T) {
	g := newGateways(t)
	for _, step := range []struct {
		name    string
		counted uint64 // by the old load, when it ends
		caller  *Client
		calls   int // after the reload, before anyone looks
	}{
		{"nobody calls", 2, g.a, 0},
		{"a gateway overtakes", 2, g.a, 40},
		{"strangers overtake what it called", 42, g.other, 60},
		{"nobody calls the third load", 62, g.a, 0},
		{"the other gateway overtakes", 2, g.b, 40},
		{"strangers overtake what the other called", 42, g.other, 60},
		{"fewer calls than the old load had", 62, g.b, 40},
		{"strangers overtake what was called just as that load was seen", 42, g.other, 60},
		{"strangers reach the same count", 62, g.other, 62},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			g.settle(t)
			g.infer(t, g.a, 2)
			old := g.settle(t)
			if got := g.a.list()[0].watch.versions[modelVersion{"noop", "1"}].record.Seen[successCount]; got != step.counted {
				t.Fatalf("the old load has counted %d calls, want %d", got, step.counted)
			}
			g.reload(t)
			g.infer(t, step.caller, step.calls)
			var wait sync.WaitGroup // both look, as two gateways do
			for _, c := range []*Client{g.a, g.b} {
				wait.Go(func() { poll(t, c, "noop", func(e string) bool { return e != "" && e != old }) })
			}
			wait.Wait()
			g.look(t)
		}) {
			return // the next step would begin on other counts
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
}
