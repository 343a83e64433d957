package graph

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"triton-gateway/internal/nearest"
	"triton-gateway/task"
)

// nodeName is what a node may be called: it is a key of the answer.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// faults collects what is wrong with a document.
type faults struct {
	list  task.Faults
	given func(path string) bool // whether the text has a value there
}

func (f *faults) add(path, format string, args ...any) {
	f.list = append(f.list, &task.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// suggest names the node that is meant.
func (f *faults) suggest(name string, nodes []Node) string {
	known := []string{inputName}
	for i := range nodes {
		known = append(known, nodes[i].Name)
	}
	if word := nearest.Word(name, known); word != "" {
		return fmt.Sprintf("; did you mean %q?", word)
	}
	return ""
}

// document checks everything that can be said of each node alone.
func (f *faults) document(d *Document) {
	if !slices.Contains([]string{"", "image", "row"}, d.Input) {
		f.add("input", "%q is neither image nor row", short(d.Input))
	}
	f.whole("parallel", d.Parallel, 1, MostParallel)
	f.duration("timeout", d.Timeout)
	switch {
	case len(d.Nodes) == 0:
		f.add("nodes", "a graph needs at least one node, such as {name: find, model: shapes-detector, from: input}")
	case len(d.Nodes) > MostNodes:
		f.add("nodes", "%d nodes; at most %d", len(d.Nodes), MostNodes)
		return
	}
	names := map[string]bool{inputName: true}
	for i := range d.Nodes {
		n := &d.Nodes[i]
		at := place("nodes", i)
		switch {
		case !nodeName.MatchString(n.Name):
			f.add(at+".name", "a node's name has 1 to 64 letters, digits, dashes and underscores, unlike %q", short(n.Name))
		case names[n.Name]:
			f.add(at+".name", "%q is the name of another node, or of the input", n.Name)
		}
		names[n.Name] = true
		f.node(at, n, d.Input == "row")
	}
}

func (f *faults) node(at string, n *Node, rows bool) {
	var does []string
	for _, k := range []string{"model", "crop", "filter", "map", "merge", "switch", "vote"} {
		if f.given(at + "." + k) {
			does = append(does, k)
		}
	}
	if len(does) != 1 {
		f.add(at, "a node has exactly one of model, crop, filter, map, merge, switch and vote; this one has %d", len(does))
		return
	}
	if n.Model == "" && does[0] == "model" {
		f.add(at+".model", "the name of a model is missing")
		return
	}
	f.from(at, n)
	f.duration(at+".timeout", n.Timeout)
	f.onError(at, n)
	if n.Model == "" {
		for _, key := range []string{"version", "options"} {
			if f.given(at + "." + key) {
				f.add(at+"."+key, "only a model has this; the node is a %s", n.what())
			}
		}
	}
	switch {
	case n.Model != "":
		f.options(at+".options", &n.Options)
	case n.Crop != nil:
		if rows {
			f.add(at+".crop", "the input is a row, and a row has no parts to cut out")
		}
		f.number(at+".crop.pad", &n.Crop.Pad, 0, 2)
		f.whole(at+".crop.max", n.Crop.Max, 1, MostCrops)
		f.whole(at+".crop.min_side", n.Crop.MinSide, 1, 16384)
	case n.Filter != nil:
		f.condition(at+".filter.where", &n.Filter.Where, false)
		f.whole(at+".filter.best", n.Filter.Best, 1, MostFound)
	case n.Map != nil && len(n.Map.Labels) == 0 && !n.Map.Promote:
		f.add(at+".map", "it changes nothing; give labels or promote: true")
	case n.Merge != nil:
		f.number(at+".merge.iou", n.Merge.IoU, 0, 1)
	case n.Switch != nil:
		f.cases(at+".switch", n.Switch)
	case n.Vote != nil:
		f.vote(at+".vote", n)
	}
}

// from checks how many nodes are read.
func (f *faults) from(at string, n *Node) {
	most := 1
	if n.Merge != nil || n.Vote != nil {
		most = MostRead
	}
	switch {
	case len(n.From) == 0:
		f.add(at, "from is missing: name the node that it reads, or input")
	case len(n.From) > most:
		f.add(at+".from", "a %s reads at most %d, not %d", n.what(), most, len(n.From))
	}
}

func (f *faults) onError(at string, n *Node) {
	if !slices.Contains([]string{"", "fail", "skip", "default"}, n.OnError) {
		f.add(at+".on_error", "%q is none of fail, skip, default", short(n.OnError))
	}
	if n.Default == nil {
		return
	}
	if n.OnError != "default" {
		f.add(at+".default", "it is used with on_error: default alone")
	}
	if n.Default.Label == "" {
		f.add(at+".default", "label is missing")
	}
	f.whole(at+".default.index", n.Default.Index, 0, 1<<20)
	f.number(at+".default.score", &n.Default.Score, 0, 1)
}

func (f *faults) options(at string, o *Options) {
	if o.TopK != nil {
		f.whole(at+".top_k", *o.TopK, 1, allClasses)
	}
	if o.MaxDetections != nil {
		f.whole(at+".max_detections", *o.MaxDetections, 1, MostFound)
	}
	f.number(at+".confidence", o.Confidence, 0, 1)
	f.number(at+".iou", o.IoU, 0, 1)
}

func (f *faults) condition(at string, c *Condition, counts bool) {
	f.number(at+".score_over", c.ScoreOver, 0, 1)
	f.number(at+".score_under", c.ScoreUnder, 0, 1)
	f.number(at+".area_over", c.AreaOver, 0, math.MaxInt32)
	f.number(at+".area_under", c.AreaUnder, 0, math.MaxInt32)
	if c.Inner != nil {
		f.number(at+".inner.score_over", c.Inner.ScoreOver, 0, 1)
		f.number(at+".inner.score_under", c.Inner.ScoreUnder, 0, 1)
	}
	for key, n := range map[string]*int{"count_over": c.CountOver, "count_under": c.CountUnder} {
		switch {
		case n == nil:
		case !counts:
			f.add(at+"."+key, "counts are for the cases of a switch")
		default:
			f.whole(at+"."+key, *n, 0, math.MaxInt32)
		}
	}
}

func (f *faults) cases(at string, s *Switch) {
	if len(s.Cases) == 0 || len(s.Cases) > MostRead {
		f.add(at+".cases", "a switch has 1 to %d cases, not %d", MostRead, len(s.Cases))
	}
	for i := range s.Cases {
		c := &s.Cases[i]
		here := at + "." + place("cases", i)
		f.condition(here+".when", &c.When, true)
		if c.Stop == (len(c.Run) > 0) {
			f.add(here, "a case either runs nodes or has stop: true")
		}
	}
	if s.Else.Stop && len(s.Else.Run) > 0 {
		f.add(at+".else", "it either runs nodes or has stop: true")
	}
}

func (f *faults) vote(at string, n *Node) {
	v := n.Vote
	if !slices.Contains([]string{"", "mean", "weighted", "majority", "wbf"}, v.Method) {
		f.add(at+".method", "%q is none of mean, weighted, majority, wbf", short(v.Method))
	}
	switch {
	case v.Method == "weighted" && v.Weights == nil:
		f.add(at+".method", "weighted needs weights")
	case v.Weights == nil:
	case v.Method == "" || v.Method == "mean":
		f.add(at+".weights", "mean has no weights; say method: weighted")
	case len(v.Weights) != len(n.From):
		f.add(at+".weights", "%d weights for %d nodes", len(v.Weights), len(n.From))
	}
	for i := range v.Weights {
		if w := v.Weights[i]; !(w > 0 && w <= 1e6) {
			f.add(at+"."+place("weights", i), "a weight is above 0 and at most 1000000")
		}
	}
	f.whole(at+".quorum", v.Quorum, 1, max(len(n.From), 1))
	f.whole(at+".top_k", v.TopK, 1, allClasses)
	f.duration(at+".straggler", v.Straggler)
	f.number(at+".iou", v.IoU, 0, 1)
	for key, used := range map[string]bool{"iou": v.Method == "wbf", "top_k": v.Method != "wbf"} {
		if f.given(at+"."+key) && !used {
			f.add(at+"."+key, "this method has no such setting")
		}
	}
}

// whole checks a number that is given.
func (f *faults) whole(path string, n, low, high int) {
	if f.given(path) && (n < low || n > high) {
		f.add(path, "must be %d to %d, got %d", low, high, n)
	}
}

func (f *faults) number(path string, n *float64, low, high float64) {
	if n != nil && f.given(path) && !(*n >= low && *n <= high) {
		f.add(path, "must be %v to %v, got %v", low, high, *n)
	}
}

func (f *faults) duration(path string, d time.Duration) {
	if f.given(path) && (d < time.Millisecond || d > MostTimeout) {
		f.add(path, "must be 1ms to %v, got %v", MostTimeout, d)
	}
}

func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
