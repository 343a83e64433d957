package gateway

import (
	"context"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
)

// oneModel is a catalog with one model, m.
type oneModel struct{ pipeline.Models }

func (oneModel) Lookup(string) (*catalog.Model, error) {
	return &catalog.Model{Name: "m", Versions: []catalog.Version{{Number: "1", State: backend.Ready}}}, nil
}

func TestAdmissionTakesTheBytesToo(t *testing.T) {
	budget := limit.NewBytes(1000)
	a := &pipeline.Admission{Models: oneModel{}, Items: 10, Bytes: 5000, Unknown: 600, Timeout: time.Minute, Parallel: 1}
	door := withBudget{requests{Admission: a}, budget}
	first, err := door.Admit(t.Context(), "m", "", -1)
	if err != nil || budget.Stats().Used != 600 {
		t.Fatalf("%v, %d bytes taken", err, budget.Stats().Used)
	}
	second, err := door.Admit(t.Context(), "m", "", 400)
	if err != nil || budget.Stats().Used != 1000 {
		t.Fatalf("%v, %d bytes taken", err, budget.Stats().Used)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := door.Admit(ctx, "m", "", 1); fault.KindOf(err) != fault.Timeout {
		t.Errorf("without memory: %v", err)
	}
	if l := a.Loads()[0]; l.Calls != 2 {
		t.Errorf("a call without memory keeps its place: %+v", l)
	}
	first()
	second()
	if l := a.Loads()[0]; l.Calls != 0 || budget.Stats().Used != 0 {
		t.Errorf("left over: %+v, %d bytes", l, budget.Stats().Used)
	}
	if _, err := door.Admit(t.Context(), "m", "", 1001); fault.KindOf(err) != fault.TooLarge || a.Loads()[0].Calls != 0 {
		t.Errorf("more than there is: %v", err)
	}
}

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
	if err := r.Decodable(); err != nil {
		t.Fatal(err)
	}
	release, _, err := cpu.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Decodable(); fault.KindOf(err) != fault.Busy {
		t.Errorf("with all decoders at work: %v", err)
	}
	release()
}
