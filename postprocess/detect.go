package postprocess

import (
	"cmp"
	"math"
	"slices"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// maxNMS is how many candidates, the best ones, go into non-maximum suppression; Ultralytics' max_nms.
const maxNMS = 30000

// candidate is a box of the network before suppression: corners in network pixels.
type candidate struct {
	score          float32
	class, index   int32
	x1, y1, x2, y2 float64
}

// compareCandidates puts the higher score first and, of equal ones, the lower index.
func compareCandidates(a, b candidate) int {
	if a.score != b.score {
		return cmp.Compare(b.score, a.score)
	}
	return cmp.Compare(a.index, b.index)
}

// centred makes a candidate from centre and size. A box that is not finite or has a negative size is refused.
func centred(score float32, class, index int32, cx, cy, w, h float64) (candidate, bool) {
	c := candidate{score, class, index, cx - w/2, cy - h/2, cx + w/2, cy + h/2}
	return c, c.proper()
}

// proper reports whether the corners are finite and in order.
func (c *candidate) proper() bool {
	return finite(c.x1) && finite(c.y1) && finite(c.x2) && finite(c.y2) && c.x1 <= c.x2 && c.y1 <= c.y2
}

// iou is intersection over union, without the +1 of pixel-index conventions; 0 where both are empty.
func iou(a, b *candidate) float64 {
	w := min(a.x2, b.x2) - max(a.x1, b.x1)
	h := min(a.y2, b.y2) - max(a.y1, b.y1)
	if w <= 0 || h <= 0 {
		return 0
	}
	inter := w * h
	return inter / ((a.x2-a.x1)*(a.y2-a.y1) + (b.x2-b.x1)*(b.y2-b.y1) - inter)
}

// suppress is greedy non-maximum suppression within each class: the candidates come best first, and one stays unless it
// overlaps a better one of its class that stayed by more than threshold. It ends when limit have stayed, which is the same as
// cutting off afterwards. It appends the positions of those that stay.
func suppress(kept []int32, list []candidate, threshold float64, limit int) []int32 {
next:
	for i := range list {
		if len(kept) >= limit {
			break
		}
		for _, k := range kept {
			if list[k].class == list[i].class && iou(&list[k], &list[i]) > threshold {
				continue next
			}
		}
		kept = append(kept, int32(i))
	}
	return kept
}

// sharpest orders the candidates best first and leaves at most limit.
func sharpest(list []candidate, limit int) []candidate {
	slices.SortFunc(list, compareCandidates)
	return list[:min(len(list), limit)]
}

// detections maps the candidates at these positions to the source picture and clips them to it.
func (p *Postprocessor) detections(list []candidate, kept []int32, f tensor.Frame) (Result, error) {
	if !(f.ScaleX > 0) || !(f.ScaleY > 0) {
		return Result{}, fault.New(fault.Internal, "internal", "a detection needs the picture's frame")
	}
	out := make([]Detection, len(kept))
	for i, k := range kept {
		c := &list[k]
		d := Detection{Label: p.label(int(c.class)), Index: int(c.class), Score: float64(c.score)}
		d.Box.X1, d.Box.Y1 = f.Clip(f.ToSource(c.x1, c.y1))
		d.Box.X2, d.Box.Y2 = f.Clip(f.ToSource(c.x2, c.y2))
		out[i] = d
	}
	return Result{Detections: out}, nil
}

// all gives the positions 0..n-1.
func all(kept []int32, n int) []int32 {
	for i := range n {
		kept = append(kept, int32(i))
	}
	return kept
}

// probability refuses scores above 1: logits, or a column that is no score, betray another head. Half a per cent is rounding.
func (p *Postprocessor) probability(t *tensor.Tensor, score float32) error {
	if score <= 1.005 {
		return nil
	}
	return contract("output %q has a score of %v; head %s reads probabilities, so this output belongs to another head or lacks its sigmoid",
		t.Name, score, p.spec.Output.Head)
}

// usable reports whether a score is a number above the threshold.
func usable(score, threshold float32) bool { return score > threshold && score <= math.MaxFloat32 }
