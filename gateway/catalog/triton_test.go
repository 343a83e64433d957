package catalog_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
)

// remote gives a catalog of a Triton's models without a local folder.
func remote(t *testing.T, address string) (*triton.Client, *catalog.Catalog) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	client, err := triton.New(triton.Config{Endpoints: []string{address}}, triton.Deps{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	c := catalog.New(client, catalog.Options{Log: log})
	t.Cleanup(func() { c.Close() })
	return client, c
}

// until asks twenty times a second.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("in vain: " + what)
		}
	}
}

// TestRealRemoteLabels: the labels come from the server, by one inference, which does not look like another load.
func TestRealRemoteLabels(t *testing.T) {
	server := parts.Triton(t, "model_repository", parts.WithModels("shapes"))
	_, c := remote(t, server.GRPC)
	first, err := c.Lookup("shapes")
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Labels) == 0 { // a busy machine did not answer within the time of a look: it is asked again after half a minute
		parts.Until(t, "the labels are there", 5*time.Minute, func() bool { first, err = c.Lookup("shapes"); return err == nil && len(first.Labels) > 0 })
	}
	if want := []string{"circle", "square", "triangle", "star", "cross"}; !slices.Equal(first.Labels, want) {
		t.Errorf("labels %q, warnings %q", first.Labels, first.Warnings)
	}
	for range 6 { // more looks than a suspicion takes
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Lookup("shapes"); err != nil || m != first {
			t.Fatalf("the call for labels changed the model: %+v, was %+v, %v", m, first, err)
		}
	}
}

// TestAServerThatHidesItsModels: it answers models' calls and does not say what it has loaded. Stored answers may be an earlier load's then.
func TestAServerThatHidesItsModels(t *testing.T) {
	s := tritontest.New(t)
	s.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) { return in, nil })
	client, c := remote(t, s.Addr())
	if !c.Fresh() || c.Ready() != nil {
		t.Fatalf("fresh is %v, %v", c.Fresh(), c.Ready())
	}
	infer := func() {
		t.Helper()
		in := tensor.Tensor{Name: "IN", DType: tensor.FP32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, 0)}
		if _, err := client.Infer(t.Context(), &backend.Request{Model: "m", Version: "1", Inputs: []tensor.Tensor{in}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []tritontest.Fault{
		{Method: "RepositoryIndex", Code: codes.Unavailable, Text: "upstream connect error"},
		{Method: "ModelStatistics", Code: codes.Unavailable, Text: "no healthy upstream"},
		{Method: "ModelStatistics", Code: codes.Internal, Text: "no"},
		{Method: "RepositoryIndex", Until: make(chan struct{})},
	} {
		s.Fail(f)
		until(t, "it is no longer fresh", func() bool { infer(); return !c.Fresh() })
		if err := c.Ready(); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%+v: ready is %v", f, err)
		}
		s.Heal()
		until(t, "it is fresh again", c.Fresh)
	}
	s.Kill() // nobody can answer from new weights either
	until(t, "the look fails", func() bool { return c.Ready() != nil })
	if !c.Fresh() {
		t.Error("not fresh without a server")
	}
}
