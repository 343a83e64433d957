package soak

import (
	"flag"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/bench/chaos"
	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

var (
	lasting = flag.Duration("for", 12*time.Second, "how long the load lasts; a fifth of it, at most 5 minutes, is for warming up")
	rate    = flag.Float64("rate", 0, "calls a second; 0: 70 % of what a closed loop gets through")
)

// ordinary is the part of the capacity that is run at.
const ordinary = 0.7

// A run below long is no measurement: it shows that all works, at a rate that any machine carries.
const (
	long   = 5 * time.Minute
	gentle = 20
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSoak runs the load, and fails where a call fails or something grows.
func TestSoak(t *testing.T) {
	site := chaos.NewSite(t, "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru")
	program := parts.Gateway(t)
	// A small cache is full soon, and does not grow after that.
	r := site.ServePlain(t, program, "GATEWAY_CACHE__MEMORY=16MiB")
	traffic, err := chaos.NewTraffic(r)
	if err != nil {
		t.Fatal(err)
	}
	defer traffic.Close()
	pace := *rate
	switch {
	case pace == 0 && *lasting < long:
		pace = gentle
	case pace == 0:
		pace = ordinary * capacity(t, r)
	}
	t.Logf("%.0f calls a second for %v; on: %s", pace, *lasting, strings.Join(r.Features(), ", "))
	stop := traffic.Start(t.Context(), pace)
	readings := watch(t, r, *lasting)
	stop()
	all := traffic.Seen()
	table, grown := Table(readings, min(*lasting/5, 5*time.Minute))
	counts := chaos.Count(all)
	t.Logf("%d calls, %d right; p99 %v\n%s", len(all), counts[chaos.Right], chaos.P99(all, func(chaos.Verdict) bool { return true }).Round(time.Millisecond), table)
	failed := t.Errorf
	if *lasting < long && counts[chaos.Right]+counts[chaos.Refused]+counts[chaos.Told] == len(all) {
		failed = t.Logf // a machine that is busy for seconds refuses some, and gives some up when their time is over
	}
	for _, text := range chaos.Texts(all, 20) {
		failed("%d times: %s", text.N, text.Text)
	}
	if counts[chaos.Right] == 0 || len(readings) < 3 {
		t.Errorf("%d right answers and %d readings", counts[chaos.Right], len(readings))
	}
	if jobs := traffic.Settle(t.Context(), 5*time.Minute); jobs.Accepted == 0 || jobs.Right != jobs.Accepted {
		t.Errorf("of %d jobs %d ended well; %v", jobs.Accepted, jobs.Right, jobs.Lost)
	}
	for _, g := range grown {
		if *lasting < long {
			t.Log(g)
		} else {
			t.Error(g)
		}
	}
}

// capacity is how many right answers a second the same mix gets when each caller waits for its answer, with the work on the jobs that it hands in.
func capacity(t *testing.T, r *chaos.Rig) float64 {
	t.Helper()
	traffic, err := chaos.NewTraffic(r)
	if err != nil {
		t.Fatal(err)
	}
	defer traffic.Close()
	d := min(max(*lasting/30, 2*time.Second), 20*time.Second)
	load.Closed(t.Context(), 4, 0, d/2, traffic.Call)
	before, start := chaos.Count(traffic.Seen())[chaos.Right], time.Now()
	load.Closed(t.Context(), 4, 0, d, traffic.Call)
	right := chaos.Count(traffic.Seen())[chaos.Right] - before
	if jobs := traffic.Settle(t.Context(), time.Minute); len(jobs.Lost) > 0 {
		t.Fatalf("jobs wait for longer than a minute: %d of %d", len(jobs.Lost), jobs.Accepted)
	}
	return float64(right) / time.Since(start).Seconds() // the jobs that were left behind took their time too
}

// watch takes a reading every second, or a hundred where that is less.
func watch(t *testing.T, r *chaos.Rig, lasting time.Duration) (list []Reading) {
	t.Helper()
	tick := time.NewTicker(min(time.Second, lasting/100))
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < lasting; {
		reading, err := read("http://"+r.Admin+"/metrics", r.Header(), r.Pid())
		if err != nil {
			t.Fatal(err)
		}
		reading.At = time.Since(start)
		list = append(list, reading)
		<-tick.C
	}
	return list
}

// line has n readings, one a second, whose resident memory is what of gives.
func line(n int, of func(i int) float64) (list []Reading) {
	for i := range n {
		list = append(list, Reading{At: time.Duration(i) * time.Second, Resident: of(i), Goroutines: 40, Files: 30})
	}
	return list
}

func TestTrend(t *testing.T) {
	resident := func(r Reading) float64 { return r.Resident }
	got := trend(line(11, func(i int) float64 { return 100 + 3*float64(i) }), resident)
	if math.Abs(got.First-100) > 1e-9 || math.Abs(got.Last-130) > 1e-9 || got.Error > 1e-6 {
		t.Errorf("a line: %+v", got)
	}
	// Of 0, 1, 0, 1 least squares gives 0.2 a step from 0.2 on; the rests are -0.2, 0.6, -0.6, 0.2, whose squares sum to 0.8, and the error is sqrt(0.8/2/5)*3.
	got = trend(line(4, func(i int) float64 { return float64(i % 2) }), resident)
	if math.Abs(got.First-0.2) > 1e-9 || math.Abs(got.Growth()-0.6) > 1e-9 || math.Abs(got.Error-3*math.Sqrt(0.08)) > 1e-9 {
		t.Errorf("up and down: %+v", got)
	}
	if got := trend(line(2, func(int) float64 { return 1 }), resident); !math.IsNaN(got.Growth()) {
		t.Errorf("of two readings: %+v", got)
	}
}

func TestTableTellsWhatGrows(t *testing.T) {
	const mib = 1 << 20
	flat := func(i int) float64 { return (200 + 30*float64(i%2)) * mib }
	for name, c := range map[string]struct {
		readings []Reading
		warm     time.Duration
		want     string
	}{
		"swings":           {line(100, flat), 0, ""},
		"grows":            {line(100, func(i int) float64 { return flat(i) + float64(i)*mib }), 0, "resident memory"},
		"only at first":    {line(100, func(i int) float64 { return flat(i) + float64(min(i, 20))*mib }), 20 * time.Second, ""},
		"too short":        {line(10, flat), time.Minute, "no reading"},
		"too few readings": {line(10, flat), 8 * time.Second, "resident memory"},
	} {
		_, grown := Table(c.readings, c.warm)
		if got := strings.Join(grown, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestReadingOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip(err)
	}
	if got := resident(os.Getpid()); got < 1<<20 || got > 1<<36 {
		t.Errorf("resident %v", got)
	}
	if got := resident(1 << 30); got != 0 {
		t.Errorf("a process that is not there has %v", got)
	}
	child := parts.Start(t, parts.Command{Path: "sleep", Args: []string{strconv.Itoa(60)}})
	parts.Until(t, "the child is seen", time.Minute, func() bool { return children(os.Getpid()) >= resident(child.Pid()) && resident(child.Pid()) > 0 })
}
