package telemetry

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// steered is an exporter that does what the test says.
type steered struct {
	mu    sync.Mutex
	err   error
	hang  chan struct{} // where set, exports wait for it or for their context
	began chan struct{}
	sizes []int
	ended error
}

func (s *steered) ExportSpans(ctx context.Context, list []sdk.ReadOnlySpan) error {
	s.mu.Lock()
	hang, err := s.hang, s.err
	s.sizes = append(s.sizes, len(list))
	s.mu.Unlock()
	if hang != nil {
		select {
		case s.began <- struct{}{}:
		default:
		}
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (s *steered) Shutdown(context.Context) error { return s.ended }

func (s *steered) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func queued(out sdk.SpanExporter, timeout time.Duration) (*Tracer, *lines) {
	l := new(lines)
	tracer := &Tracer{}
	tracer.start(Config{Sample: 1}, newQueue(out, "grpc://c:1", timeout, l.logger()))
	return tracer, l
}

func (t *Tracer) spend(n int) {
	for range n {
		_, span := t.Start(context.Background(), "x", Server)
		span.End(nil)
	}
}

func TestAHungCollectorCostsSpansAndNothingElse(t *testing.T) {
	out := &steered{hang: make(chan struct{}), began: make(chan struct{}, 1)}
	tracer, _ := queued(out, time.Minute)
	tracer.spend(batchSize)
	<-out.began // the first batch hangs
	tracer.spend(mostWaiting + 100)
	if s := tracer.Stats(); s.Dropped != 100 || s.Waiting != mostWaiting || s.Sent != 0 {
		t.Errorf("%+v", s)
	}
	close(out.hang)
	if err := tracer.queue.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := tracer.Stats(); s.Sent != batchSize+mostWaiting || s.Waiting != 0 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	for _, n := range out.sizes {
		if n > batchSize {
			t.Errorf("a batch of %d", n)
		}
	}
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailuresAreLoggedOnce(t *testing.T) {
	out := &steered{err: errors.New("refused")}
	tracer, log := queued(out, time.Minute)
	for range 3 {
		tracer.spend(1)
		if err := tracer.queue.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	out.fail(nil)
	for range 3 {
		tracer.spend(1)
		if err := tracer.queue.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(got) != 2 || !strings.Contains(got[0], "cannot be sent") || !strings.Contains(got[0], "grpc://c:1") || !strings.Contains(got[1], "sent again") {
		t.Errorf("%q", got)
	}
	if s := tracer.Stats(); s.Failed != 3 || s.Sent != 3 {
		t.Errorf("%+v", s)
	}
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	out := &steered{}
	tracer, _ := queued(out, time.Minute)
	tracer.spend(3)
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
	tracer.spend(2)
	if s := tracer.Stats(); s.Sent != 3 || s.Dropped != 2 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if err := tracer.Close(); err != nil {
		t.Error("twice:", err)
	}
	if err := tracer.queue.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestShutdownDoesNotWaitForAHungCollector(t *testing.T) {
	out := &steered{hang: make(chan struct{}), began: make(chan struct{}, 1)}
	tracer, _ := queued(out, time.Hour)
	tracer.spend(batchSize)
	<-out.began
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tracer.queue.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := tracer.Stats(); s.Failed != batchSize {
		t.Errorf("%+v", s)
	}
}

func TestFlushGivesUpWithItsContext(t *testing.T) {
	out := &steered{hang: make(chan struct{}), began: make(chan struct{}, 1)}
	tracer, _ := queued(out, time.Hour)
	tracer.spend(batchSize)
	<-out.began
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tracer.queue.ForceFlush(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(out.hang)
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	out := &steered{}
	tracer, _ := queued(out, time.Minute)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() { tracer.spend(2000) })
	}
	writers.Wait()
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
	if s := tracer.Stats(); s.Sent+s.Dropped != 16_000 || s.Sent == 0 {
		t.Errorf("%+v", s)
	}
}
