package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// side takes so many seconds for each part of its first, second, ... block, and writes down that it was asked.
func side(name string, asked *[]string, seconds ...float64) Side {
	n := 0
	return Side{name, func(_ context.Context, o Order) (Times, error) {
		*asked = append(*asked, name)
		s := seconds[n%len(seconds)]
		n++
		return Times{Enqueue: s, Drain: 2 * s, Both: 4 * s}, nil
	}}
}

func TestSidesTakeTurns(t *testing.T) {
	var asked []string
	rates, err := Compare(t.Context(), Order{1, 100}, 3, []Side{side("a", &asked, 1), side("b", &asked, 0.5, 0.25, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, ""); got != "abbaab" {
		t.Errorf("the order was %s", got)
	}
	if a := rates[0]; a.Name != "a" || !slices.Equal(a.Enqueue, []float64{100, 100, 100}) || !slices.Equal(a.Drain, []float64{50, 50, 50}) || !slices.Equal(a.Both, []float64{25, 25, 25}) {
		t.Errorf("%+v", a)
	}
	if b := rates[1]; b.Name != "b" || !slices.Equal(b.Enqueue, []float64{200, 400, 100}) {
		t.Errorf("%+v", b)
	}
	const want = "| a | 100 | 50 | 25 |\n| b | 200, 2.00 (2.00 - 4.00) | 100, 2.00 (2.00 - 4.00) | 50, 2.00 (2.00 - 4.00) |\n"
	if got := Table(rates); !strings.HasSuffix(got, want) {
		t.Errorf("the table:\n%s\nwant at its end:\n%s", got, want)
	}
}

func TestASideThatFailsEndsTheRun(t *testing.T) {
	broken := errors.New("no disk")
	_, err := Compare(t.Context(), Order{1, 1}, 2, []Side{{"a", func(context.Context, Order) (Times, error) { return Times{}, broken }}})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "a: ") {
		t.Errorf("got %v", err)
	}
}

func TestQuantile(t *testing.T) {
	for q, want := range map[float64]int{0: 1, 0.25: 2, 0.5: 3, 1: 5} {
		if got := quantile([]int{5, 1, 4, 2, 3}, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
}

func TestRows(t *testing.T) {
	var r struct {
		Inputs []struct {
			Name  string
			Shape []int
			Data  []float64
		}
	}
	if err := json.Unmarshal(row(7, 256), &r); err != nil || len(r.Inputs) != 1 || r.Inputs[0].Shape[0] != 256 || len(r.Inputs[0].Data) != 256 || r.Inputs[0].Data[0] != 7 || r.Inputs[0].Data[1] != 1.5 {
		t.Errorf("%+v, %v", r, err)
	}
	if string(row(1, 4)) == string(row(2, 4)) {
		t.Error("two jobs are the same")
	}
	if n := len(row(0, 256)); n < 1000 || n > 1200 {
		t.Errorf("a row of %d bytes, want about 1 KB", n)
	}
}
