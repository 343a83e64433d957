package monitoring

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

var (
	picture = flag.Bool("picture", false, "draw docs/grafana.png and docs/grafana-more.png from minutes of traffic; see make panels")
	lasting = flag.Duration("lasting", 5*time.Minute, "with -picture: how long the traffic lasts")
)

// pictures are which rows of the dashboard are drawn where.
var pictures = map[string][]string{
	"docs/grafana.png":      {"Now", "Requests", "Stages", "Cache", "Pool"},
	"docs/grafana-more.png": {"Limits", "Jobs", "Models and versions", "Triton", "Go runtime"},
}

// TestPicture draws what the dashboard shows of some minutes of changing traffic, in which a Triton dies and comes back. It needs .cache/panels.
func TestPicture(t *testing.T) {
	if !*picture {
		t.Skip("only with -picture")
	}
	root := parts.Root(t)
	r := newRig(t, 3*time.Second)
	start := time.Now()
	r.traffic(t, func() float64 { // calm, then twice as much, then calm again
		if part := time.Since(start).Seconds() / lasting.Seconds(); part > 0.3 && part < 0.6 {
			return 2
		}
		return 1
	})
	wait := func(part float64) { <-time.After(time.Until(start.Add(time.Duration(part * float64(*lasting))))) }
	wait(0.7)
	r.tritons[1].Kill()
	wait(0.85)
	if err := r.tritons[1].Restart(); err != nil {
		t.Fatal(err)
	}
	wait(1)
	if bad := r.asOrdered(t); len(bad) > 0 {
		t.Fatalf("no picture of something else:\n%s", strings.Join(bad, "\n"))
	}
	for file, rows := range pictures {
		args := []string{"-B", "scripts/panels/draw.py", "--prometheus", r.prometheus, "--dashboard", "deploy/grafana/dashboards/triton-gateway.json", "--rate", "20s",
			"--start", fmt.Sprint(start.Add(10 * time.Second).Unix()), "--end", fmt.Sprint(time.Now().Unix()), "--out", file}
		for _, row := range rows {
			args = append(args, "--row", row)
		}
		draw := exec.Command(filepath.Join(root, ".cache/panels/bin/python"), args...)
		draw.Dir = root
		if out, err := draw.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", file, err, out)
		}
	}
}

// What the drawing asks and how it writes numbers has tests of its own.
func TestDrawing(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		parts.Check(t, fmt.Errorf("%w: %v", parts.ErrMissing, err))
	}
	command := exec.Command(python, "-B", "-m", "unittest", "test_questions")
	command.Dir = filepath.Join(parts.Root(t), "scripts", "panels")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
