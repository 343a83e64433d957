package cli

import (
	"bytes"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"triton-gateway/gateway"
)

func TestCollectLessLeavesWhatTheEnvironmentSays(t *testing.T) {
	was, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetGCPercent(was); debug.SetMemoryLimit(limit) })
	c := gateway.DefaultConfig()
	for _, set := range []string{"GOGC=50", "GOMEMLIMIT=1GiB"} {
		collectLess([]string{"HOME=/x", set}, c)
		if got := debug.SetGCPercent(100); got != 100 || debug.SetMemoryLimit(-1) != math.MaxInt64 {
			t.Errorf("with %s: %d %%, %d bytes", set, got, debug.SetMemoryLimit(-1))
		}
	}
	collectLess(nil, c)
	want := 2*int64(c.Cache.Memory) + int64(c.Limits.Bodies) + 256<<20
	if got := debug.SetGCPercent(100); got != 400 || debug.SetMemoryLimit(-1) != want {
		t.Errorf("%d %%, %d bytes; want 400 %%, %d", got, debug.SetMemoryLimit(-1), want)
	}
}

func TestServeLog(t *testing.T) {
	for format, want := range map[string]string{"": `"msg":"here"`, "json": `"msg":"here"`, "text": "msg=here"} {
		var out bytes.Buffer
		log, end := serveLog(&Env{Err: &out}, gateway.Log{Level: "warn", Format: format})
		log.Info("below the level")
		log.Warn("here")
		if err := end(); err != nil {
			t.Error(err)
		}
		if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("%q: %s", format, got)
		}
	}
}
