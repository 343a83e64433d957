package triton

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"google.golang.org/grpc/connectivity"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// Index lists every version of every model on every endpoint that answers, by RepositoryIndex and ModelStatistics. It must be called at least every two
// seconds for the epochs to be prompt; see EpochStore for sharing them. With several endpoints a version is ready if it is so on one of them, and its epoch changes
// when it is loaded anew on any of them. An endpoint that does not answer keeps its last epoch until it is back. The error is
// Unavailable only where no endpoint can be reached, so that none can infer either.
func (c *Client) Index(ctx context.Context) ([]backend.ModelStatus, error) {
	sights := make([][]sight, len(c.endpoints))
	failures := make([]error, len(c.endpoints))
	var wait sync.WaitGroup
	for i, e := range c.endpoints {
		wait.Go(func() { sights[i], failures[i] = c.look(ctx, e) })
	}
	wait.Wait()
	failed := 0
	for i, err := range failures {
		if err != nil {
			failed++
			c.log.Debug("a model server does not answer", "endpoint", c.endpoints[i].name, "error", err)
		}
	}
	if failed == len(c.endpoints) {
		return nil, c.noIndex(ctx, failures)
	}
	if len(c.endpoints) == 1 {
		return statuses(sights[0]), nil
	}
	return c.united(sights, failures), nil
}

// noIndex is the error where no endpoint has answered. Unavailable tells the catalog that nobody can be reached, so that no reload can be missed and stored answers
// are good. Where a connection stands, inference may go on and the models may be loaded anew unseen: that is another error.
func (c *Client) noIndex(ctx context.Context, failures []error) error {
	for i, e := range c.endpoints {
		if e.conn.GetState() != connectivity.Ready {
			continue
		}
		f := translate(ctx, failures[i])
		if f.Kind == fault.Unavailable {
			f = fault.New(fault.Upstream, "upstream_error", "the model server can be reached, and does not say what it has loaded").Wrap(failures[i])
		}
		return f
	}
	return translate(ctx, failures[int(c.first.Load())%len(failures)])
}

func statuses(list []sight) []backend.ModelStatus {
	out := make([]backend.ModelStatus, 0, len(list))
	for _, s := range list {
		out = append(out, backend.ModelStatus{Name: s.model, Version: s.version, State: s.state, Reason: s.reason, Epoch: s.epoch})
	}
	return out
}

// united makes one list of those of several endpoints.
func (c *Client) united(lists [][]sight, failures []error) []backend.ModelStatus {
	var order []modelVersion
	best := map[modelVersion]sight{}
	epochs := map[modelVersion][]string{}
	for i, list := range lists {
		for _, s := range list {
			had, found := best[s.modelVersion]
			if !found {
				order = append(order, s.modelVersion)
				epochs[s.modelVersion] = make([]string, len(lists))
			}
			if !found || (had.state != backend.Ready && s.state == backend.Ready) {
				best[s.modelVersion] = s
			}
			epochs[s.modelVersion][i] = s.epoch
		}
	}
	out := make([]backend.ModelStatus, 0, len(order))
	for _, id := range order {
		s := best[id]
		if s.state == backend.Ready {
			s.epoch = c.unitedEpoch(id, epochs[id], failures)
		}
		out = append(out, statuses([]sight{s})...)
	}
	return out
}

// unitedEpoch changes when any endpoint's epoch does.
func (c *Client) unitedEpoch(id modelVersion, epochs []string, failures []error) string {
	h := sha256.New()
	for i, epoch := range epochs {
		if failures[i] != nil {
			epoch = c.endpoints[i].watch.last(id)
		}
		h.Write([]byte(epoch + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:epochLength/2])
}

// last gives the epoch that was seen last; "" where none was.
func (w *watcher) last(id modelVersion) string {
	w.busy <- struct{}{}
	defer func() { <-w.busy }()
	if v, found := w.versions[id]; found {
		return v.record.Epoch
	}
	return ""
}

// leave takes a last look, so that the next run of this gateway finds its own calls accounted for. It takes no long time, and may fail.
func (c *Client) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var wait sync.WaitGroup
	for _, e := range c.endpoints {
		if e.dials.Load() > 0 && e.watch.used() {
			wait.Go(func() { _, _ = c.look(ctx, e) })
		}
	}
	wait.Wait()
}

func (w *watcher) used() bool {
	w.busy <- struct{}{}
	defer func() { <-w.busy }()
	return len(w.versions) > 0
}
