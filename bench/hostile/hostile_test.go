package hostile

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

var full = flag.Bool("full", false, "2,000 slow clients, 500 that reset and 375 other floods for a minute, as for the table in docs/guide/hostile-clients.md")

// TestAHealthyClientBesideAttackers prints the healthy client's times: quiet, attacked, quiet again. It holds no time to a bound, but every answer to be one.
func TestAHealthyClientBesideAttackers(t *testing.T) {
	slow, resets, floods, phase := 20, 10, 10, 12*time.Second
	if *full {
		slow, resets, floods, phase = 400, 500, 125, time.Minute
	}
	g := parts.Serve(t, "GATEWAY_LOG__LEVEL=error", "GATEWAY_JOBS__QUEUE=off")
	picture, err := os.ReadFile(filepath.Join(parts.Root(t), "model_repository/shapes/golden/circle-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	url, admin := "http://"+g.HTTP, "http://"+g.Admin
	Healthy(t.Context(), url, picture, 10*time.Millisecond, time.Second)
	files, goroutines := descriptors(t, g.Pid()), metric(t, admin, "go_goroutines")

	var rows [3]*Times
	rows[0] = Healthy(t.Context(), url, picture, 20*time.Millisecond, phase)
	attacks := []*Attack{
		Start(t.Context(), Slow(), slow, g.HTTP, g.GRPC),
		Start(t.Context(), Resets(), resets, g.HTTP, g.GRPC),
		Start(t.Context(), Floods(), floods, g.HTTP, g.GRPC),
	}
	rows[1] = Healthy(t.Context(), url, picture, 20*time.Millisecond, phase)
	held := metric(t, admin, "gateway_connections")
	cut := map[string]float64{}
	parts.Until(t, "some are cut off for each reason", 3*time.Minute, func() bool {
		all := true
		for _, reason := range []string{"slow_header", "slow_body", "flood"} {
			cut[reason] = metric(t, admin, `gateway_cut_off_total{reason="`+reason+`"}`)
			all = all && cut[reason] > 0
		}
		return all
	})
	var dialed, failed int64
	for _, a := range attacks {
		dialed += a.Dialed.Load()
		failed += a.Failed.Load()
		a.Stop()
	}
	rows[2] = Healthy(t.Context(), url, picture, 20*time.Millisecond, phase)
	var table strings.Builder
	for i, name := range []string{"quiet", "attacked", "quiet again"} {
		fmt.Fprintf(&table, "| %s | %d | %.1f | %.1f | %d |\n", name, len(rows[i].Took), ms(rows[i].Quantile(.5)), ms(rows[i].Quantile(.99)), len(rows[i].Failed))
		if len(rows[i].Failed) > 0 || len(rows[i].Took) == 0 {
			t.Errorf("%s: %d answered, %d not: %.3q", name, len(rows[i].Took), len(rows[i].Failed), rows[i].Failed)
		}
	}
	t.Logf("%d attackers, %d connections made, %d not, %.0f held\n| phase | answers | p50 ms | p99 ms | failed |\n|---|---|---|---|---|\n%s",
		slow*len(Slow())+resets+floods*len(Floods()), dialed, failed, held, table.String())
	t.Logf("cut off: %v", cut)
	parts.Until(t, "connections, descriptors and goroutines are those of before", 5*time.Minute, func() bool {
		return metric(t, admin, "gateway_connections") <= 4 && descriptors(t, g.Pid()) <= files+8 && metric(t, admin, "go_goroutines") <= goroutines+16
	})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// metric is the sum of a metric's series whose line begins with name.
func metric(t *testing.T, admin, name string) (sum float64) {
	t.Helper()
	res, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{[^}]*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
