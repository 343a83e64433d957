package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"triton-gateway/gateway/cache"
)

const (
	longestOptions = 64 << 10 // bytes of a text frame
	optDeadline    = "deadline"
)

// frameOptions are those of infer, and how long a frame may take from when it has come.
type frameOptions struct {
	options
	deadline time.Duration
}

// socketOptions reads what holds for all frames of a socket: the query.
func socketOptions(r *http.Request) (frameOptions, error) {
	c := &call{}
	deadline := time.Duration(1<<63 - 1)
	c.foreign = func(name, value string) (known bool, err error) {
		switch name {
		case optDeadline:
			deadline, err = readDeadline("query.deadline", value)
		case paramPriority: // it was read before
		default:
			return false, nil
		}
		return true, err
	}
	err := c.query(r)
	o := frameOptions{c.opts, deadline}
	o.live()
	return o, err
}

// live keeps frames out of the cache, unless the client wants them there: hardly any comes twice.
func (o *frameOptions) live() {
	if o.place[optCache] == "" {
		o.cache = cache.NoStore
	}
}

func readDeadline(place, text string) (time.Duration, error) {
	d, ok := parseTimeout(text)
	if !ok {
		return 0, badOption(place, "deadline is %q; write a time such as 200ms, or seconds", clip(text))
	}
	return d, nil
}

// readFrameOptions reads the text before a picture: an object of options. What it does not say, base says.
func readFrameOptions(text []byte, base frameOptions) (frameOptions, error) {
	if len(text) > longestOptions {
		return base, badOption("options", "the options of a frame are longer than %d bytes", longestOptions)
	}
	r := jsonReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(text)), call: &call{}}
	deadline := base.deadline
	err := r.object("options", func(name string) (err error) {
		if name == optDeadline {
			var text string
			if text, err = r.text("options.deadline"); err == nil {
				deadline, err = readDeadline("options.deadline", text)
			}
			return err
		}
		index := optionIndex(name)
		if index < 0 {
			return r.call.opts.unknown("options", name, optDeadline)
		}
		return r.option(index)
	})
	if err != nil {
		return base, err
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		return base, badOption("options", "there is something after the end of the options")
	}
	o := frameOptions{r.call.opts, deadline}
	for i := range optionCount {
		if o.place[i] == "" && base.place[i] != "" {
			if err := o.set(i, "query", base.text[i]); err != nil {
				return base, err
			}
		}
	}
	o.live()
	return o, nil
}
