package gateway

import (
	"cmp"
	"os"
	"slices"
	"time"

	"triton-gateway/gateway/payload"
)

// Payloads says what of requests and answers is written down. Zero means the default.
type Payloads struct {
	Sink       string            `yaml:"sink" json:"sink,omitempty" env:"SINK" jsonschema_description:"Where to: path of a file with a line of JSON for each event, or http(s) URL of a collector of CloudEvents. Empty: nothing is written."`
	Sample     float64           `yaml:"sample" json:"sample,omitempty" env:"SAMPLE" jsonschema_description:"Share of requests that are written, 0 to 1. Default 0.01."`
	Mode       string            `yaml:"mode" json:"mode,omitempty" env:"MODE" jsonschema:"enum=request,enum=response,enum=all" jsonschema_description:"Which halves are written. Default all."`
	Redact     []string          `yaml:"redact" json:"redact,omitempty" env:"REDACT" jsonschema_description:"Names of JSON members, columns and tensors whose values are hidden. Those of keys and passwords always are."`
	Images     bool              `yaml:"images" json:"images,omitempty" env:"IMAGES" jsonschema_description:"Whether pictures themselves are written. Default: only their SHA-256 and size."`
	Body       ByteSize          `yaml:"body" json:"body,omitempty" env:"BODY" jsonschema_description:"Largest half that is written; of larger ones the SHA-256 and the size are. Default 64KiB."`
	QueueBytes ByteSize          `yaml:"queue_bytes" json:"queue_bytes,omitempty" env:"QUEUE_BYTES" jsonschema_description:"Memory for what waits to be written; what is more is dropped and counted. Default 16MiB."`
	FileSize   ByteSize          `yaml:"file_size" json:"file_size,omitempty" env:"FILE_SIZE" jsonschema_description:"Size at which a file is put aside and a new one begun. Default 100MiB."`
	Files      int               `yaml:"files" json:"files,omitempty" env:"FILES" jsonschema_description:"Files that are kept besides the one that is written. Default 5."`
	Namespace  string            `yaml:"namespace" json:"namespace,omitempty" env:"NAMESPACE" jsonschema_description:"Extension namespace of the events, as KServe's logger has it. Default: none."`
	Headers    map[string]Secret `yaml:"headers" json:"headers,omitempty" env:"HEADERS" jsonschema_description:"Headers sent to a collector, such as its key."`
}

// mostWaiting is how many requests wait to be written, whatever their size.
const mostWaiting = 4096

// collectorTime is what a collector may take for one event.
const collectorTime = 5 * time.Second

func defaultPayloads() Payloads {
	return Payloads{Sample: 0.01, Mode: string(payload.All), Body: 64 << 10, QueueBytes: 16 << 20, FileSize: 100 << 20, Files: 5}
}

// fill puts the default where a setting is 0 that cannot be.
func (p *Payloads) fill() {
	d := defaultPayloads()
	p.Mode, p.Body, p.QueueBytes, p.FileSize, p.Files = cmp.Or(p.Mode, d.Mode), cmp.Or(p.Body, d.Body), cmp.Or(p.QueueBytes, d.QueueBytes), cmp.Or(p.FileSize, d.FileSize), cmp.Or(p.Files, d.Files)
}

func (p *Payloads) check() (faults []error) {
	if !(p.Sample >= 0 && p.Sample <= 1) {
		faults = append(faults, bad("payload_log.sample: %v is not between 0 and 1", p.Sample))
	}
	if !slices.Contains([]string{"", string(payload.Requests), string(payload.Responses), string(payload.All)}, p.Mode) {
		faults = append(faults, bad("payload_log.mode: %q is not one of request, response, all", p.Mode))
	}
	for _, v := range []struct {
		key   string
		value int64
	}{{"body", int64(p.Body)}, {"queue_bytes", int64(p.QueueBytes)}, {"file_size", int64(p.FileSize)}, {"files", int64(p.Files)}} {
		if v.value < 0 {
			faults = append(faults, bad("payload_log.%s: must not be negative", v.key))
		}
	}
	return faults
}

// log turns the settings into those of the log.
func (p Payloads) log() payload.Config {
	p.fill()
	headers := map[string]string{}
	for name, value := range p.Headers {
		headers[name] = string(value)
	}
	source := "urn:triton-gateway"
	if host, err := os.Hostname(); err == nil && host != "" {
		source += ":" + host
	}
	return payload.Config{
		Sink: p.Sink, Sample: p.Sample, Mode: payload.Mode(p.Mode), Redact: p.Redact, Body: int(p.Body), Queue: mostWaiting, Bytes: int64(p.QueueBytes),
		FileSize: int64(p.FileSize), Files: p.Files, Source: source, Namespace: p.Namespace, Headers: headers, Timeout: collectorTime,
	}
}
