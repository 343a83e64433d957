package graph

import (
	"cmp"
	"slices"

	"triton-gateway/postprocess"
)

// kind is the type of what a node gives.
type kind uint8

const (
	unknown    kind = iota // of a model that is not known yet: fits everywhere
	picture                // the input
	row                    // the input
	detections             // with or without classes
	crops                  // parts of the picture, each of a detection
	classes
	other // anything else that a model answers; only the output may be such
	kinds = iota
)

func (k kind) String() string {
	return [kinds]string{"the answer of a model that is not known", "the picture", "the row", "detections", "crops", "classes", "an answer that no node reads"}[k]
}

// Found is a detection, with what other models said of its part of the picture.
type Found struct {
	postprocess.Detection
	Predictions []postprocess.Prediction // nil: no classifier looked at it
}

// value is what a node gives. It is shared between nodes and must not be changed.
type value struct {
	kind    kind
	found   []Found                  // detections and crops
	cuts    []*Region                // crops: of found[i]; nil where none is cut out
	classes []postprocess.Prediction // classes
	other   postprocess.Result
}

// items is how many things it holds.
func (v *value) items() int {
	switch v.kind {
	case detections:
		return len(v.found)
	case classes:
		return len(v.classes)
	case crops:
		n := 0
		for _, c := range v.cuts {
			if c != nil {
				n++
			}
		}
		return n
	}
	return 1
}

// MostFound is how many detections of one model, or of several together, a graph works on: those with the best scores.
const MostFound = 10000

// best gives the n best, best first; of equal ones the earlier.
func best(list []Found, n int) []Found {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Found) int { return cmp.Compare(b.Score, a.Score) })
	return list[:min(n, len(list))]
}

// bestClasses is the same for classes; of equal ones the one with the lower index.
func bestClasses(list []postprocess.Prediction, n int) []postprocess.Prediction {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b postprocess.Prediction) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Index, b.Index))
	})
	return list[:min(n, len(list))]
}
