package shadow

import (
	"slices"
	"time"
)

// Disagreement is one input that primary and shadow answered otherwise.
type Disagreement struct {
	Pair       Pair
	Time       time.Time // when the two were compared
	Comparison Comparison
	Item       any   // what the offer made; nil where it made nothing or there was no room for it
	Bytes      int64 // that Item holds
}

// Worst gives the worst disagreements of a route, the worst first; of equal ones, the oldest. Items are shared and must not be changed.
func (r *Runner) Worst(route string) []Disagreement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.worst[route])
}

// among says whether a disagreement of this distance would be kept now.
func (r *Runner) among(route string, distance float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.worst[route]
	return len(list) < r.options.Keep || len(list) > 0 && distance > list[len(list)-1].Comparison.Distance
}

// insert keeps a disagreement, and drops the least of them all where there are too many. Those that are worse have their items first: one that does not fit any more keeps its figures only.
func (r *Runner) insert(d Disagreement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	route := d.Pair.Route
	list := slices.Clone(r.worst[route])
	at := slices.IndexFunc(list, func(o Disagreement) bool { return o.Comparison.Distance < d.Comparison.Distance })
	if at < 0 {
		at = len(list)
	}
	list = slices.Insert(list, at, d)
	list = slices.Clip(list[:min(len(list), max(r.options.Keep, 0))])
	left := r.options.KeepBytes
	for i := range list {
		if list[i].Bytes > left {
			list[i].Item, list[i].Bytes = nil, 0
		}
		left -= list[i].Bytes
	}
	r.worst[route] = list
}
