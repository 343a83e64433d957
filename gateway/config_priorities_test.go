package gateway

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/priority"
)

func TestPrioritySettings(t *testing.T) {
	c, err := load(t, `
priorities:
  weights: {realtime: 100, interactive: 10}
  ageing: 2s
  tiers: {default: interactive, gold: realtime, free: batch}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Priorities.rules(); got.Weights != [priority.Classes]int{100, 10, 1} || got.Ageing != 2*time.Second {
		t.Errorf("%+v", got)
	}
	if got := c.Priorities.ceilings(); len(got) != 3 || got["default"] != priority.Interactive || got["gold"] != priority.Realtime || got["free"] != priority.Batch {
		t.Errorf("%v", got)
	}
	none := DefaultConfig()
	if none.Priorities.rules() != priority.Defaults() || none.Priorities.ceilings() != nil {
		t.Errorf("%+v", none.Priorities)
	}
	if c, err = LoadConfig("", []string{"GATEWAY_PRIORITIES__TIERS=free:batch,default:interactive", "GATEWAY_PRIORITIES__WEIGHTS__REALTIME=7"}); err != nil || c.Priorities.Tiers["free"] != "batch" ||
		c.Priorities.Weights.Realtime != 7 {
		t.Errorf("%+v %v", c.Priorities, err)
	}
}

func TestPriorityFaultsAllAtOnce(t *testing.T) {
	_, err := load(t, `
priorities:
  weights: {realtime: 1001, interactive: 0, batch: -1}
  ageing: 2h
  tiers: {free: slow}
`)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"priorities.weights.realtime: must be 1 to 1000", "priorities.weights.interactive: must", "priorities.weights.batch: must", "priorities.ageing: must be above 0s, and at most 1h",
		`priorities.tiers.free: "slow" is none of realtime, interactive, batch`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	for _, text := range []string{"priorities: {weights: {realtime: 3}}", "priorities: {weights: {batch: 5}}"} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), "a more urgent class needs at least the weight") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := load(t, "priorities: {ageing: 0s}"); err == nil || !strings.Contains(err.Error(), "priorities.ageing") {
		t.Errorf("ageing 0s: %v", err)
	}
}
