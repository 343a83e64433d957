package gateway

import (
	"time"

	"triton-gateway/gateway/streams"
)

// Streams says how much is kept of streams, and for how long.
type Streams struct {
	Most      int           `yaml:"most" json:"most,omitempty" env:"MOST" jsonschema_description:"Streams at one time, those included that have ended and are kept; above it the gateway answers 429. Default 256."`
	PerTenant int           `yaml:"per_tenant" json:"per_tenant,omitempty" env:"PER_TENANT" jsonschema_description:"Streams of one tenant at one time, where callers have tenants. Default 64."`
	Events    int           `yaml:"events" json:"events,omitempty" env:"EVENTS" jsonschema_description:"Responses of one stream that are kept, and most responses of one answer with aggregate=true. Default 4096."`
	Bytes     ByteSize      `yaml:"bytes" json:"bytes,omitempty" env:"BYTES" jsonschema_description:"Their size as JSON. Default 4MiB."`
	Grace     time.Duration `yaml:"grace" json:"grace,omitempty" env:"GRACE" jsonschema:"type=string" jsonschema_description:"How long a model's run goes on for a reader whose connection was lost, and waits for one who does not read. Default 10s."`
	Keep      time.Duration `yaml:"keep" json:"keep,omitempty" env:"KEEP" jsonschema:"type=string" jsonschema_description:"How long a stream can be read again after its end. Default 1m."`
	Longest   time.Duration `yaml:"longest" json:"longest,omitempty" env:"LONGEST" jsonschema:"type=string" jsonschema_description:"Longest time that a stream may take. Default 10m."`
}

// readersOfOne is how many may read one stream: whoever has lost the connection comes again before the gateway has noticed.
const readersOfOne = 8

func defaultStreams() Streams {
	return Streams{Most: 256, PerTenant: 64, Events: 4096, Bytes: 4 << 20, Grace: 10 * time.Second, Keep: time.Minute, Longest: 10 * time.Minute}
}

// check is the section's part of Config.Validate.
func (c *Streams) check() (faults []error) {
	for _, v := range []struct {
		key   string
		value int64
	}{{"most", int64(c.Most)}, {"per_tenant", int64(c.PerTenant)}, {"events", int64(c.Events)}, {"bytes", int64(c.Bytes)}, {"grace", int64(c.Grace)}, {"keep", int64(c.Keep)}, {"longest", int64(c.Longest)}} {
		if v.value <= 0 {
			faults = append(faults, bad("streams.%s: must be above 0", v.key))
		}
	}
	return faults
}

func (c *Streams) limits() streams.Limits {
	return streams.Limits{Streams: c.Most, PerTenant: c.PerTenant, Readers: readersOfOne, Events: c.Events, Bytes: int64(c.Bytes), Grace: c.Grace, Keep: c.Keep, Longest: c.Longest}
}

// open makes the streams' side.
func (c *Streams) open(runner streamer) *streamSide {
	return &streamSide{runner: runner, hub: streams.New(c.limits()), longest: c.Longest, most: c.Events, bytes: int64(c.Bytes), sockets: newSockets()}
}
