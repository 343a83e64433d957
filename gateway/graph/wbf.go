package graph

import (
	"cmp"
	"context"
	"math"
	"slices"

	"triton-gateway/postprocess"
)

// mostFused is how many boxes of one model, the best ones, are fused: the time grows with their square.
const mostFused = 2000

// defaultIoU is the threshold that the paper found best for its sets.
const defaultIoU = 0.55

// cluster is the boxes that are taken for one object.
type cluster struct {
	postprocess.Detection // as they are fused now; Score is not scaled yet
	n                     int
	scores                float64 // sum
	box                   postprocess.Box
}

// boxes is weighted boxes fusion (Solovyev, Wang, Gabruseva, "Weighted boxes fusion: Ensembling boxes from different object detection models", 2019, arXiv
// 1910.13302, section 3). The boxes of all N models, best first, go one by one into the cluster of their label whose fused box they overlap most, if by more than
// the threshold, else into one of their own. Of a cluster with the T boxes i with scores C_i the fused box has
//
//	C = sum(C_i) / T        X = sum(C_i X_i) / sum(C_i) for each coordinate X
//
// and in the end C is multiplied by min(T, N) / N, as an object that few models have seen is less certain. With weights w, C_i is w C_i of the model, and N below
// the line is the sum of the weights. N is the number of models that answered.
func (v *Vote) boxes(ctx context.Context, list []ballot) (*value, error) {
	threshold := defaultIoU
	if v.IoU != nil {
		threshold = *v.IoU
	}
	var all []postprocess.Detection
	weights := 0.0
	for _, b := range list {
		weights += b.weight
		for _, f := range best(b.found, mostFused) {
			if d := f.Detection; d.Score > 0 && proper(&d.Box) {
				d.Score *= b.weight
				all = append(all, d)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b postprocess.Detection) int { return cmp.Compare(b.Score, a.Score) })
	byLabel := map[string][]*cluster{}
	var order []*cluster
	for i := range all {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d := &all[i]
		var match *cluster
		most := threshold
		for _, c := range byLabel[d.Label] {
			if o := overlap(&c.Box, &d.Box); o > most {
				match, most = c, o
			}
		}
		if match == nil {
			match = &cluster{Detection: postprocess.Detection{Label: d.Label, Index: d.Index}}
			byLabel[d.Label] = append(byLabel[d.Label], match)
			order = append(order, match)
		}
		match.add(d)
	}
	out := &value{kind: detections, found: []Found{}}
	for _, c := range order {
		d := c.Detection
		d.Score = min(c.scores/float64(c.n)*float64(min(c.n, len(list)))/weights, 1)
		out.found = append(out.found, Found{Detection: d})
	}
	out.found = best(out.found, MostFound)
	return out, nil
}

// add fuses one more box.
func (c *cluster) add(d *postprocess.Detection) {
	c.n++
	c.scores += d.Score
	c.box.X1 += d.Score * d.Box.X1
	c.box.Y1 += d.Score * d.Box.Y1
	c.box.X2 += d.Score * d.Box.X2
	c.box.Y2 += d.Score * d.Box.Y2
	c.Box = postprocess.Box{X1: c.box.X1 / c.scores, Y1: c.box.Y1 / c.scores, X2: c.box.X2 / c.scores, Y2: c.box.Y2 / c.scores}
}

// proper refuses boxes without area, or that are no numbers.
func proper(b *postprocess.Box) bool {
	return b.X2 > b.X1 && b.Y2 > b.Y1 && !math.IsInf(b.X1, 0) && !math.IsInf(b.Y1, 0) && !math.IsInf(b.X2, 0) && !math.IsInf(b.Y2, 0)
}
