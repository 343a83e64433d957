package gateway

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestNobodyBeginsASecondTime(t *testing.T) {
	var u underway[string]
	var began atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if u.begin("a") {
				began.Add(1)
			}
		})
	}
	all.Wait()
	if n := began.Load(); n != 1 {
		t.Errorf("%d have begun", n)
	}
	if !u.begin("b") {
		t.Error("another thing is not begun")
	}
	u.end("a")
	if !u.begin("a") || u.begin("b") {
		t.Error("it is not known what has ended")
	}
}

func TestTheFirstLookKnowsNothing(t *testing.T) {
	var w warmed
	one, two := loaded{"r0", "m", "1"}, loaded{"r0", "m", "2"}
	if _, known := w.look("r0", map[loaded]string{one: "a"}); known {
		t.Error("there was no look before")
	}
	before, known := w.look("r0", map[loaded]string{one: "a", two: "b"})
	if !known || len(before) != 1 || before[one] != "a" {
		t.Errorf("%v, %v", before, known)
	}
	if _, known := w.look("r1", nil); known {
		t.Error("another server was not looked at")
	}
	if before, known := w.look("r0", nil); !known || len(before) != 2 {
		t.Errorf("%v, %v", before, known)
	}
}
