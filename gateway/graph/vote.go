package graph

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// ballot is one answer that counts.
type ballot struct {
	*value
	weight float64
}

// vote puts the answers of several nodes together.
func (e *execution) vote(ctx context.Context, n *node) (*value, error) {
	there, err := e.heard(ctx, n)
	if err != nil {
		return nil, err
	}
	list, err := e.ballots(n, there)
	switch {
	case err != nil:
		return nil, err
	case n.Vote.Method == "wbf":
		return n.Vote.boxes(ctx, list)
	case list[0].kind == classes:
		return &value{kind: classes, classes: n.Vote.count(list)}, nil
	}
	return n.Vote.crops(list)
}

// heard waits for a quorum of the nodes that have an answer and, for as long as Straggler says, for the rest. It tells by place in From which have come.
func (e *execution) heard(ctx context.Context, n *node) (there []bool, err error) {
	v := n.Vote
	quorum := cmp.Or(v.Quorum, len(n.reads))
	arrived, done := e.arrivals(ctx, n)
	defer done()
	there = make([]bool, len(n.reads))
	have, left := 0, len(n.reads)
	var late <-chan time.Time
	for left > 0 {
		select {
		case k := <-arrived:
			left--
			if e.steps[n.reads[k]].value != nil {
				there[k] = true
				have++
			}
		case <-late:
			left = 0
		case <-ctx.Done():
			return nil, fault.Ended(ctx.Err(), "while the vote waited")
		}
		if have+left < quorum {
			return nil, e.noQuorum(n, quorum)
		}
		if have >= quorum && late == nil && v.Straggler > 0 {
			timer := time.NewTimer(v.Straggler)
			defer timer.Stop()
			late = timer.C
		}
	}
	return there, nil
}

// ballots are the answers that are there, all of one kind, in the order of From, whichever came first.
func (e *execution) ballots(n *node, there []bool) (list []ballot, err error) {
	for k, ok := range there {
		if !ok {
			continue
		}
		b := ballot{e.steps[n.reads[k]].value, 1}
		if n.Vote.Weights != nil {
			b.weight = n.Vote.Weights[k]
		}
		if !n.takes(b.kind) || len(list) > 0 && b.kind != list[0].kind {
			return nil, fault.New(fault.Contract, "upstream_contract", "it cannot read %s", b.kind)
		}
		list = append(list, b)
	}
	return list, nil
}

// arrivals tells the place in From of each node that has ended. done has to be called.
func (e *execution) arrivals(ctx context.Context, n *node) (arrived <-chan int, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan int, len(n.reads))
	var all sync.WaitGroup
	for k, i := range n.reads {
		all.Go(func() {
			select {
			case <-e.steps[i].done:
				out <- k
			case <-ctx.Done():
			}
		})
	}
	return out, func() { cancel(); all.Wait() }
}

// noQuorum is the error where too few answered: of the kind that the first of the others failed with.
func (e *execution) noQuorum(n *node, quorum int) error {
	f := fault.New(fault.Upstream, "upstream_error", "fewer than %d of its %d nodes, its quorum, have an answer", quorum, len(n.reads))
	for _, i := range n.reads {
		select {
		case <-e.steps[i].done:
		default:
			continue
		}
		if err := e.steps[i].Err; err != nil {
			if first := faultOf(err); first != nil {
				f.Kind, f.Code, f.RetryAfter = first.Kind, first.Code, first.RetryAfter
				f.Detail += ": " + first.Detail
			}
			return f.Wrap(err)
		}
	}
	return f
}

// count is a vote on classes. Classes are told apart by label, and take the index that the first has who knows them; a class that one leaves out has the score 0 there.
//   - mean and weighted: the average of the scores, by weight.
//   - majority: each gives its weight to its best class; the score is the share of all weights. Of equal ones the one with the higher average is first.
func (v *Vote) count(ballots []ballot) []postprocess.Prediction {
	type tally struct {
		postprocess.Prediction
		mean float64
	}
	at := map[string]int{}
	var list []tally
	total := 0.0
	for _, b := range ballots {
		total += b.weight
		top := -1
		seen := map[string]bool{}
		for i := range b.classes {
			p := &b.classes[i]
			if seen[p.Label] { // two classes of one name: the first, which is the better one
				continue
			}
			seen[p.Label] = true
			where, ok := at[p.Label]
			if !ok {
				where = len(list)
				at[p.Label] = where
				list = append(list, tally{Prediction: postprocess.Prediction{Label: p.Label, Index: p.Index}})
			}
			list[where].mean += b.weight * p.Score
			if top < 0 || p.Score > b.classes[top].Score {
				top = i
			}
		}
		if top >= 0 {
			list[at[b.classes[top].Label]].Score += b.weight
		}
	}
	for i := range list {
		list[i].mean /= total
		if list[i].Score /= total; v.Method != "majority" {
			list[i].Score = list[i].mean
		}
	}
	slices.SortStableFunc(list, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.mean, a.mean), cmp.Compare(a.Index, b.Index))
	})
	out := make([]postprocess.Prediction, min(len(list), cmp.Or(v.TopK, defaultTopK)))
	for i := range out {
		out[i] = list[i].Prediction
	}
	return out
}

// crops votes on the classes of each detection. All have the same detections.
func (v *Vote) crops(list []ballot) (*value, error) {
	out := &value{kind: detections, found: slices.Clone(list[0].found)}
	for _, b := range list {
		if len(b.found) != len(out.found) {
			return nil, fault.New(fault.Contract, "upstream_contract", "the classes are not of the same detections")
		}
	}
	for i := range out.found {
		var said []ballot
		for _, b := range list {
			if b.found[i].Predictions != nil {
				said = append(said, ballot{&value{classes: b.found[i].Predictions}, b.weight})
			}
		}
		if len(said) > 0 {
			out.found[i].Predictions = v.count(said)
		}
	}
	return out, nil
}
