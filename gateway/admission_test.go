package gateway

import (
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
)

func TestTakeBytesWaitsAMomentOnly(t *testing.T) {
	budget := limit.NewBytes(10)
	release, err := takeBytes(t.Context(), budget, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	start := time.Now()
	if _, err = takeBytes(t.Context(), budget, 1); fault.KindOf(err) != fault.Busy || time.Since(start) < waitForRoom {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestDecodableIsTheDecodersLine(t *testing.T) {
	cpu := limit.New(1, 0).Named("limits.workers")
	r := requests{decoders: cpu}
	if err := r.Decodable(t.Context()); err != nil {
		t.Fatal(err)
	}
	release, _, err := cpu.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Decodable(t.Context()); fault.KindOf(err) != fault.Busy {
		t.Errorf("with all decoders at work: %v", err)
	}
	release()
}
