package kserve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

func TestBlame(t *testing.T) {
	told := fault.New(fault.Invalid, "invalid_request", "in Triton's words")
	contract := fault.New(fault.Contract, "upstream_contract", "the model refused")
	wrapped := fault.New(fault.Contract, "upstream_contract", "outer").Wrap(fmt.Errorf("a: %w", fault.New(fault.Upstream, "upstream_error", "b").Wrap(told)))
	busy := fault.New(fault.Busy, "queue_full", "full").Wrap(told)
	plain := errors.New("x")
	said := fault.New(fault.Upstream, "upstream_error", "negative is not allowed")
	failed := fault.New(fault.Upstream, "upstream_error", "the model failed").Wrap(said)
	for name, c := range map[string]struct{ in, want error }{"deep": {wrapped, told}, "failed": {failed, said}, "failed in silence": {said, said}, "no cause": {contract, contract}, "another kind": {busy, busy}, "no fault": {plain, plain}, "nil": {nil, nil}} {
		if got := blame(c.in); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestTarget(t *testing.T) {
	r := newRig(t, nil)
	down := pictureModel("down", task.ImageClassification)
	down.Error = "its config is bad"
	r.models.list = append([]*catalog.Model{down}, r.models.list...)
	for name, want := range map[string]struct {
		kind  fault.Kind
		image bool
	}{"shapes": {0, false}, "shapes.image": {0, true}, "echo.image": {fault.NotFound, false}, "nope.image": {fault.NotFound, false}, "down.image": {fault.Unavailable, false}, "": {fault.NotFound, false}} {
		got, err := r.target(name)
		if fault.KindOf(err) != want.kind && err != nil || (err == nil) != (want.kind == 0) || got.image != want.image {
			t.Errorf("%q: image %v, %v; want %v", name, got.image, err, want)
		}
		if err == nil && (got.name != name || got.config.Name != name) {
			t.Errorf("%q: named %q, its config %q", name, got.name, got.config.Name)
		}
	}
	first, _ := r.target("shapes.image")
	second, _ := r.target("shapes.image")
	if first.config != second.config {
		t.Error("the config is made anew for every call")
	}
}

func TestIndexTellsWhyAModelIsNotThere(t *testing.T) {
	r := newRig(t, nil)
	r.models.list = []*catalog.Model{{Name: "broken", Error: "no weights"}, model("m", func(m *catalog.Model) {
		m.Versions = []catalog.Version{{Number: "2", State: backend.Unavailable, Reason: "unloaded"}, {Number: "1", State: backend.Ready}}
	})}
	want := "[{broken  UNAVAILABLE no weights } {m 1 READY  } {m 2 UNAVAILABLE unloaded }]"
	if got := fmt.Sprint(r.index(false)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(r.index(true)); got != "[{m 1 READY  }]" {
		t.Errorf("ready ones: %s", got)
	}
}

func TestWithoutAnOptionalBackend(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Backend = struct{ backend.Backend }{} })
	if _, err := r.statistics(t.Context(), "echo", ""); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("statistics: %v", err)
	}
	list, err := r.statistics(t.Context(), "", "")
	if err != nil || len(list) != 2 || list[0].Model != "boxes.image" || list[1].Model != "shapes.image" {
		t.Errorf("statistics of all: %v, %v", list, err)
	}
	if _, err := r.controller(true); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("controller: %v", err)
	}
	if _, err := r.controller(false); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("controller for callers: %v", err)
	}
	if err := r.ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	r.Drain()
	if err := r.ready(); fault.KindOf(err) != fault.Draining {
		t.Errorf("ready while draining: %v", err)
	}
}

func TestFullModelIsNotRun(t *testing.T) {
	r := newRig(t, nil)
	var asked string
	var left int
	r.runner.admit = func(_ context.Context, model, version string, body int64) (func(), error) {
		asked = fmt.Sprint(model, "/", version, " ", body)
		if model == "many" {
			return nil, fault.New(fault.Busy, "queue_full", "full").After(time.Second)
		}
		return func() { left++ }, nil
	}
	client := r.client(t)
	if _, err := client.ModelInfer(call(t), numbered("echo", "a")); err != nil || asked != "echo/ 4" || left != 1 {
		t.Errorf("asked for %q, left %d times, %v", asked, left, err)
	}
	s, err := client.ModelStreamInfer(call(t))
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, numbered("many", "b"))
	if got := next(t, s); got != "b: full." {
		t.Errorf("stream: %q", got)
	}
	r.runner.admit = func(context.Context, string, string, int64) (func(), error) {
		return nil, fault.New(fault.Busy, "queue_full", "full")
	}
	if _, err := client.ModelInfer(call(t), numbered("echo", "a")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}

// Memory that is used again must not show in another call, also where callers leave in the middle.
func TestManyCallersGetTheirOwnBytes(t *testing.T) {
	r := newRig(t, nil)
	client := r.client(t)
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(caller)))
			for range 40 {
				data := bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(40_000))
				ctx, cancel := context.WithCancel(call(t))
				if random.IntN(4) == 0 {
					time.AfterFunc(time.Duration(random.IntN(300))*time.Microsecond, cancel)
				}
				got, err := client.ModelInfer(ctx, raw(ask(input("IN", "UINT8", int64(len(data)))), data))
				cancel()
				if err == nil && !bytes.Equal(got.RawOutputContents[0], data) {
					t.Error("another call's bytes")
				}
				if err != nil && status.Code(err) != codes.Canceled {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
}

func TestDeflate(t *testing.T) {
	d := &deflate{}
	for _, text := range []string{"", "a", strings.Repeat("abc", 50_000), "again"} {
		var b bytes.Buffer
		w := must(d.Compress(&b))
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := must(d.Decompress(&b))
		var out bytes.Buffer
		if _, err := out.ReadFrom(r); err != nil || out.String() != text {
			t.Errorf("%d bytes came back as %d, %v", len(text), out.Len(), err)
		}
		if err := r.(*deflateReader).Close(); err != nil {
			t.Error(err)
		}
		for range 2 { // with a reader that was used before, and after a failure
			if _, err := d.Decompress(strings.NewReader("no zlib")); err == nil {
				t.Error("garbage was taken")
			}
		}
	}
}

func TestRoutesAndGraphsHaveNoStatisticsOfTheirOwn(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	for name, source := range map[string]string{"ab": catalog.FromRoute, "both": catalog.FromGraph} {
		h.models.list = append(h.models.list, model(name, func(m *catalog.Model) { m.Source = source }))
		h.do(t, "GET", "/v2/models/"+name+"/stats", nil).wantError(t, 400, "'"+name+"' is a "+source+" and has no statistics of its own")
	}
}
