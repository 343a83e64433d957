package pipeline

import (
	"context"
	"maps"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
	"triton-gateway/modelconfig"
	"triton-gateway/preprocess"
)

func TestForwardedLevels(t *testing.T) {
	for _, c := range []struct {
		levels, own uint64
		want        [priority.Classes]uint64 // 0: nothing is sent
	}{
		{0, 0, [...]uint64{0, 0, 0}}, {3, 2, [...]uint64{1, 0, 3}}, {10, 5, [...]uint64{1, 0, 10}}, {2, 1, [...]uint64{0, 0, 2}}, {2, 2, [...]uint64{1, 0, 0}}, {1, 1, [...]uint64{0, 0, 0}},
		{1 << 63, 7, [...]uint64{1, 0, 1 << 63}},
	} {
		for i, class := range priority.All() {
			if n, ok := forwarded(class, c.levels, c.own); ok != (c.want[i] != 0) || ok && n != c.want[i] {
				t.Errorf("%v of %d levels, %d its own: %d, %v", class, c.levels, c.own, n, ok)
			}
		}
	}
}

// noting keeps the parameters and the class of the last call.
type noting struct {
	fakeBackend
	params map[string]any
	class  priority.Class
}

func (n *noting) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	n.params, n.class = r.Params, priority.From(ctx)
	return n.fakeBackend.Infer(ctx, r)
}

func TestTheLevelGoesToModelsThatDeclareLevels(t *testing.T) {
	r := newRig(t)
	b := &noting{}
	r.Backend = b
	levels := *r.models.models["rows"]
	levels.Name, levels.Config = "levels", &modelconfig.Config{Name: "levels", MaxBatchSize: 8, PriorityLevels: 3, PriorityDefault: 2}
	r.models.models["levels"] = &levels
	plain := *r.models.models["rows"]
	plain.Config = &modelconfig.Config{Name: "rows", MaxBatchSize: 8}
	r.models.models["rows"] = &plain
	for i, class := range priority.All() {
		for model, want := range map[string]any{"rows": nil, "levels": []any{uint64(1), nil, uint64(3)}[i]} {
			request := &Request{Model: model, Item: Item{Row: &preprocess.Row{Positional: []any{1.0, float64(i)}}}}
			if _, err := r.Run(priority.With(t.Context(), class), request); err != nil {
				t.Fatal(err)
			}
			if got := b.params[paramPriority]; got != want || len(b.params) > 1 || b.class != class {
				t.Errorf("%v for %s: %v, and runs as %v", class, model, b.params, b.class)
			}
		}
	}
}

func TestACallersOwnPriorityIsPassedAsItIs(t *testing.T) {
	with := func(params map[string]any, levels uint64, class priority.Class) map[string]any {
		raw := &backend.Request{Params: maps.Clone(params)}
		j := &job{raw: raw, model: &compiled{Model: &catalog.Model{Config: &modelconfig.Config{PriorityLevels: levels, PriorityDefault: 2}}}}
		j.classed(priority.With(t.Context(), class))
		return j.raw.Params
	}
	for _, value := range []any{uint64(2), int64(0), uint64(9)} {
		if got := with(map[string]any{"priority": value, "x": "y"}, 3, priority.Realtime); got["priority"] != value || got["x"] != "y" {
			t.Errorf("%v became %v", value, got)
		}
	}
	given := map[string]any{"x": "y"}
	if got := with(given, 3, priority.Realtime); got["priority"] != uint64(1) || got["x"] != "y" {
		t.Errorf("%v", got)
	}
	if got := with(nil, 3, priority.Batch); len(got) != 1 || got["priority"] != uint64(3) {
		t.Errorf("%v", got)
	}
	if got := with(nil, 0, priority.Batch); got != nil {
		t.Errorf("without levels: %v", got)
	}
	j := &job{raw: &backend.Request{}, model: &compiled{Model: &catalog.Model{}}} // no config is known
	if j.classed(priority.With(t.Context(), priority.Batch)); j.raw.Params != nil {
		t.Errorf("%v", j.raw.Params)
	}
	if n := testing.AllocsPerRun(100, func() { j.classed(context.Background()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAdmissionKeepsRoomForTheUrgent(t *testing.T) {
	a := newAdmission()
	a.Items, a.Bytes, a.Meter = 16, 1000, new(priority.Meter)
	admit := func(c priority.Class, body int64) error {
		_, err := a.Admit(priority.With(t.Context(), c), "rows", "", body)
		return err
	}
	for _, step := range []struct {
		class priority.Class
		fit   int
	}{{priority.Batch, 12}, {priority.Interactive, 4}, {priority.Realtime, 2}} { // three quarters, all, and an eighth more
		for range step.fit {
			if err := admit(step.class, 1); err != nil {
				t.Fatalf("%v: %v", step.class, err)
			}
		}
		refused(t, admit(step.class, 1), fault.Busy, "queue_full", "limits.model_items")
	}
	if f := a.Meter.Figures(); f[0].Refused != 1 || f[1].Refused != 1 || f[2].Refused != 1 {
		t.Errorf("%+v", f)
	}
	a = newAdmission()
	a.Items = 100
	if err := admit(priority.Batch, 1000); err != nil { // one body that is as large as any may be
		t.Error(err)
	}
	a = newAdmission()
	a.Items = 100
	for class, fits := range map[priority.Class]int64{priority.Batch: 650, priority.Interactive: 900, priority.Realtime: 1000} {
		a.lanes.Clear()
		if err := admit(class, 100); err != nil {
			t.Fatal(err)
		}
		if class != priority.Realtime {
			refused(t, admit(class, fits+1), fault.Busy, "queue_full", "limits.model_bytes")
		}
		if err := admit(class, fits); err != nil {
			t.Errorf("%v: %v", class, err)
		}
	}
}

// What batch calls take, because they wait for the others, keeps no realtime call out.
func TestEachClassHasItsEstimate(t *testing.T) {
	a := newAdmission()
	a.Items = 1000
	l := &lane{}
	for range 20 {
		l.learn(priority.Batch, 20*time.Second, 1)
		l.learn(priority.Realtime, 50*time.Millisecond, 1)
	}
	l.running, l.of[2].running = 4, 4
	for class, want := range map[priority.Class]time.Duration{priority.Batch: 50 * time.Second, priority.Realtime: 50 * time.Millisecond} {
		if got := l.expected(class, 2); got.Round(time.Millisecond) != want {
			t.Errorf("%v is expected to take %v, want %v", class, got, want)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.full(short, a, "rows", priority.Realtime, 1); err != nil {
		t.Error(err)
	}
	refused(t, l.full(short, a, "rows", priority.Batch, 1), fault.Busy, "queue_full", "allow more time")
}
