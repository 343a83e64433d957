package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// Jobs says where jobs are kept, who works on them and what they may cost. Zero means the default.
type Jobs struct {
	Queue     Queue         `yaml:"queue" json:"queue,omitempty" env:"QUEUE" jsonschema_description:"Where jobs are kept: sqlite:PATH, redis://host:6379/1 (also rediss:// and unix://), sqs://REGION/PREFIX, or for a hybrid {realtime: URL, batch: URL, overflow: 100}; off: there are no jobs. A folder that is not there is made."`
	Workers   int           `yaml:"workers" json:"workers,omitempty" env:"WORKERS" jsonschema_description:"Jobs that this process runs at one time. Default 4."`
	Attempts  int           `yaml:"attempts" json:"attempts,omitempty" env:"ATTEMPTS" jsonschema_description:"Attempts of a job until it is a dead letter, where the caller does not say. Default 3."`
	ResultTTL time.Duration `yaml:"result_ttl" json:"result_ttl,omitempty" env:"RESULT_TTL" jsonschema:"type=string" jsonschema_description:"How long a job that has ended is kept with its result, where the caller does not say. Default 1h."`
	Items     int           `yaml:"items" json:"items,omitempty" env:"ITEMS" jsonschema_description:"Most images or rows of one job. Default 100000."`
	Bytes     ByteSize      `yaml:"bytes" json:"bytes,omitempty" env:"BYTES" jsonschema_description:"Most bytes of one job's images or rows, and of the zip archives that are being received at one time. Default 4GiB."`
	Waiting   int           `yaml:"waiting" json:"waiting,omitempty" env:"WAITING" jsonschema_description:"Jobs that may wait; above it the gateway answers 429. Default 1000000."`
	Stored    ByteSize      `yaml:"stored" json:"stored,omitempty" env:"STORED" jsonschema_description:"Most bytes of the images and rows of all jobs; above it the gateway answers 507. Default 16GiB."`

	WebhookSecret Secret   `yaml:"webhook_secret" json:"webhook_secret,omitempty" env:"WEBHOOK_SECRET" jsonschema_description:"Key by which calls of webhooks are signed. Empty: jobs with a webhook are refused."`
	WebhookPorts  []int    `yaml:"webhook_ports" json:"webhook_ports,omitempty" env:"WEBHOOK_PORTS" jsonschema_description:"Ports that webhooks may be at. Default: 80, 443, 8080, 8443."`
	WebhookAllow  []string `yaml:"webhook_allow" json:"webhook_allow,omitempty" env:"WEBHOOK_ALLOW" jsonschema_description:"Private networks that webhooks may be in, such as 10.1.0.0/16. Default: none."`
}

// queueOff is the queue of a gateway without jobs.
const queueOff Queue = "off"

// defaultQueue is a file below the folder that the gateway runs in.
const defaultQueue Queue = "sqlite:data/jobs.db"

func defaultJobs() Jobs {
	return Jobs{Queue: defaultQueue, Workers: 4, Attempts: 3, ResultTTL: time.Hour, Items: 100_000, Bytes: 4 << 30, Waiting: 1_000_000, Stored: 16 << 30}
}

// fill puts the default where a setting is 0.
func (j *Jobs) fill(d Jobs) {
	j.Queue, j.Workers, j.Attempts, j.ResultTTL = cmp.Or(j.Queue, d.Queue), cmp.Or(j.Workers, d.Workers), cmp.Or(j.Attempts, d.Attempts), cmp.Or(j.ResultTTL, d.ResultTTL)
	j.Items, j.Bytes, j.Waiting, j.Stored = cmp.Or(j.Items, d.Items), cmp.Or(j.Bytes, d.Bytes), cmp.Or(j.Waiting, d.Waiting), cmp.Or(j.Stored, d.Stored)
}

func (j *Jobs) check() (faults []error) {
	if _, err := j.Queue.parts(); err != nil {
		faults = append(faults, bad("jobs.queue: %w", err))
	}
	for _, v := range []struct {
		key   string
		value int64
	}{{"workers", int64(j.Workers)}, {"attempts", int64(j.Attempts)}, {"result_ttl", int64(j.ResultTTL)}, {"items", int64(j.Items)}, {"bytes", int64(j.Bytes)},
		{"waiting", int64(j.Waiting)}, {"stored", int64(j.Stored)}} {
		if v.value < 0 {
			faults = append(faults, bad("jobs.%s: must not be negative", v.key))
		}
	}
	for _, port := range j.WebhookPorts {
		if port < 1 || port > 65535 {
			faults = append(faults, bad("jobs.webhook_ports: %d is no port", port))
		}
	}
	if _, err := j.allowed(); err != nil {
		faults = append(faults, bad("jobs.webhook_allow: %w", err))
	}
	return faults
}

// allowed are the networks that webhooks may be in though they are private.
func (j *Jobs) allowed() ([]netip.Prefix, error) { return networks(j.WebhookAllow) }

// Queue says where jobs are kept: a URL, or the JSON of a hybrid's map, into which YAML's map is turned.
type Queue string

// queueParts are the URLs of a queue. Of one that is no hybrid, only one is set.
type queueParts struct {
	One      string `json:"-"`
	Realtime string `json:"realtime" yaml:"realtime"`
	Batch    string `json:"batch" yaml:"batch"`
	Overflow int    `json:"overflow" yaml:"overflow"` // realtime jobs that wait at the near queue before more go to the far one
}

// overflow is the default of a hybrid's threshold.
const overflow = 100

var errQueue = errors.New("it is sqlite:PATH, redis://host:6379/1, rediss://, unix://, sqs://REGION/PREFIX, off, or {realtime: URL, batch: URL, overflow: 100}")

// parts takes the text apart. Errors show no part of it: it may hold a password.
func (q Queue) parts() (p queueParts, err error) {
	if !strings.HasPrefix(string(q), "{") {
		p.One = string(q)
		return p, checkQueueURL(p.One)
	}
	d := json.NewDecoder(strings.NewReader(string(q)))
	d.DisallowUnknownFields()
	if d.Decode(&p) != nil || p.Realtime == "" || p.Batch == "" || p.Overflow < 0 {
		return p, errors.New("a hybrid has realtime and batch, each a URL, and may have overflow, a number of jobs")
	}
	p.Overflow = cmp.Or(p.Overflow, overflow)
	return p, errors.Join(checkQueueURL(p.Realtime), checkQueueURL(p.Batch))
}

func checkQueueURL(text string) error {
	scheme, rest, ok := strings.Cut(text, ":")
	switch {
	case text == string(queueOff):
		return nil
	case !ok || rest == "":
		return errQueue
	}
	switch scheme {
	case "sqlite", "redis", "rediss", "unix", "sqs":
		return nil
	}
	return errQueue
}

// folder is where a queue has its files; "" where it has none of its own.
func (q Queue) folder() string {
	if path, ok := strings.CutPrefix(string(q), "sqlite:"); ok {
		return filepath.Dir(strings.TrimPrefix(path, "//"))
	}
	return ""
}

// String hides passwords.
func (q Queue) String() string {
	if p, err := q.parts(); err == nil && p.One == "" {
		p.Realtime, p.Batch = Queue(p.Realtime).String(), Queue(p.Batch).String()
		text, _ := json.Marshal(p) // texts and a number: cannot fail
		return string(text)
	}
	if strings.Contains(string(q), "://") {
		return Secret(q).String()
	}
	return string(q)
}

// GoString keeps %#v from showing a password.
func (q Queue) GoString() string { return q.String() }

// MarshalText is String: what is written out is masked.
func (q Queue) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalYAML takes a text or a map.
func (q *Queue) UnmarshalYAML(decode func(any) error) error {
	var text string
	if decode(&text) == nil {
		*q = Queue(text)
		return nil
	}
	var p queueParts
	if err := decode(&p); err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return err
	}
	*q = Queue(strings.TrimSpace(b.String()))
	return nil
}

// queueSchema is a text or a map.
func queueSchema() *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set("realtime", &jsonschema.Schema{Type: "string"})
	properties.Set("batch", &jsonschema.Schema{Type: "string"})
	properties.Set("overflow", &jsonschema.Schema{Type: "integer"})
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string"},
		{Type: "object", Properties: properties, Required: []string{"realtime", "batch"}, AdditionalProperties: jsonschema.FalseSchema},
	}, Examples: []any{string(defaultQueue), "redis://localhost:6379/1"}}
}

// Roles are what a process does; see `serve --roles`.
type Roles struct {
	API  bool // it answers requests
	Jobs bool // it works on jobs
}

// ParseRoles reads roles with commas between them.
func ParseRoles(text string) (r Roles, err error) {
	for name := range strings.SplitSeq(text, ",") {
		switch strings.TrimSpace(name) {
		case "api":
			r.API = true
		case "jobs":
			r.Jobs = true
		default:
			return r, fmt.Errorf("there is no role %q; roles are api and jobs", name)
		}
	}
	return r, nil
}

// checkRoles refuses what could not work.
func (c *Config) checkRoles() (faults []error) {
	switch {
	case c.Roles == Roles{}:
		faults = append(faults, bad("the process has no role; give it api, jobs, or both"))
	case !c.Roles.API && c.Listen.Admin == "":
		faults = append(faults, bad("listen.admin: a process that only works on jobs needs it, to tell how it is"))
	case !c.Roles.API && c.Jobs.Queue == queueOff:
		faults = append(faults, bad("jobs.queue: jobs are off, and this process is to do nothing else"))
	}
	return faults
}
