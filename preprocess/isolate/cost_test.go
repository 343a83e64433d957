//go:build linux

package isolate_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"triton-gateway/preprocess/isolate"
)

// cpu is what this process and its live children have used, in milliseconds.
func cpu(children []int) float64 {
	total := 0.0
	for _, clock := range append([]int32{unix.CLOCK_PROCESS_CPUTIME_ID}, clocks(children)...) {
		var t unix.Timespec
		if unix.ClockGettime(clock, &t) == nil {
			total += float64(t.Nano()) / 1e6
		}
	}
	return total
}

func clocks(pids []int) (list []int32) {
	for _, pid := range pids {
		list = append(list, int32(^pid<<3|2))
	}
	return list
}

// BenchmarkHandOver is what a child costs that has nothing to do: bytes in, 192 bytes out, two hand-overs.
func BenchmarkHandOver(b *testing.B) {
	e := engine(b, nil)
	pids := isolate.Pids(e)
	b.ReportAllocs()
	begin, n := cpu(pids), 0
	for b.Loop() {
		if _, err := tell(b.Context(), e, "echo x"); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric((cpu(pids)-begin)*float64(time.Millisecond/time.Microsecond)/float64(n), "cpu-us")
}
