package postprocess

import (
	"fmt"
	"slices"
	"strconv"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

// MaxDetections bounds the option max_detections, since the work grows with it; a model's own setting may be higher.
const MaxDetections = 1000

// wishes are the options with the model's defaults filled in.
type wishes struct {
	topK, maxDetections int
	confidence, iou     float64
	filter              bool   // only the classes that are set in classes
	classes             []bool // by class index; shorter than the number of classes where the rest is not wanted
}

// wants reports whether answers of this class are wanted.
func (w *wishes) wants(class int) bool {
	return !w.filter || class < len(w.classes) && w.classes[class]
}

// maxIndex bounds class numbers where the labels don't.
const maxIndex = 1 << 20

// classIndex finds the classes that an option names, one after the other: all with that label, else the one with that
// number.
func (p *Postprocessor) classIndex(name string, found func(index int)) bool {
	hit := false
	for i, label := range p.labels {
		if label == name && label != "" {
			found(i)
			hit = true
		}
	}
	if hit {
		return true
	}
	limit := maxIndex
	if len(p.labels) > 0 {
		limit = len(p.labels)
	}
	n, err := strconv.Atoi(name)
	if err != nil || n < 0 || n >= limit || strconv.Itoa(n) != name {
		return false
	}
	found(n)
	return true
}

// resolve fills in the defaults. The classes live in s. Unknown classes are ignored: Check refuses them.
func (p *Postprocessor) resolve(o Options, s *scratch) wishes {
	out := &p.spec.Output
	w := wishes{topK: max(out.TopK, 1), maxDetections: max(out.MaxDetections, 1), filter: len(o.Classes) > 0}
	if out.Confidence != nil {
		w.confidence = *out.Confidence
	}
	if out.IoU != nil {
		w.iou = *out.IoU
	}
	if o.TopK != nil {
		w.topK = max(*o.TopK, 1)
	}
	if o.MaxDetections != nil {
		w.maxDetections = max(*o.MaxDetections, 1)
	}
	if o.Confidence != nil {
		w.confidence = *o.Confidence
	}
	if o.IoU != nil {
		w.iou = *o.IoU
	}
	w.confidence, w.iou = w.confidence+0, w.iou+0 // -0 becomes 0
	s.classes = s.classes[:0]
	for _, name := range o.Classes {
		p.classIndex(name, func(i int) {
			if grow := i + 1 - len(s.classes); grow > 0 {
				s.classes = append(s.classes, make([]bool, grow)...)
			}
			s.classes[i] = true
		})
	}
	w.classes = s.classes
	return w
}

// has tells which options the task has.
func (p *Postprocessor) has() (topK, confidence, iou, classes bool) {
	choice := p.spec.Task == task.ImageClassification || p.spec.Task == task.TabularClassification
	detect := p.spec.Task == task.ObjectDetection
	head := p.spec.Output.Head
	return choice, detect, detect && (head == "yolov8" || head == "yolov5"), choice || detect || p.spec.Task == task.ImageSegmentation
}

// Check refuses options that the task does not have, are out of range or name an unknown class. Errors: Invalid invalid_request with the option's name
// as location (such as "top_k" or "classes[2]"); all faults at once.
func (p *Postprocessor) Check(o Options) error {
	var faults []fault.Field
	add := func(location, format string, args ...any) {
		faults = append(faults, fault.Field{Location: location, Message: fmt.Sprintf(format, args...)})
	}
	topK, confidence, iou, classes := p.has()
	none := fmt.Sprintf("the task %s has no such option", p.spec.Task)
	if p.spec.Output.Head != "" {
		none = fmt.Sprintf("the task %s with head %s has no such option", p.spec.Task, p.spec.Output.Head)
	}
	switch {
	case o.TopK == nil:
	case !topK:
		add("top_k", "%s", none)
	case *o.TopK < 1:
		add("top_k", "must be 1 or more, got %d", *o.TopK)
	}
	unit := func(name string, has bool, v *float64) {
		switch {
		case v == nil:
		case !has:
			add(name, "%s", none)
		case !(*v >= 0 && *v <= 1):
			add(name, "must be 0 to 1, got %v", *v)
		}
	}
	unit("confidence", confidence, o.Confidence)
	unit("iou", iou, o.IoU)
	limit := max(MaxDetections, p.spec.Output.MaxDetections)
	switch {
	case o.MaxDetections == nil:
	case !confidence:
		add("max_detections", "%s", none)
	case *o.MaxDetections < 1 || *o.MaxDetections > limit:
		add("max_detections", "must be 1 to %d, got %d", limit, *o.MaxDetections)
	}
	if len(o.Classes) > 0 && !classes {
		add("classes", "%s", none)
	} else {
		for i, name := range o.Classes {
			if !p.classIndex(name, func(int) {}) {
				add(fmt.Sprintf("classes[%d]", i), "the model has no class %q; GET its labels to see them", clip(name))
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	err := fault.New(fault.Invalid, "invalid_request", "%s: %s", faults[0].Location, faults[0].Message)
	err.Fields = faults
	return err
}

func clip(name string) string {
	if r := []rune(name); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return name
}

// Canonical gives one text for all spellings of the same options with the model's defaults filled in; it is part of the result cache's key.
func (p *Postprocessor) Canonical(o Options) string {
	w := p.resolve(o, new(scratch))
	topK, confidence, iou, classes := p.has()
	var b []byte
	if topK {
		b = strconv.AppendInt(append(b, "top_k="...), int64(w.topK), 10)
	}
	if confidence {
		b = strconv.AppendFloat(append(b, "confidence="...), w.confidence, 'g', -1, 64)
		b = strconv.AppendInt(append(b, ";max_detections="...), int64(w.maxDetections), 10)
	}
	if iou {
		b = strconv.AppendFloat(append(b, ";iou="...), w.iou, 'g', -1, 64)
	}
	if classes && w.filter {
		b = append(b, ";classes="...)
		for i := range w.classes {
			if w.classes[i] {
				b = append(strconv.AppendInt(b, int64(i), 10), ',')
			}
		}
		b = slices.Clip(b)
	}
	return string(b)
}
