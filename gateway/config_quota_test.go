package gateway

import (
	"strings"
	"testing"

	"triton-gateway/gateway/quota"
)

func TestQuotaSettings(t *testing.T) {
	c, err := load(t, `
cache: {redis: "redis://:secret@h:1"}
quotas:
  tiers:
    default: {requests: 200/2s, megapixels: 50/s, bytes: 20MiB/s, inference: 2s/s, concurrency: 32, tier_concurrency: 64, daily: {requests: 100000, bytes: 10GiB}}
    gold: {}
`)
	if err != nil {
		t.Fatal(err)
	}
	tiers, _ := c.Quotas.tiers()
	d := tiers["default"]
	if len(d.Limits) != 6 || d.Concurrency != 32 || d.Together != 64 || len(tiers) != 2 {
		t.Errorf("%+v", tiers)
	}
	if l := d.Limits[0]; l.Unit != quota.Requests || l.Quota != 200 || l.Window.Seconds() != 2 {
		t.Errorf("%+v", l)
	}
	if url, _ := c.quotaRedis(); url != "redis://:secret@h:1" {
		t.Error(url)
	}
	c.Quotas.Redis = "off"
	if url, _ := c.quotaRedis(); url != "" {
		t.Error(url)
	}
}

func TestQuotaSettingsInTheEnvironment(t *testing.T) {
	c, err := LoadConfig("", []string{`GATEWAY_QUOTAS__TIERS={"default":{"requests":"5/s","daily":{"inference":"2h"}}}`, "GATEWAY_QUOTAS__DRY_RUN=true"})
	if err != nil || c.Quotas.Tiers["default"].Daily.Inference != "2h" || !c.Quotas.DryRun {
		t.Errorf("%+v %v", c.Quotas, err)
	}
	if _, err := LoadConfig("", []string{`GATEWAY_QUOTAS__TIERS={"default":{"request":"5/s"}}`}); err == nil || !strings.Contains(err.Error(), "not JSON such as") {
		t.Error(err)
	}
}

func TestQuotaFaultsAllAtOnce(t *testing.T) {
	_, err := load(t, `
quotas:
  redis: "http://:secret@h"
  tiers:
    default: {requests: 100, megapixels: 0/s, bytes: 20XB/s, inference: 2/s, concurrency: -1, tier_concurrency: -2, daily: {requests: many, inference: "-1h"}}
    "a b": {}
    slow: {requests: 1/1.5s, bytes: 1MB/400d}
`)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"quotas.redis: not a Redis URL", `tiers.default.requests: "100" is no rate`, `tiers.default.megapixels: "0" is too little`, `tiers.default.bytes: "20XB"`,
		`tiers.default.inference: "2" is no amount`, "tiers.default.concurrency: must not be negative", "tiers.default.tier_concurrency: must not", `tiers.default.daily.requests: "many"`,
		`tiers.default.daily.inference: "-1h"`, `unlike "a b"`, "tiers.slow.requests: the time behind the slash", "tiers.slow.bytes: the time behind"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("a password is shown")
	}
}
