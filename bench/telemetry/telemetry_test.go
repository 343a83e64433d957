package telemetry

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/telemetry/otlptest"
	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/preprocess/opencv"
)

var (
	full   = flag.Bool("full", false, "measure long enough for docs/telemetry.md instead of showing that it runs")
	rounds = flag.Int("rounds", 15, "with -full: blocks of each gateway")
	only   = flag.String("only", "", "only the works whose names have this text")
)

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// work is one kind of call.
type work struct {
	name  string
	calls int // of one block: a twentieth of a second
	// caller makes the call to one gateway.
	caller func(t *testing.T, c *child) load.Call
}

const callers = 4

func post(t *testing.T, address, path string, body []byte, header http.Header) load.Call {
	client := load.NewHTTP("http://"+address+path, header, callers)
	t.Cleanup(client.Close)
	return client.Call(body)
}

// TestFigures prints the tables of docs/telemetry.md.
func TestFigures(t *testing.T) {
	if !opencv.Available {
		t.Skip("built without cgo: neither pictures nor the embedded engine")
	}
	picture, err := os.ReadFile(filepath.Join(parts.Root(t), "model_repository/shapes/golden/star-1.jpg")) // 640 x 480
	if err != nil {
		t.Fatal(err)
	}
	const infer = "/v1/models/shapes/infer"
	jpeg := http.Header{"Content-Type": {"image/jpeg"}}
	tensors, tensorHeader := load.FloatsHTTP("IN", 4)
	message := load.Floats(load.FakeModel, "IN", 4)
	_, fake := load.Fake(t, 0, 0, "")
	sink := otlptest.Start()
	t.Cleanup(sink.Close)
	sink.Forget()
	figures(t, sink.URL(), "-", []work{
		{"REST, cached hit of a 640 x 480 JPEG", 300, func(t *testing.T, c *child) load.Call { return post(t, c.http, infer, picture, jpeg) }},
		{"REST, the same picture decoded and inferred anew by the embedded engine", 20, func(t *testing.T, c *child) load.Call { return post(t, c.http, infer+"?cache=no-store", picture, jpeg) }},
	})
	figures(t, sink.URL(), fake, []work{
		{"KServe v2 over HTTP, 16 bytes", 300, func(t *testing.T, c *child) load.Call {
			return post(t, c.http, "/v2/models/"+load.FakeModel+"/infer", tensors, tensorHeader)
		}},
		{"KServe v2 over gRPC, 16 bytes", 300, func(t *testing.T, c *child) load.Call {
			client, err := load.Dial(c.grpc)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			return client.Call(message)
		}},
	})
	if sink.Count() == 0 {
		t.Error("no span came to the collector")
	}
}

// figures measures works over one backend; triton is its address, or "-".
func figures(t *testing.T, otlp, triton string, works []work) {
	t.Helper()
	var children []*child
	for i := range modes {
		children = append(children, start(t, i, otlp, triton))
	}
	for _, w := range works {
		if !strings.Contains(w.name, *only) {
			continue
		}
		plan := Plan{Callers: callers, Calls: w.calls, Turns: 12, Rounds: *rounds}
		if !*full {
			plan.Calls, plan.Turns, plan.Rounds = 20, 1, 2
		}
		var sides []Side
		for i, c := range children {
			sides = append(sides, Side{Name: modes[i].name, Pid: c.Pid(), Call: w.caller(t, c)})
		}
		cost, err := Measure(t.Context(), sides, plan)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d rounds of %d times %d calls by %d callers\n%s", plan.Rounds, plan.Turns, plan.Calls, plan.Callers, Table(w.name, sides, cost))
	}
	for _, c := range children {
		parts.Check(t, c.Stop())
	}
}

func TestTableComparesWithinARound(t *testing.T) {
	us := func(list ...time.Duration) (out []time.Duration) {
		for _, v := range list {
			out = append(out, v*time.Microsecond)
		}
		return out
	}
	got := Table("work", []Side{{Name: "off"}, {Name: "on"}}, [][]time.Duration{us(100, 200, 400), us(110, 206, 420)})
	const want = "| work | CPU of a call | more than off: median (quartiles) |\n|---|---|---|\n" +
		"| off | 200.0 us | +0.0 % (+0.0 - +0.0) |\n| on | 206.0 us | +5.0 % (+3.0 - +5.0) |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMeasureTakesTurns(t *testing.T) {
	var order []int
	side := func(n int) Side {
		return Side{Pid: os.Getpid(), Call: func(context.Context, int) (load.Verdict, string) {
			order = append(order, n)
			return load.Answered, ""
		}}
	}
	cost, err := Measure(t.Context(), []Side{side(0), side(1)}, Plan{Callers: 1, Calls: 1, Turns: 2, Rounds: 2})
	if err != nil || len(cost) != 2 || len(cost[0]) != 2 || cost[0][0] < 0 {
		t.Errorf("%v, %v", cost, err)
	}
	if want := []int{0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0}; !slices.Equal(order, want) { // a round to warm up, then two
		t.Errorf("asked %v, want %v", order, want)
	}
}

func TestMeasureEndsWithACallThatFails(t *testing.T) {
	bad := Side{Name: "bad", Pid: os.Getpid(), Call: func(context.Context, int) (load.Verdict, string) { return load.Failed, "why" }}
	if _, err := Measure(t.Context(), []Side{bad}, Plan{Callers: 1, Calls: 2, Turns: 1, Rounds: 1}); err == nil || !strings.Contains(err.Error(), "bad: 0 of 2 calls answered: map[why:2]") {
		t.Error(err)
	}
	if _, err := Measure(t.Context(), []Side{{Pid: 1 << 30}}, Plan{Turns: 1}); err == nil {
		t.Error("a process that is not there has a CPU time")
	}
}
