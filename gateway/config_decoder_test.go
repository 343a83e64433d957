package gateway

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/preprocess/isolate"
)

func TestDecoderSettings(t *testing.T) {
	c, err := load(t, "decoder: {memory: 128MiB}", "GATEWAY_DECODER__TIMEOUT=3s")
	if err != nil || c.Decoder != (Decoder{Memory: 128 << 20, Timeout: 3 * time.Second}) {
		t.Errorf("%+v, %v", c.Decoder, err)
	}
	if c, err = load(t, "decoder: {memory: 0, timeout: 0s}"); err != nil || c.Decoder != defaultDecoder() {
		t.Errorf("a setting of 0 is not the default: %+v, %v", c.Decoder, err)
	}
	_, err = load(t, "decoder: {isolate: true, memory: 1MiB, timeout: 1ms}")
	for _, part := range []string{"decoder.memory: 1MiB is too little", "decoder.timeout: 1ms is too short"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
	if isolate.Available == (err != nil && strings.Contains(err.Error(), "decoder.isolate")) {
		t.Errorf("%v", err)
	}
}

func TestServeDecoderWantsItsArgument(t *testing.T) {
	for _, arguments := range [][]string{nil, {"serve"}, {isolate.Argument, "x"}, {"serve", isolate.Argument}} {
		if code, ok := ServeDecoder(arguments); ok || code != 0 {
			t.Errorf("%q makes a decoder", arguments)
		}
	}
}
