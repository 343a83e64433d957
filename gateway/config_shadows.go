package gateway

import (
	"slices"
	"time"

	"triton-gateway/gateway/shadow"
)

// Shadows bounds what the shadows of routes may take.
type Shadows struct {
	Parallel  int           `yaml:"parallel" json:"parallel,omitempty" env:"PARALLEL" jsonschema_description:"Shadows that are asked at one time. Default 2."`
	Waiting   int           `yaml:"waiting" json:"waiting" env:"WAITING" jsonschema_description:"Answers that wait for their turn to be compared; above it they are not compared. Default 16; 0: none."`
	Held      ByteSize      `yaml:"held" json:"held,omitempty" env:"HELD" jsonschema_description:"Size of the inputs and answers that are kept for it meanwhile; above it answers are not compared. Default 64MiB."`
	Timeout   time.Duration `yaml:"timeout" json:"timeout,omitempty" env:"TIMEOUT" jsonschema:"type=string" jsonschema_description:"Longest time that a shadow may take. Default 10s."`
	Keep      int           `yaml:"keep" json:"keep" env:"KEEP" jsonschema_description:"Worst disagreements of each route that are kept for looking at. Default 20; 0: none."`
	KeepBytes ByteSize      `yaml:"keep_bytes" json:"keep_bytes,omitempty" env:"KEEP_BYTES" jsonschema_description:"Size of what is kept of them, for each route. Default 4MiB."`
	Inputs    string        `yaml:"inputs" json:"inputs,omitempty" env:"INPUTS" jsonschema:"enum=preview,enum=digest" jsonschema_description:"What is kept of their inputs: preview is a small picture or the row, and the digest; digest is that alone. Default preview."`
}

const (
	inputsPreview = "preview"
	inputsDigest  = "digest"
	mostShadows   = 256 // at one time
	mostOffers    = 65536
	mostKept      = 1000
)

func defaultShadows() Shadows {
	return Shadows{Parallel: 2, Waiting: 16, Held: 64 << 20, Timeout: 10 * time.Second, Keep: 20, KeepBytes: 4 << 20, Inputs: inputsPreview}
}

// check is the section's part of Config.Validate.
func (c *Shadows) check() (faults []error) {
	for _, v := range []struct {
		key                string
		value, least, most int
	}{{"parallel", c.Parallel, 1, mostShadows}, {"waiting", c.Waiting, 0, mostOffers}, {"keep", c.Keep, 0, mostKept}} {
		if v.value < v.least || v.value > v.most {
			faults = append(faults, bad("shadows.%s: must be %d to %d", v.key, v.least, v.most))
		}
	}
	for _, v := range []struct {
		key   string
		value int64
	}{{"held", int64(c.Held)}, {"timeout", int64(c.Timeout)}, {"keep_bytes", int64(c.KeepBytes)}} {
		if v.value <= 0 {
			faults = append(faults, bad("shadows.%s: must be above 0", v.key))
		}
	}
	if !slices.Contains([]string{inputsPreview, inputsDigest}, c.Inputs) {
		faults = append(faults, bad("shadows.inputs: %q is not one of %s, %s", c.Inputs, inputsPreview, inputsDigest))
	}
	return faults
}

// options are those of the runner, for which 0 stands for what it likes.
func (c *Shadows) options() shadow.Options {
	none := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return shadow.Options{Parallel: c.Parallel, Waiting: none(c.Waiting), HeldBytes: int64(c.Held), Timeout: c.Timeout, Keep: none(c.Keep), KeepBytes: int64(c.KeepBytes)}
}
