package gateway

import (
	"context"
	"log/slog"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/isolate"
	"triton-gateway/preprocess/opencv"
)

// isolation is what isolated decoders are made of.
func (c *Config) isolation(log *slog.Logger, local preprocess.Engine) isolate.Options {
	return isolate.Options{Children: c.Limits.workers(), Memory: int64(c.Decoder.Memory), Timeout: c.Decoder.Timeout,
		Input: int64(c.Limits.Body), Local: local, Log: log}
}

func examineImages(ctx context.Context, c Config, quiet *slog.Logger, yield func(Check) bool) bool {
	if !opencv.Available {
		return yield(Check{Wrong, "images", "this binary was built without OpenCV: pictures are refused, rows and tensors work", "build it with `make build`"})
	}
	return yield(Check{Fine, "images", ImageEngine(), ""}) && examineDecoder(ctx, c, quiet, yield)
}

// examineDecoder starts one child as the gateway would.
func examineDecoder(ctx context.Context, c Config, quiet *slog.Logger, yield func(Check) bool) bool {
	if !c.Decoder.Isolate {
		return yield(Check{Fine, "decoder", "in the gateway's own process: a decoder that crashes ends the gateway; decoder.isolate changes that", ""})
	}
	ctx, cancel := context.WithTimeout(ctx, examineDecoderFor)
	defer cancel()
	o := c.isolation(quiet, opencv.New(1))
	o.Children = 1
	engine, err := isolate.New(ctx, o)
	if err != nil {
		return yield(Check{Wrong, "decoder", publicText(err), "see docs/guide/isolation.md, or set decoder.isolate to false"})
	}
	defer engine.Close()
	r := engine.Report()
	if len(r.Missing) > 0 {
		return yield(Check{Odd, "decoder", "isolated; " + r.String(), "docs/guide/isolation.md says how to allow what is missing"})
	}
	return yield(Check{Fine, "decoder", "isolated; " + r.String(), ""})
}
