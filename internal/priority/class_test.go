package priority

import (
	"context"
	"testing"
)

func TestClasses(t *testing.T) {
	var zero Class
	if zero != Interactive {
		t.Error("who says nothing is not interactive")
	}
	for i, c := range All() {
		if c.Index() != i || i > 0 && All()[i-1] >= c {
			t.Errorf("%v is %d", c, c.Index())
		}
		if got, ok := Parse(c.String()); got != c || !ok {
			t.Errorf("%v is read as %v, %t", c, got, ok)
		}
	}
	for _, name := range []string{"", "Realtime", "real-time", "0", "batch ", "high"} {
		if c, ok := Parse(name); ok || c != Interactive {
			t.Errorf("%q is %v, %t", name, c, ok)
		}
	}
}

func TestContext(t *testing.T) {
	ctx := context.Background()
	if From(ctx) != Interactive || With(ctx, Interactive) != ctx {
		t.Error("a context that says nothing")
	}
	for _, c := range All() {
		under := With(With(ctx, Batch), c)
		if got := From(context.WithoutCancel(under)); got != c {
			t.Errorf("%v instead of %v", got, c)
		}
		if n := testing.AllocsPerRun(100, func() { From(under) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestRulesHaveDefaults(t *testing.T) {
	var r Rules
	d := Defaults()
	for i := range Classes {
		if r.weight(i) != uint64(d.Weights[i]) || (&Rules{Weights: [Classes]int{5000, 5000, 5000}}).weight(i) != MostWeight {
			t.Errorf("weight %d is %d", i, r.weight(i))
		}
	}
	if r.ageing() != d.Ageing || d.Ageing != DefaultAgeing {
		t.Errorf("%v", r.ageing())
	}
	var m *Meter
	m.Refused(Batch) // nobody counts
	m.served(Batch, 1)
}
