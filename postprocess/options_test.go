package postprocess

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

func TestCheck(t *testing.T) {
	iris := classifier("none", 3, "setosa", "versicolor", "virginica")
	digits := classifier("softmax", 5, "3", "7", "")
	yolo := detector(t, "yolov8", []string{"circle", "square"})
	regression, err := New(&task.Spec{Task: task.TabularRegression}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		p     *Postprocessor
		o     Options
		wants []string // location: message
	}{
		{"nothing", iris, Options{}, nil},
		{"all of a classifier", iris, Options{TopK: ptr(1000), Classes: []string{"setosa", "2"}}, nil},
		{"all of a detector", yolo, Options{Confidence: ptr(0.0), IoU: ptr(1.0), MaxDetections: ptr(1000), Classes: []string{"square"}}, nil},
		{"a label that is a number, a number", digits, Options{Classes: []string{"7", "2"}}, nil},
		{"no labels", classifier("none", 3), Options{Classes: []string{"999"}}, nil},
		{"top_k 0", iris, Options{TopK: ptr(0)}, []string{"top_k: must be 1 or more, got 0"}},
		{"top_k of a detector", yolo, Options{TopK: ptr(3)}, []string{"top_k: the task object-detection with head yolov8 has no such option"}},
		{"iou of a classifier", iris, Options{IoU: ptr(0.5)}, []string{"iou: the task image-classification has no such option"}},
		{"iou of end2end", detector(t, "end2end", nil), Options{IoU: ptr(0.5)}, []string{"iou: the task object-detection with head end2end"}},
		{"ranges", yolo, Options{Confidence: ptr(1.5), IoU: ptr(-0.1), MaxDetections: ptr(0)},
			[]string{"confidence: must be 0 to 1, got 1.5", "iou: must be 0 to 1", "max_detections: must be 1 to 1000, got 0"}},
		{"NaN", yolo, Options{Confidence: ptr(math.NaN())}, []string{"confidence: must be 0 to 1, got NaN"}},
		{"too many", yolo, Options{MaxDetections: ptr(1001)}, []string{"max_detections: must be 1 to 1000"}},
		{"classes", yolo, Options{Classes: []string{"circle", "Circle", "2", "-1", "01", "", "1"}},
			[]string{`classes[1]: the model has no class "Circle"`, `classes[2]: the model has no class "2"`, "classes[3]", "classes[4]", "classes[5]"}},
		{"classes of a regression", regression, Options{Classes: []string{"a"}}, []string{"classes: the task tabular-regression has no such option"}},
		{"a huge class", classifier("none", 3), Options{Classes: []string{"1048576"}}, []string{"classes[0]"}},
	} {
		err := c.p.Check(c.o)
		if c.wants == nil {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != "invalid_request" || len(f.Fields) != len(c.wants) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for i, want := range c.wants {
			if got := f.Fields[i].Location + ": " + f.Fields[i].Message; !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", c.name, got, want)
			}
		}
	}
}

func TestCanonical(t *testing.T) {
	yolo := detector(t, "yolov8", []string{"circle", "square", "star"})
	iris := classifier("none", 3, "a", "b")
	same := func(p *Postprocessor, a, b Options) {
		t.Helper()
		if p.Canonical(a) != p.Canonical(b) {
			t.Errorf("%q and %q", p.Canonical(a), p.Canonical(b))
		}
	}
	other := func(p *Postprocessor, a, b Options) {
		t.Helper()
		if p.Canonical(a) == p.Canonical(b) {
			t.Errorf("both are %q", p.Canonical(a))
		}
	}
	same(yolo, Options{}, Options{Confidence: ptr(0.25), IoU: ptr(0.45), MaxDetections: ptr(300)})
	same(yolo, Options{Classes: []string{"star", "0", "star"}}, Options{Classes: []string{"circle", "2"}})
	same(yolo, Options{Confidence: ptr(0.0)}, Options{Confidence: ptr(math.Copysign(0, -1))})
	same(iris, Options{}, Options{TopK: ptr(3)})
	for _, o := range []Options{{Confidence: ptr(0.26)}, {IoU: ptr(0.46)}, {MaxDetections: ptr(299)}, {Classes: []string{"circle"}}, {Classes: []string{"square"}}} {
		other(yolo, Options{}, o)
	}
	other(yolo, Options{Classes: []string{"0"}}, Options{Classes: []string{"1"}})
	other(iris, Options{}, Options{TopK: ptr(2)})
	if got, want := yolo.Canonical(Options{Classes: []string{"star"}}), "confidence=0.25;max_detections=300;iou=0.45;classes=2,"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClassesOfOneNameAreAllWanted(t *testing.T) {
	p := classifier("none", 9, "x", "y", "x")
	w := p.resolve(Options{Classes: []string{"x"}}, new(scratch))
	if !reflect.DeepEqual(w.classes, []bool{true, false, true}) {
		t.Error(w.classes)
	}
}

func TestDigestFollowsTheMeaning(t *testing.T) {
	base := func() task.Spec {
		return task.Spec{Task: task.ObjectDetection, Output: task.Output{Name: "y", Head: "yolov8", Confidence: ptr(0.25), IoU: ptr(0.45), MaxDetections: 300}}
	}
	of := func(change func(*task.Spec), labels ...string) [32]byte {
		s := base()
		change(&s)
		p, err := New(&s, labels)
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	first := of(func(*task.Spec) {}, "a", "b")
	if first == [32]byte{} || first != of(func(s *task.Spec) { s.Description = "x"; s.Input.Name = "z"; s.Output.Confidence = ptr(0.5) }, "a", "b") {
		t.Error("the digest names what does not matter")
	}
	for i, d := range [][32]byte{
		of(func(*task.Spec) {}, "ab"), of(func(*task.Spec) {}, "a"), of(func(*task.Spec) {}, "a", "c"),
		of(func(s *task.Spec) { s.Output.Head = "yolov5" }, "a", "b"), of(func(s *task.Spec) { s.Output.Name = "z" }, "a", "b"),
		of(func(s *task.Spec) { s.Output.Transposed = true }, "a", "b"),
	} {
		if d == first {
			t.Errorf("change %d does not change the digest", i)
		}
	}
}
