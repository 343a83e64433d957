package graph

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// call asks one model when there is a place.
func (e *execution) call(ctx context.Context, n *node, part *Region) (out postprocess.Result, err error) {
	select {
	case e.places <- struct{}{}:
	case <-ctx.Done():
		return out, fault.Ended(ctx.Err(), "while the node waited for its turn")
	}
	defer func() { <-e.places }()
	if err := ctx.Err(); err != nil {
		return out, fault.Ended(err, "while the node waited for its turn")
	}
	err = recovered(func() (err error) {
		out, err = e.runner.Run(ctx, &Call{Node: n.Name, Model: n.Model, Version: n.Version, Region: part, Options: e.options(n)})
		return err
	})
	return out, err
}

// options are those of the document, and over them the caller's where the node decides the answer.
func (e *execution) options(n *node) postprocess.Options {
	o := postprocess.Options(n.Options)
	if n.leading {
		in := &e.in.Options
		over(&o.TopK, in.TopK)
		over(&o.Confidence, in.Confidence)
		over(&o.IoU, in.IoU)
		over(&o.MaxDetections, in.MaxDetections)
		if len(in.Classes) > 0 {
			o.Classes = in.Classes
		}
	}
	if n.ballot && n.Options.TopK == nil {
		all := allClasses
		o.TopK = &all
	}
	return o
}

func over[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// ask asks a model about the whole input.
func (e *execution) ask(ctx context.Context, n *node) (*value, error) {
	r, err := e.call(ctx, n, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Detections != nil:
		v := &value{kind: detections, found: make([]Found, len(r.Detections))}
		for i, d := range r.Detections {
			v.found[i].Detection = d
		}
		if len(v.found) > MostFound {
			v.found = best(v.found, MostFound)
		}
		return v, nil
	case r.Predictions != nil:
		return &value{kind: classes, classes: r.Predictions}, nil
	}
	return &value{kind: other, other: r}, nil
}

// askEach asks a model about each crop. What a classifier says goes to the crop's detection; what a detector finds takes its place, in pixels of the picture.
func (e *execution) askEach(ctx context.Context, n *node, s *step, in *value) (*value, error) {
	var work []int
	for i, part := range in.cuts {
		if part != nil {
			work = append(work, i)
		}
	}
	results := make([]postprocess.Result, len(in.cuts))
	faults := make([]error, len(in.cuts))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(cap(e.places), len(work)) {
		workers.Go(func() {
			for k := int(next.Add(1)) - 1; k < len(work); k = int(next.Add(1)) - 1 {
				i := work[k]
				results[i], faults[i] = e.call(ctx, n, in.cuts[i])
				if faults[i] != nil && n.onError == "fail" {
					cancel()
				}
			}
		})
	}
	workers.Wait()
	if n.onError == "fail" {
		if err := first(faults); err != nil {
			return nil, err
		}
	}
	for _, err := range faults {
		if err == nil {
			continue
		}
		if s.Failed++; s.Err == nil {
			s.Err = named(n, err)
		}
	}
	return e.gather(n, in, results, faults)
}

// first is the error that the others follow from: one that is no end of a context, if there is one.
func first(list []error) (err error) {
	for _, e := range list {
		if e != nil && (err == nil || fault.KindOf(err) == fault.Canceled) {
			err = e
		}
	}
	return err
}

// gather puts the answers of all crops together.
func (e *execution) gather(n *node, in *value, results []postprocess.Result, faults []error) (*value, error) {
	finds := slices.ContainsFunc(results, func(r postprocess.Result) bool { return r.Detections != nil })
	if e.in.Known != nil && !finds { // where no crop was answered, only the task tells
		does, ok := e.in.Known(n.Model, n.Version)
		finds = ok && does == task.ObjectDetection
	}
	out := &value{kind: detections, found: []Found{}}
	if !finds {
		out.found = slices.Clone(in.found)
	}
	for i, part := range in.cuts {
		r := &results[i]
		switch {
		case part == nil:
		case faults[i] != nil:
			if !finds && n.onError == "default" && n.Default != nil {
				out.found[i].Predictions = n.byDefault()
			}
		case finds:
			for _, d := range r.Detections {
				d.Box.X1, d.Box.X2 = d.Box.X1+float64(part.X0), d.Box.X2+float64(part.X0)
				d.Box.Y1, d.Box.Y2 = d.Box.Y1+float64(part.Y0), d.Box.Y2+float64(part.Y0)
				out.found = append(out.found, Found{Detection: d})
			}
		case r.Predictions != nil:
			out.found[i].Predictions = r.Predictions
		default:
			return nil, fault.New(fault.Contract, "upstream_contract", "model %q gave neither classes nor detections for a crop", n.Model)
		}
	}
	if len(out.found) > MostFound {
		out.found = best(out.found, MostFound)
	}
	return out, nil
}
