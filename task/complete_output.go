package task

import (
	"slices"
	"strings"

	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// output completes the part that reads the answer.
func (c *completion) output() {
	s, o := c.spec, &c.spec.Output
	if s.Task == ObjectDetection && o.Head == "" {
		c.faults.add("output.head", "an object detector needs its head named: %s; it is never guessed, since different heads share shapes",
			strings.Join(enumOf("output.head"), ", "))
		return
	}
	io := c.pickOutput()
	if io == nil {
		return
	}
	o.Name = io.Name
	if !Scores(io.DType) {
		c.faults.add("output.name", "output %q is %s; scores are read from FP32, FP16, BF16 or FP64", io.Name, io.DType)
	}
	switch s.Task {
	case ImageClassification, TabularClassification:
		if o.TopK == 0 {
			o.TopK = 5
		}
		if o.Activation == "" {
			c.activation(io.Name)
		}
		if dims, ok := c.item(io, 1); !ok && len(dims) > 0 && !onlyOne(dims) {
			c.faults.add("output.name", "output %q has dims %v; a classifier gives one score for each class", io.Name, io.Dims)
		}
	case TabularRegression:
		fill(&o.Activation, "none")
	case ImageFeatureExtraction:
		fill(&o.Pool, "none")
	case ObjectDetection:
		c.detection(io)
	case ImageSegmentation:
		if dims, ok := c.item(io, 3); !ok || dims[0] == 1 {
			c.faults.add("output.name", "output %q has dims %v; a segmentation gives logits [classes, height, width]%s", io.Name, io.Dims, c.batchHint())
		}
	}
}

// onlyOne reports whether at most one dimension is longer than 1, as in [5, 1, 1].
func onlyOne(dims []int64) bool {
	n := 0
	for _, d := range dims {
		if d != 1 {
			n++
		}
	}
	return n <= 1
}

// activation assumes logits, unless the output's name says that they are probabilities.
func (c *completion) activation(name string) {
	low := strings.ToLower(name)
	if strings.Contains(low, "prob") || strings.Contains(low, "softmax") {
		c.spec.Output.Activation = "none"
		c.warn("output.activation: not given; by its name, output %q holds probabilities already, so none is assumed", name)
		return
	}
	c.spec.Output.Activation = "softmax"
}

// detection fills in the thresholds that the head has, and checks the output's rank.
func (c *completion) detection(io *modelconfig.IO) {
	o := &c.spec.Output
	if o.Confidence == nil {
		v := 0.25
		o.Confidence = &v
	}
	if o.MaxDetections == 0 {
		o.MaxDetections = 300
	}
	if o.IoU == nil && (o.Head == "yolov8" || o.Head == "yolov5") {
		v := 0.45
		o.IoU = &v
	}
	if o.Head == "rtdetr" {
		fill(&o.Activation, "sigmoid")
		c.boxes()
	}
	if _, ok := c.item(io, 2); !ok {
		c.faults.add("output.head", "head %s reads an output of two dims%s; %q has %v", o.Head, c.batchHint(), io.Name, io.Dims)
	}
}

// boxes finds the second output of head rtdetr.
func (c *completion) boxes() {
	o := &c.spec.Output
	for _, io := range c.cfg.Outputs {
		if o.Boxes == "" && io.Name != o.Name && strings.Contains(strings.ToLower(io.Name), "box") {
			o.Boxes = io.Name
		}
	}
	io := c.cfg.Output(o.Boxes)
	if io == nil || io.Name == o.Name {
		c.faults.add("output.boxes", "the model has no output %q with boxes; %s", o.Boxes, has(c.cfg.Outputs))
	} else if dims, ok := c.item(io, 2); !ok || dims[1] != 4 && dims[1] != -1 || !Scores(io.DType) {
		c.faults.add("output.boxes", "output %q is %s %v; boxes are floating point [N, 4]", io.Name, io.DType, io.Dims)
	}
}

// pickOutput finds the output that is read: the one that is named, the only one, or the only one that can hold scores.
func (c *completion) pickOutput() *modelconfig.IO {
	list := c.cfg.Outputs
	if name := c.spec.Output.Name; name != "" {
		io := c.cfg.Output(name)
		if io == nil {
			c.faults.add("output.name", "the model has no output %q; %s", name, has(list))
		}
		return io
	}
	skip := func(io modelconfig.IO) bool { return !Scores(io.DType) }
	if c.spec.Output.Head == "rtdetr" {
		skip = func(io modelconfig.IO) bool {
			return !Scores(io.DType) || strings.Contains(strings.ToLower(io.Name), "box")
		}
	}
	fit := slices.DeleteFunc(slices.Clone(list), skip)
	switch {
	case len(list) == 1:
		return &list[0]
	case len(fit) == 1:
		if c.spec.Output.Head != "rtdetr" {
			c.warn("output.name: not given; of the outputs %s, %q is read", quoted(list), fit[0].Name)
		}
		return &fit[0]
	case len(list) == 0:
		c.faults.add("output", "the config names no outputs; write them into config.pbtxt")
	default:
		c.faults.add("output.name", "the model has several outputs (%s); say which", quoted(list))
	}
	return nil
}

// Scores reports whether scores can be read from elements of this type: FP32, FP16, BF16 or FP64.
func Scores(d tensor.DType) bool {
	switch d {
	case tensor.FP32, tensor.FP16, tensor.BF16, tensor.FP64:
		return true
	}
	return false
}

// CheckLabels compares the number of labels with what the model gives, where the config tells that. It warns; postprocess
// names a class without a label by its number.
func (s *Spec) CheckLabels(cfg *modelconfig.Config, labels []string) []string {
	if cfg == nil || len(labels) == 0 || !s.Task.Classes() {
		return nil
	}
	io := cfg.Output(s.Output.Name)
	if io == nil {
		return nil
	}
	c := completion{spec: s, cfg: cfg}
	classes := int64(-1)
	switch s.Output.Head {
	case "":
		if dims, _ := c.item(io, 1); len(dims) > 0 && s.Task != ImageSegmentation && onlyOne(dims) {
			classes = slices.Max(dims)
		} else if len(dims) == 3 {
			classes = dims[0]
		}
	case "yolov8":
		if dims, ok := c.item(io, 2); ok {
			classes = dims[0]
			if s.Output.Transposed {
				classes = dims[1]
			}
			classes = max(classes-4, -1)
		}
	case "yolov5":
		if dims, ok := c.item(io, 2); ok {
			classes = max(dims[1]-5, -1)
		}
	case "rtdetr":
		if dims, ok := c.item(io, 2); ok {
			classes = dims[1]
		}
	}
	if classes < 1 || classes == int64(len(labels)) || classes == 1 && len(labels) == 2 && s.Output.Head == "" {
		return nil
	}
	c.warn("labels: there are %d labels, output %q has %d classes", len(labels), s.Output.Name, classes)
	return c.warnings
}
