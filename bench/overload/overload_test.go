package overload

import (
	"cmp"
	"context"
	"flag"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

var (
	full      = flag.Bool("full", false, "run for minutes, as for the table in docs/performance-kserve.md")
	phase     = flag.Duration("phase", 0, "with -full: how long each load lasts, instead of a minute")
	transport = flag.String("transport", "http", "http or grpc")
	target    = flag.String("target", "", "address of a gateway that runs already, over the transport; its Triton has the capacity of -workers and -service")
	workers   = flag.Int("workers", 4, "calls that the fake Triton runs at a time")
	service   = flag.Duration("service", 20*time.Millisecond, "how long each takes")
)

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// TestFigures prints the table. Without -full it only shows that every part works.
func TestFigures(t *testing.T) {
	plan, places, each := Short(), 1, 100*time.Millisecond // so few calls a second that no machine is the limit, whatever else runs on it
	if *full {
		plan, places, each = Full(), *workers, *service
		plan.Phase = cmp.Or(*phase, plan.Phase)
	}
	httpAt, grpcAt := *target, *target
	if *target == "" {
		_, fake := load.Fake(t, places, each, "")
		gateway := parts.Serve(t, "--triton", fake, "GATEWAY_LOG__LEVEL=error", "GATEWAY_LIMITS__CONNECTIONS=32768", "GATEWAY_LIMITS__CONNECTIONS_PER_ADDRESS=32768")
		httpAt, grpcAt = gateway.HTTP, gateway.GRPC
	}
	call, done := caller(t, httpAt, grpcAt)
	defer done()
	capacity := float64(places) / each.Seconds()
	peak, rows := plan.Run(t.Context(), capacity, call)
	t.Logf("%s, capacity %.0f/s\n%s", *transport, capacity, Table(peak, rows))
	for _, r := range rows {
		bad := r.Result.Count(load.Bare, load.Failed)
		if *full {
			bad += r.Result.Count(load.Down) // a machine that stands still may show the only Triton as gone for a moment
		}
		if bad > 0 {
			t.Errorf("%s: %d calls were neither answered nor told when to come again: %v", r.Name, bad, r.Result.Texts)
		}
		if r.Result.Count(load.Answered) == 0 || r.Settled != nil && r.Settled.Count(load.Answered) == 0 {
			t.Errorf("%s: nothing was answered", r.Name)
		}
	}
}

func caller(t *testing.T, httpAt, grpcAt string) (load.Call, func()) {
	t.Helper()
	if *transport == "grpc" {
		client, err := load.Dial(grpcAt)
		if err != nil {
			t.Fatal(err)
		}
		return client.Call(load.Floats(load.FakeModel, "IN", 4)), func() { _ = client.Close() }
	}
	body, header := load.FloatsHTTP("IN", 4)
	client := load.NewHTTP("http://"+httpAt+"/v2/models/"+load.FakeModel+"/infer", header, 512)
	return client.Call(body), client.Close
}

// server answers 10 at a time in 100 ms, refuses all others at once, and counts.
type server struct{ free chan struct{} }

func (s *server) call(context.Context, int) (load.Verdict, string) {
	select {
	case s.free <- struct{}{}:
		defer func() { <-s.free }()
		time.Sleep(100 * time.Millisecond)
		return load.Answered, ""
	default:
		return load.Rejected, ""
	}
}

func TestPhasesOfAServerThatIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{make(chan struct{}, 10)}
		plan := Plan{Phase: 10 * time.Second, After: time.Second, Callers: 10, Factors: []float64{2, 5}, Most: 1000}
		peak, rows := plan.Run(t.Context(), 100, s.call)
		if peak.Rate(load.Answered) != 100 || len(rows) != 3 {
			t.Fatalf("peak %v, %d rows", peak.Rate(load.Answered), len(rows))
		}
		for i, want := range []float64{80, 100, 100} {
			r := rows[i]
			if math.Abs(r.Goodput()-want) > 5 || r.Result.Quantile(0.99, load.Answered) != 100*time.Millisecond || len(r.Result.Samples) != int(10*r.Rate) {
				t.Errorf("%s: goodput %v of %v, %d calls", r.Name, r.Goodput(), r.Rate, len(r.Result.Samples))
			}
			if i > 0 && (r.Settled.Count(load.Answered) != 80 || len(r.Settled.Samples) != 80) {
				t.Errorf("%s: after it %d of %d", r.Name, r.Settled.Count(load.Answered), len(r.Settled.Samples))
			}
		}
		table := strings.Split(Table(peak, rows), "\n")
		if !slices.ContainsFunc(table, func(l string) bool {
			return strings.HasPrefix(l, "| 5 x | 500 |") && strings.HasSuffix(l, "| 80 of 80, 100.0 ms |")
		}) {
			t.Errorf("the table:\n%s", strings.Join(table, "\n"))
		}
	})
}
