package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestConfigOfJobs(t *testing.T) {
	c, err := load(t, `
jobs:
  queue: {realtime: "redis://user:hunter2@near:6379/1", batch: "sqs://eu-west-1/tg?table=a&b=<c>", overflow: 7}
  workers: 0
  webhook_secret: hunter2
  webhook_ports: [443, 9000]
  webhook_allow: [10.1.0.0/16]
`, "GATEWAY_JOBS__ATTEMPTS=5", "GATEWAY_JOBS__RESULT_TTL=90m")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Jobs.Queue.parts()
	if want := (queueParts{Realtime: "redis://user:hunter2@near:6379/1", Batch: "sqs://eu-west-1/tg?table=a&b=<c>", Overflow: 7}); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	if c.Jobs.Workers != 4 || c.Jobs.Attempts != 5 || c.Jobs.ResultTTL != 90*time.Minute || c.Jobs.Items != 100_000 || fmt.Sprint(c.Jobs.WebhookPorts) != "[443 9000]" {
		t.Errorf("%+v", c.Jobs)
	}
	out, err := c.Print()
	if err != nil || strings.Contains(string(out), "hunter2") {
		t.Fatalf("%v\n%s", err, out)
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c.Jobs.Queue); strings.Contains(shown, "hunter2") {
		t.Error("printing the queue shows a password")
	}
	if again, err := load(t, string(out)); err != nil || !strings.Contains(string(again.Jobs.Queue), "near:6379/1") {
		t.Errorf("what is printed does not load: %v, %s", err, again.Jobs.Queue)
	}
	for _, text := range []string{`{"realtime":"redis://a:1","batch":"redis://b:1"}`, "sqlite:/var/lib/jobs.db", "off", "redis://a:1", "unix:///run/redis.sock"} {
		if c, err = load(t, "", "GATEWAY_JOBS__QUEUE="+text); err != nil || string(c.Jobs.Queue) != text {
			t.Errorf("%s: %v, %v", text, c.Jobs.Queue, err)
		}
	}
	if p, _ = Queue(`{"realtime":"redis://a:1","batch":"redis://b:1"}`).parts(); p.Overflow != overflow {
		t.Errorf("overflow %d", p.Overflow)
	}
	for queue, want := range map[Queue]string{"sqlite:data/jobs.db": "data", "sqlite:///var/x/jobs.db": "/var/x", "sqlite:jobs.db": ".", "redis://a:1": "", "off": ""} {
		if got := queue.folder(); got != want {
			t.Errorf("%s is in %q, want %q", queue, got, want)
		}
	}
}

func TestConfigFaultsOfJobs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"jobs: {queue: 'kafka://a'}", "jobs.queue: it is sqlite:PATH"},
		{"jobs: {queue: jobs.db}", "jobs.queue: it is sqlite:PATH"},
		{"jobs: {queue: 'sqlite:'}", "jobs.queue"},
		{"jobs: {queue: {realtime: 'redis://a'}}", "realtime and batch"},
		{"jobs: {queue: {realtime: 'redis://a', batch: 'x'}}", "jobs.queue"},
		{"jobs: {queue: {realtime: 'redis://a', batch: 'redis://b', overflow: -1}}", "jobs.queue"},
		{"jobs: {queue: {realtime: 'redis://a', batch: 'redis://b', over: 1}}", "over"},
		{"jobs: {queue: [a]}", "queue"},
		{"jobs: {workers: -1}", "jobs.workers: must not be negative"},
		{"jobs: {bytes: -1}", "is not a size"},
		{"jobs: {attempts: -1, waiting: -2}", "jobs.waiting: must not be negative"},
		{"jobs: {webhook_ports: [0]}", "jobs.webhook_ports: 0 is no port"},
		{"jobs: {webhook_allow: [10.0.0.1]}", "jobs.webhook_allow"},
	} {
		if _, err := load(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if _, err := load(t, "jobs: {queue: 'kafka://user:hunter2@a'}"); err == nil || strings.Contains(err.Error(), "jobs.queue: kafka://user:hunter2") {
		t.Errorf("%v", err)
	}
}

func TestRoles(t *testing.T) {
	for text, want := range map[string]Roles{"api,jobs": {true, true}, "jobs": {Jobs: true}, " api ": {API: true}} {
		if got, err := ParseRoles(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "worker", "api,"} {
		if _, err := ParseRoles(text); err == nil || !strings.Contains(err.Error(), "api and jobs") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, c := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.Roles = Roles{} }, "no role"},
		{func(c *Config) { c.Roles.API, c.Listen.Admin = false, "" }, "listen.admin"},
		{func(c *Config) { c.Roles.API, c.Jobs.Queue = false, queueOff }, "jobs.queue"},
	} {
		config := DefaultConfig()
		c.edit(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
