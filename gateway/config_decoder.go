package gateway

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/isolate"
	"triton-gateway/preprocess/opencv"
)

// Decoder says where pictures are decoded.
type Decoder struct {
	Isolate bool          `yaml:"isolate" json:"isolate,omitempty" env:"ISOLATE" jsonschema_description:"Decode in child processes without network, files, secrets or privileges: a picture that crashes or hangs a decoder costs that picture alone. Linux only. Default false: in the gateway's own process."`
	Memory  ByteSize      `yaml:"memory" json:"memory,omitempty" env:"MEMORY" jsonschema_description:"Memory that such a child may take beyond what it starts with; a picture that needs more is answered 413. Default 1GiB."`
	Timeout time.Duration `yaml:"timeout" json:"timeout,omitempty" env:"TIMEOUT" jsonschema:"type=string" jsonschema_description:"Longest time for one picture in a child; then the child is killed. Default 10s."`
}

// leastDecoder is what the smallest of pictures need, with room for the collector.
const leastDecoder = 64 << 20

func defaultDecoder() Decoder { return Decoder{Memory: 1 << 30, Timeout: 10 * time.Second} }

// fill puts the default where a setting is 0.
func (d *Decoder) fill(by Decoder) {
	d.Memory, d.Timeout = cmp.Or(d.Memory, by.Memory), cmp.Or(d.Timeout, by.Timeout)
}

// check is the section's part of Config.Validate.
func (d *Decoder) check() (faults []error) {
	if d.Isolate && !isolate.Available {
		faults = append(faults, bad("decoder.isolate: %v", isolate.ErrMissing))
	}
	if d.Memory < leastDecoder {
		faults = append(faults, bad("decoder.memory: %s is too little for any picture; give at least %s", d.Memory, ByteSize(leastDecoder)))
	}
	if d.Timeout < 10*time.Millisecond {
		faults = append(faults, bad("decoder.timeout: %v is too short for most pictures; give at least 10ms", d.Timeout))
	}
	return faults
}

// workers is how many pictures are decoded at one time.
func (l *Limits) workers() int { return cmp.Or(l.Workers, runtime.GOMAXPROCS(0)) }

// openDecoder makes the engine, with its children where there are to be some.
func (g *Gateway) openDecoder(ctx context.Context, counts *metrics) (preprocess.Engine, error) {
	local := opencv.New(1) // OpenCV's own threads: requests run side by side instead
	c := &g.config
	if !c.Decoder.Isolate || !opencv.Available {
		return local, nil
	}
	engine, err := isolate.New(ctx, c.isolation(g.log, local))
	if err != nil {
		return nil, err
	}
	g.onClose(engine.Close)
	counts.registry.MustRegister(decoderReadings(engine.Stats))
	return engine, nil
}

// decoderReadings are what an isolated decoder counts.
func decoderReadings(stats func() isolate.Stats) readings {
	return func() []reading {
		s := stats()
		ended := make([]labelled, 0, len(s.Restarts))
		for reason, n := range s.Restarts {
			ended = append(ended, labelled{float64(n), []string{reason}})
		}
		return []reading{
			{"gateway_decoder_ready", "Isolated decoders that can work, or do; decoder.isolate.", nil, false, one(float64(s.Ready))},
			{"gateway_decoder_restarts_total", "Isolated decoders that ended and were replaced, by reason.", []string{"reason"}, true, ended},
			{"gateway_decoder_pictures_total", "Pictures given to isolated decoders.", nil, true, one(float64(s.Pictures))},
			{"gateway_decoder_work_seconds_total", "Time from there to the answer, all of them together.", nil, true, one(s.Time.Seconds())},
		}
	}
}

// ServeDecoder makes the process a decoder where its arguments, without its name, ask for that; ok tells whether they did. It uses no
// settings, no network and no engine but the one for pictures.
func ServeDecoder(arguments []string) (code int, ok bool) {
	if !isolate.Wanted(arguments) {
		return 0, false
	}
	return isolate.Serve(opencv.New(1)), true
}
