package triton

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
)

func partOf(id any, start, end bool) *backend.Request {
	r := requestOf("m", 1)
	r.Params = map[string]any{"sequence_id": id, "sequence_start": start, "sequence_end": end}
	return r
}

func TestASequenceStaysWhereItBegan(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	calls := func() (n [3]int) {
		for i, s := range servers {
			n[i] = s.Calls("m")
		}
		return n
	}
	for _, s := range servers {
		s.Model("other", echo)
	}
	var wait sync.WaitGroup
	for i := range 8 { // other calls, so that the fewest are now here, now there
		wait.Go(func() {
			for range 50 {
				must(t, c, requestOf("other", float32(i)))
			}
		})
	}
	for i := range 30 {
		var id any = int64(i + 1)
		switch i % 3 {
		case 1:
			id = uint64(i + 1)
		case 2:
			id = fmt.Sprint("s", i)
		}
		before := calls()
		must(t, c, partOf(id, true, false))
		for range 10 {
			must(t, c, partOf(id, false, false))
		}
		must(t, c, partOf(id, false, true))
		after := calls()
		used := 0
		for e := range after {
			if n := after[e] - before[e]; n != 0 {
				used++
				if n != 12 {
					t.Errorf("sequence %v: %d calls on endpoint %d, want 12", id, n, e)
				}
			}
		}
		if used != 1 {
			t.Errorf("sequence %v was on %d endpoints", id, used)
		}
	}
	wait.Wait()
	if n := len(c.sequences.known); n != 0 || c.sequences.order.Len() != 0 {
		t.Errorf("%d sequences are known after their end", n)
	}
	for _, id := range []any{int64(0), uint64(0), "", nil} {
		if s := sequenceOf(&inferRequest{params: map[string]any{"sequence_id": id}}); s.id != "" {
			t.Errorf("%v is an id", id)
		}
	}
}

func TestASequenceIsNotTriedElsewhere(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	must(t, c, partOf(int64(7), true, false))
	home := 0
	if servers[1].Calls("m") == 1 {
		home = 1
	}
	servers[home].Fail(tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull, Times: 1})
	_, err := c.Infer(t.Context(), partOf(int64(7), false, false))
	wantFault(t, err, fault.Busy, "queue_full")
	must(t, c, partOf(int64(7), false, false)) // it is still there
	servers[home].Kill()
	_, err = c.Infer(t.Context(), partOf(int64(7), false, false))
	if f := wantFault(t, err, fault.Unavailable, "backend_unavailable"); !strings.Contains(f.Detail, "sequence 7 ") {
		t.Errorf("detail %q", f.Detail)
	}
	if n := servers[1-home].Calls("m"); n != 0 {
		t.Errorf("%d calls of it elsewhere", n)
	}
	must(t, c, partOf(int64(7), true, false)) // from the start, elsewhere
	if n := servers[1-home].Calls("m"); n != 1 {
		t.Errorf("%d calls elsewhere, want 1", n)
	}
}

func TestTheStartOfASequenceMayBeTriedElsewhere(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	for _, s := range servers {
		s.Fail(tritontest.Fault{Code: codes.Unavailable, Text: tritontest.ServerExiting, Times: 1})
	}
	if _, err := c.Infer(t.Context(), partOf("x", true, false)); err == nil {
		t.Error("both said no")
	}
	if a, b := servers[0].Calls("m"), servers[1].Calls("m"); a != 1 || b != 1 {
		t.Errorf("%d and %d calls", a, b)
	}
	if len(c.sequences.known) != 0 {
		t.Error("a sequence that did not begin is known")
	}
}

func TestSequencesAreBounded(t *testing.T) {
	var s sequences
	s.most = 3
	e := &endpoint{}
	at := func(i int) sequence { return sequence{model: "m", version: "1", id: fmt.Sprint(i)} }
	for i := range 3 {
		if !s.bind(at(i), e, time.Duration(i)*time.Minute) {
			t.Fatal("no room")
		}
	}
	if s.bind(at(3), e, 3*time.Minute) {
		t.Error("room for a fourth")
	}
	if !s.bind(at(1), e, 3*time.Minute) || s.of(at(0), 4*time.Minute) != e {
		t.Error("what is known is not found")
	}
	if now := 2*time.Minute + sequenceIdle + 1; s.of(at(2), now) != nil || !s.bind(at(3), e, now) {
		t.Error("what is idle stays")
	}
	s.forget(at(9))
	c, _ := fakes(t, 1, nil)
	c.sequences.most = 1
	must(t, c, partOf("a", true, false))
	_, err := c.Infer(t.Context(), partOf("b", true, false))
	wantFault(t, err, fault.Busy, "queue_full")
	if n := c.Endpoints()[0].Running; n != 0 {
		t.Errorf("%d running", n)
	}
}
