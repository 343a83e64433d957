package chaos

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/telemetry/otlptest"
)

// features are the settings that turn on what a gateway has beside its core.
type features struct {
	settings []string // NAME=value
	key      string   // of callers
}

// tiers are quotas in every unit, each counted and none reached.
const tiers = `{"default":{"requests":"100000/s","megapixels":"100000/s","bytes":"10GiB/s","inference":"1000s/s","concurrency":4000,"daily":{"requests":"1000000000"}}}`

// newFeatures makes them for the length of a test. disk is the folder for what the gateway writes.
func newFeatures(tb testing.TB, program, folder, disk string) (f features, err error) {
	known, err := variables(program)
	if err != nil {
		return f, err
	}
	on := func(name, value string) bool {
		if known[name] {
			f.settings = append(f.settings, name+"="+value)
		}
		return known[name]
	}
	keys := filepath.Join(folder, "keys.yaml")
	if on("GATEWAY_AUTH__KEYS_FILE", keys) {
		f.key = rand.Text()
		text := fmt.Sprintf("keys: [{id: callers, sha256: %x, tenant: a, tier: default, scopes: [infer, jobs, admin]}]\n", sha256.Sum256([]byte(f.key)))
		if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
			return f, err
		}
	}
	on("GATEWAY_QUOTAS__TIERS", tiers)
	on("GATEWAY_DECODER__ISOLATE", "true")
	on("GATEWAY_AUDIT_LOG", filepath.Join(disk, "audit.log"))
	if on("GATEWAY_PAYLOAD_LOG__SINK", filepath.Join(disk, "payloads.jsonl")) {
		on("GATEWAY_PAYLOAD_LOG__SAMPLE", "0.2")
	}
	collector := otlptest.Start()
	tb.Cleanup(collector.Close)
	on("GATEWAY_TELEMETRY__OTLP", collector.URL())
	return f, nil
}

// variables are those that a program knows.
func variables(program string) (map[string]bool, error) {
	list, err := exec.Command(program, "config", "schema", "--variables").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its variables: %w", program, err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 0 {
			known[f[0]] = true
		}
	}
	return known, nil
}
