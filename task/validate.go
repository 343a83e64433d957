package task

import (
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// What the texts of a task.yaml may be.
const (
	maxSide    = 16384 // pixels, of any size that is asked for
	maxColumns = 65536
	// MostBatched is how many items a batch may have, and LongestBound how long a call may wait for one.
	MostBatched  = 4096
	LongestBound = 10 * time.Second
	// EveryColumn is the key of Input.Ranges that stands for each column without a range of its own.
	EveryColumn = "*"
)

// Image reports whether the task is done on pictures. A model of such a task may take rows too, if it names columns.
func (n Name) Image() bool {
	switch n {
	case ImageClassification, ObjectDetection, ImageSegmentation, ImageFeatureExtraction:
		return true
	}
	return false
}

// Tabular reports whether the task is done on rows alone.
func (n Name) Tabular() bool { return n == TabularClassification || n == TabularRegression }

// Classes reports whether the answer names classes, so that labels have a meaning.
func (n Name) Classes() bool {
	switch n {
	case ImageClassification, ObjectDetection, ImageSegmentation, TabularClassification:
		return true
	}
	return false
}

// Validate checks everything that can be checked without the model's config: texts, ranges, lengths, and that no key is set
// that has no meaning for the task. It holds before and after Complete. The error is a Faults.
func (s *Spec) Validate() error {
	var f Faults
	if s.Task == "" {
		f.add("task", "the task is missing; it is one of %s", strings.Join(enumOf("task"), ", "))
		return f
	}
	s.eachText(func(path, value string) {
		if enum := enumOf(path); len(enum) > 0 && value != "" && !slices.Contains(enum, value) {
			f.add(path, "%q is unknown%s", short(value), choose(value, enum))
		}
	})
	if len(f) > 0 && f[0].Path == "task" {
		return f
	}
	s.belong(&f)
	s.checkInput(&f)
	if s.Preprocess != nil {
		s.checkPreprocess(&f)
	}
	s.checkOutput(&f)
	s.checkLabels(&f)
	if s.Cache.TTL < 0 {
		f.add("cache.ttl", "must not be negative")
	}
	s.Batching.check(&f)
	return f.err()
}

// eachText visits the keys that have a fixed set of values.
func (s *Spec) eachText(visit func(path, value string)) {
	visit("task", string(s.Task))
	visit("input.layout", s.Input.Layout)
	visit("input.dtype", s.Input.DType)
	visit("input.color", s.Input.Color)
	if p := s.Preprocess; p != nil {
		visit("preprocess.decode", p.Decode)
		visit("preprocess.exif", p.Exif)
		visit("preprocess.resize.mode", p.Resize.Mode)
		visit("preprocess.resize.resample", p.Resize.Resample)
		if p.Crop != nil {
			visit("preprocess.crop.round", p.Crop.Round)
		}
	}
	visit("output.activation", s.Output.Activation)
	visit("output.head", s.Output.Head)
	visit("output.pool", s.Output.Pool)
}

func (s *Spec) checkInput(f *Faults) {
	in := &s.Input
	if len(in.Columns) == 0 && s.Task.Tabular() {
		f.add("input.columns", "%s needs the names of the columns, in the order of the tensor", s.Task)
	}
	if len(in.Columns) > maxColumns {
		f.add("input.columns", "%d columns; at most %d are read", len(in.Columns), maxColumns)
		return
	}
	seen := make(map[string]bool, len(in.Columns))
	for i, name := range in.Columns {
		switch at := indexed("input.columns", i); {
		case strings.TrimSpace(name) == "":
			f.add(at, "a column needs a name")
		case seen[name]:
			f.add(at, "column %q is there twice", short(name))
		}
		seen[name] = true
	}
	if in.DType != "" && s.Preprocess != nil && !slices.Contains(imageTypes(), in.DType) {
		f.add("input.dtype", "pictures are fed as %s", strings.Join(imageTypes(), ", "))
	}
	if in.DType != "" && len(in.Columns) > 0 && !slices.Contains(rowTypes(), in.DType) {
		f.add("input.dtype", "rows are fed as %s", strings.Join(rowTypes(), ", "))
	}
	for _, name := range sortedKeys(in.Ranges) {
		at, r := join("input.ranges", name), in.Ranges[name]
		if !seen[name] && name != EveryColumn {
			f.add(at, "there is no such column")
		}
		if !finite(r[:]...) || r[0] > r[1] {
			f.add(at, "[low, high] needs low <= high")
		}
	}
}

func (s *Spec) checkPreprocess(f *Faults) {
	p := s.Preprocess
	for _, size := range []struct {
		path string
		Size
	}{{"preprocess.resize.size", p.Resize.Size}, {"preprocess.crop.size", p.cropSize()}} {
		if size.Size != (Size{}) && size.check(nil) != nil {
			f.add(size.path, "sizes are 1 to %d pixels", maxSide)
		}
	}
	edge := p.Resize.Mode == "shortest-edge" || p.Resize.Mode == "longest-edge"
	if edge && p.Resize.Size.Height != p.Resize.Size.Width {
		f.add("preprocess.resize.size", "%s takes one number, the length of that edge", p.Resize.Mode)
	}
	if pad := p.Resize.Pad; pad != nil {
		if *pad < 0 || *pad > 255 {
			f.add("preprocess.resize.pad", "the gray level is 0 to 255")
		}
		if m := p.Resize.Mode; m != "" && m != "letterbox" && m != "longest-edge" {
			f.add("preprocess.resize.pad", "mode %s leaves no border; pad belongs to letterbox and longest-edge", m)
		}
	}
	if p.Resize.Mode == "none" && p.Resize.Size != (Size{}) {
		f.add("preprocess.resize.size", "mode none does not resize; leave size out")
	}
	if p.Scale < 0 || math.IsNaN(float64(p.Scale)) || math.IsInf(float64(p.Scale), 0) {
		f.add("preprocess.scale", "must be above 0")
	}
	s.checkNumbers(f, "preprocess.mean", p.Mean, false)
	s.checkNumbers(f, "preprocess.std", p.Std, true)
	if s.Input.DType == "UINT8" && (len(p.Mean) > 0 || len(p.Std) > 0 || p.Scale != 0 && p.Scale != 1) {
		f.add("preprocess", "scale, mean and std make fractions, which a UINT8 input cannot hold; leave them out")
	}
}

// checkNumbers checks mean and std: one number for all channels, or one for each.
func (s *Spec) checkNumbers(f *Faults, path string, n Numbers, positive bool) {
	channels := map[string]int{"": 3, "RGB": 3, "BGR": 3, "GRAY": 1}[s.Input.Color]
	switch {
	case n == nil:
	case len(n) != 1 && len(n) != channels && channels > 0:
		f.add(path, "%d numbers for %d channels; give one number or one for each channel", len(n), channels)
	case !finite(n...):
		f.add(path, "the numbers must be finite")
	case positive && slices.ContainsFunc(n, func(x float64) bool { return x <= 0 }):
		f.add(path, "values are divided by these numbers; each must be above 0")
	}
}

func (s *Spec) checkOutput(f *Faults) {
	o := &s.Output
	if o.TopK < 0 {
		f.add("output.top_k", "must be 1 or more")
	}
	if o.MaxDetections < 0 {
		f.add("output.max_detections", "must be 1 or more")
	}
	if v := o.Confidence; v != nil && !(*v >= 0 && *v <= 1) {
		f.add("output.confidence", "must be 0 to 1")
	}
	if v := o.IoU; v != nil && !(*v >= 0 && *v <= 1) {
		f.add("output.iou", "must be 0 to 1")
	}
	if s.Task == TabularRegression && o.Activation != "" && o.Activation != "none" {
		f.add("output.activation", "a regression's value is given out as it is; leave this out")
	}
}

// check checks what may be given: what is left out is zero.
func (b *Batching) check(f *Faults) {
	if b.Size != 0 && (b.Size < 2 || b.Size > MostBatched) {
		f.add("batching.size", "must be 2 to %d; `off: true` turns batching off", MostBatched)
	}
	if b.Bound < 0 || b.Bound > LongestBound {
		f.add("batching.bound", "must be above 0s, and at most %v", LongestBound)
	}
}

// checkLabels checks the list, or that the file lies inside the model's folder.
func (s *Spec) checkLabels(f *Faults) {
	l := s.Labels
	if l.List != nil && len(l.List) == 0 {
		f.add("labels", "the list is empty; leave it out to number the classes")
	}
	if l.File != "" && (path.IsAbs(l.File) || !localFile(l.File)) {
		f.add("labels", "%q is not a file inside the model's folder", short(l.File))
	}
}

func (p *Preprocess) cropSize() Size {
	if p.Crop == nil {
		return Size{}
	}
	return p.Crop.Size
}

func finite(list ...float64) bool {
	return !slices.ContainsFunc(list, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
