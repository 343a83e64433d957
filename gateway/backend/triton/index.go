package triton

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// Index lists every version of every model on every endpoint that answers, by RepositoryIndex and ModelStatistics. It must be called at least every two
// seconds for the epochs to be prompt; see EpochStore for sharing them. With several endpoints a version is ready if it is so on one of them, and its epoch changes
// when it is loaded anew on any of them. An endpoint that does not answer keeps its last epoch until it is back. The error is
// Unavailable only where no endpoint can be reached, so that none can infer either.
func (c *Client) Index(ctx context.Context) ([]backend.ModelStatus, error) {
	members := c.list()
	sights := make([][]sight, len(members))
	failures := make([]error, len(members))
	var wait sync.WaitGroup
	for i, e := range members {
		if e.ejected.Load() { // it is probed until it is back, and looked at before it gets a call
			failures[i] = status.Error(codes.Unavailable, "taken out of service: "+e.why())
			continue
		}
		wait.Go(func() {
			sights[i], failures[i] = c.look(ctx, e)
			c.looked(ctx, e, failures[i])
		})
	}
	wait.Wait()
	failed := 0
	for i, err := range failures {
		if err != nil {
			failed++
			c.log.Debug("a model server does not answer", "endpoint", members[i].name, "error", err)
		}
	}
	if failed == len(members) {
		return nil, c.noIndex(ctx, members, failures)
	}
	if len(members) == 1 {
		return statuses(sights[0]), nil
	}
	return united(members, sights, failures), nil
}

// noIndex is the error where no endpoint has answered. Unavailable tells the catalog that nobody can be reached, so that no reload can be missed and stored answers
// are good. Where a connection stands, inference may go on and the models may be loaded anew unseen: that is another error.
func (c *Client) noIndex(ctx context.Context, members []*endpoint, failures []error) error {
	for i, e := range members {
		if e.conn.GetState() != connectivity.Ready && !e.link.stands() {
			continue
		}
		f := translate(ctx, failures[i])
		if f.Kind == fault.Unavailable {
			f = fault.New(fault.Upstream, "upstream_error", "the model server can be reached, and does not say what it has loaded").Wrap(failures[i])
		}
		return f
	}
	if len(failures) == 0 {
		return nowhere()
	}
	return translate(ctx, failures[0])
}

func statuses(list []sight) []backend.ModelStatus {
	out := make([]backend.ModelStatus, 0, len(list))
	for _, s := range list {
		out = append(out, backend.ModelStatus{Name: s.model, Version: s.version, State: s.state, Reason: s.reason, Epoch: s.epoch})
	}
	return out
}

// united makes one list of those of several endpoints.
func united(members []*endpoint, lists [][]sight, failures []error) []backend.ModelStatus {
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
			s.epoch = unitedEpoch(id, members, epochs[id], failures)
		}
		out = append(out, statuses([]sight{s})...)
	}
	return out
}

// unitedEpoch changes when any endpoint's epoch does, and when an endpoint comes or goes. It does not depend on the order of the endpoints, which a name
// server may change.
func unitedEpoch(id modelVersion, members []*endpoint, epochs []string, failures []error) string {
	lines := make([]string, 0, len(epochs))
	for i, epoch := range epochs {
		if failures[i] != nil {
			epoch = members[i].lastEpoch(id)
		}
		lines = append(lines, members[i].address+" "+epoch+"\x00")
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return hex.EncodeToString(h.Sum(nil)[:epochLength/2])
}

// lastEpoch gives the epoch that was seen last; "" where none was.
func (e *endpoint) lastEpoch(id modelVersion) string {
	if epochs := e.epochs.Load(); epochs != nil {
		return (*epochs)[id]
	}
	return ""
}

// leave takes a last look, so that the next run of this gateway finds its own calls accounted for. It takes no long time, and may fail.
func (c *Client) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var wait sync.WaitGroup
	for _, e := range c.list() {
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
