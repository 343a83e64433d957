// Package soak runs a gateway with all its features on for a long time, at the part of what the machine carries that is called an ordinary load, and looks
// whether anything grows: memory, open files, goroutines. It exists because what leaks a little with every call shows in no test of seconds.
package soak

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"triton-gateway/internal/load"
)

// Reading is what a gateway takes at one moment. Sizes are in bytes.
type Reading struct {
	At         time.Duration // since the first
	Resident   float64       // of the gateway's process
	Native     float64       // of that, what is not Go's: libraries and what they keep
	Children   float64       // resident memory of its child processes, with what they share counted in each
	Goroutines float64
	Files      float64 // open descriptors
}

// read takes a reading from the metrics at a URL and from the kernel. The header holds a key, where one is asked for.
func read(url string, header http.Header, pid int) (r Reading, err error) {
	m, err := load.MetricsFor(url, header)
	if err != nil {
		return r, err
	}
	for _, name := range []string{"process_resident_memory_bytes", "go_memstats_sys_bytes", "go_memstats_heap_released_bytes", "go_goroutines", "process_open_fds"} {
		if _, there := m[name]; !there {
			return r, fmt.Errorf("%s does not say %s", url, name)
		}
	}
	r.Resident, r.Goroutines, r.Files = m["process_resident_memory_bytes"], m["go_goroutines"], m["process_open_fds"]
	r.Native = r.Resident - (m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"])
	r.Children = children(pid)
	return r, nil
}

// children is the resident memory of the processes below one, in bytes. Those that end meanwhile count nothing.
func children(pid int) (sum float64) {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	for _, path := range tasks {
		list, _ := os.ReadFile(path)
		for _, child := range strings.Fields(string(list)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				continue
			}
			sum += resident(n) + children(n)
		}
	}
	return sum
}

func resident(pid int) float64 {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(f[1], 64)
	return pages * float64(os.Getpagesize())
}

// Trend is a straight line through readings, by least squares.
type Trend struct {
	First, Last float64 // its value at the first reading and at the last
	Error       float64 // standard error of Last - First, for readings that are independent of each other
}

// Growth is how much more the line has at its end.
func (t Trend) Growth() float64 { return t.Last - t.First }

// trend puts a line through one figure of at least three readings at different times.
func trend(readings []Reading, of func(Reading) float64) Trend {
	n := float64(len(readings))
	var x, y float64
	for _, r := range readings {
		x += r.At.Seconds() / n
		y += of(r) / n
	}
	var xx, xy float64
	for _, r := range readings {
		dx := r.At.Seconds() - x
		xx += dx * dx
		xy += dx * (of(r) - y)
	}
	if n < 3 || xx == 0 {
		return Trend{math.NaN(), math.NaN(), math.NaN()}
	}
	slope := xy / xx
	at := func(t time.Duration) float64 { return y + slope*(t.Seconds()-x) }
	var rest float64
	for _, r := range readings {
		d := of(r) - at(r.At)
		rest += d * d
	}
	first, last := readings[0].At, readings[len(readings)-1].At
	return Trend{at(first), at(last), math.Sqrt(rest/(n-2)/xx) * (last - first).Seconds()}
}

// figures are what a run is judged by.
var figures = []struct {
	name string
	of   func(Reading) float64
	unit float64
	room float64 // that it may grow, in units, whatever the run's length: what collections and pools make it swing by
}{
	{"resident memory, MiB", func(r Reading) float64 { return r.Resident }, 1 << 20, 16},
	{"of that, not Go's, MiB", func(r Reading) float64 { return r.Native }, 1 << 20, 16},
	{"child processes, MiB", func(r Reading) float64 { return r.Children }, 1 << 20, 16},
	{"goroutines", func(r Reading) float64 { return r.Goroutines }, 1, 16},
	{"open files", func(r Reading) float64 { return r.Files }, 1, 16},
}

// Table shows what the readings come to, in Markdown, and what grew. warm is the part at the beginning that is not looked at.
func Table(readings []Reading, warm time.Duration) (table string, grown []string) {
	from := slices.IndexFunc(readings, func(r Reading) bool { return r.At >= warm })
	if from < 0 {
		return "", []string{fmt.Sprintf("no reading after %v", warm)}
	}
	readings = readings[from:]
	var b strings.Builder
	fmt.Fprintf(&b, "| %d readings in %v, after %v | least | most | line from | to | growth | per hour | its standard error |\n|---|---|---|---|---|---|---|---|\n", len(readings),
		(readings[len(readings)-1].At - readings[0].At).Round(time.Second), warm.Round(time.Second))
	for _, f := range figures {
		t := trend(readings, f.of)
		least, most := math.Inf(1), math.Inf(-1)
		for _, r := range readings {
			least, most = min(least, f.of(r)), max(most, f.of(r))
		}
		hours := (readings[len(readings)-1].At - readings[0].At).Hours()
		u := f.unit
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.1f | %.1f | %+.1f | %+.1f | %.1f |\n", f.name, least/u, most/u, t.First/u, t.Last/u, t.Growth()/u, t.Growth()/u/hours, t.Error/u)
		if !(t.Growth()/u <= f.room) { // not a number is no success
			grown = append(grown, fmt.Sprintf("%s: from %.1f to %.1f", f.name, t.First/u, t.Last/u))
		}
	}
	return b.String(), grown
}
