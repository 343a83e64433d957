package task

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const example = `
task: image-classification
description: demo
input:  {name: input, layout: NCHW, dtype: FP32, color: RGB}     # defaults come from config.pbtxt
preprocess:
  resize: {mode: shortest-edge, size: 256, resample: pil-bilinear}
  crop: {size: [224, 192], round: floor}
  scale: 1/255
  mean: [0.485, 0.456, 4e-1]
  std: 0.5
  exif: apply
  decode: fast
output: {name: logits, activation: softmax, top_k: 3}
labels: [cat, 3, "no", true]
cache: {ttl: 1h30m}
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{Task: ImageClassification, Description: "demo",
		Input: Input{Name: "input", Layout: "NCHW", DType: "FP32", Color: "RGB"},
		Preprocess: &Preprocess{Decode: "fast", Exif: "apply",
			Resize: Resize{Mode: "shortest-edge", Size: Size{256, 256}, Resample: "pil-bilinear"},
			Crop:   &Crop{Size: Size{Height: 224, Width: 192}, Round: "floor"},
			Scale:  Scale(1.0 / 255), Mean: Numbers{0.485, 0.456, 0.4}, Std: Numbers{0.5}},
		Output: Output{Name: "logits", Activation: "softmax", TopK: 3},
		Labels: Labels{List: []string{"cat", "3", "no", "true"}},
		Cache:  Cache{TTL: 90 * time.Minute}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestParseJSON(t *testing.T) {
	s, err := Parse([]byte("{\n\t\"task\": \"object-detection\",\n\t\"output\": {\"head\": \"yolov8\", \"confidence\": 1e-1, \"max_detections\": 7},\n\t\"labels\": \"labels.txt\"}"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Output.Head != "yolov8" || *s.Output.Confidence != 0.1 || s.Output.MaxDetections != 7 || s.Labels.File != "labels.txt" {
		t.Errorf("%+v", s)
	}
}

func TestParseValues(t *testing.T) {
	for text, want := range map[string]any{
		"preprocess: {scale: 0.5}":                                   Scale(0.5),
		"preprocess: {scale: 16/255}":                                Scale(16.0 / 255),
		`preprocess: {scale: "1 / 2"}`:                               Scale(0.5),
		"preprocess: {mean: 1}":                                      Numbers{1},
		"preprocess: {mean: [1, 2.5, -3]}":                           Numbers{1, 2.5, -3},
		"preprocess: {resize: {size: 3}}":                            Size{3, 3},
		"preprocess: {resize: {size: [3, 4]}}":                       Size{3, 4},
		"preprocess: {resize: {mode: letterbox, pad: 0}}":            0,
		"labels: a.txt":                                              Labels{File: "a.txt"},
		"labels: [a]":                                                Labels{List: []string{"a"}},
		"cache: {ttl: 90s}":                                          90 * time.Second,
		"batching: {size: 50, bound: 200ms, inexact: true}":          Batching{Size: 50, Bound: 200 * time.Millisecond, Inexact: true},
		"batching: {off: true}":                                      Batching{Off: true},
		"cache: {ttl: 0}":                                            time.Duration(0),
		"input: {columns: [a, b], ranges: {a: [0, 1], '*': [2, 3]}}": map[string]Range{"a": {0, 1}, "*": {2, 3}},
		"description: |\n  two\n  lines\n":                           "two\nlines",
		"preprocess:":                                                (*Preprocess)(nil),
	} {
		s, err := Parse([]byte("task: image-classification\n" + text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []any
		if p := s.Preprocess; p != nil {
			got = append(got, p.Scale, p.Mean, p.Resize.Size)
			if p.Resize.Pad != nil {
				got = append(got, *p.Resize.Pad)
			}
		}
		got = append(got, s.Labels, s.Cache.TTL, s.Batching, s.Input.Ranges, s.Description, s.Preprocess)
		found := false
		for _, g := range got {
			found = found || reflect.DeepEqual(g, want)
		}
		if !found {
			t.Errorf("%s: %#v is not in %#v", text, want, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const c, d = "task: image-classification\n", "task: object-detection\n"
	for _, x := range []struct{ text, place, want string }{
		{"", "", "the file is empty"},
		{"# nothing\n", "", "the file is empty"},
		{"- a\n", "[1:1]", "keys and values are expected here, not a list"},
		{"task: raw\n---\ntask: raw\n", "", "several documents"},
		{"task: raw\ntask: raw\n", "[2:1]", "already defined"},
		{"task: [raw", "[1:7]", "not found"},
		{"tsk: raw", "[1:1] tsk:", `did you mean "task"?`},
		{c + "output: {wieght: 1}", "[2:10] output.wieght:", "unknown key; the keys here are name, activation"},
		{c + "output:\n  top_kk: 1\n", "[3:3] output.top_kk:", `did you mean "top_k"?`},
		{"input: {}", "task:", "the task is missing; it is one of image-classification"},
		{"task: image-clasification", "[1:7] task:", "did you mean image-classification?"},
		{"task: 7", "[1:7] task:", `"7" is unknown; it is one of`},
		{c + "input: {layout: CHW}", "[2:17] input.layout:", "did you mean NCHW?"},
		{c + "input: {dtype: BYTES}", "input.dtype:", "is unknown; it is one of FP32"},
		{c + "input: {color: CMYK}", "input.color:", "it is one of RGB, BGR, GRAY"},
		{c + "input: {columns: a}", "input.columns:", `a list is expected here, not the text "a"`},
		{c + "input: {columns: [a, a]}", "[2:22] input.columns[1]:", `column "a" is there twice`},
		{c + "input: {columns: ['']}", "input.columns[0]:", "a column needs a name"},
		{c + "input: {columns: [a], ranges: {b: [0, 1]}}", "input.ranges.b:", "there is no such column"},
		{c + "input: {columns: [a], ranges: {a: [1, 0]}}", "input.ranges.a:", "low <= high"},
		{c + "input: {columns: [a], ranges: {a: 3}}", "input.ranges.a:", "[low, high] is expected here"},
		{c + "input: {columns: [a], ranges: {a: [0, .nan]}}", "input.ranges.a:", "[low, high] is expected"},
		{c + "preprocess: {decode: quick}", "preprocess.decode:", "it is one of exact, fast"},
		{c + "preprocess: {resize: {mode: crop}}", "preprocess.resize.mode:", "it is one of stretch"},
		{c + "preprocess: {resize: {resample: bilinear}}", "preprocess.resize.resample:", "pil-bilinear"},
		{c + "preprocess: {resize: {size: 0}}", "preprocess.resize.size:", "sizes are 1 to 16384"},
		{c + "preprocess: {resize: {size: 2.5}}", "preprocess.resize.size:", "whole number"},
		{c + "preprocess: {resize: {size: [1, 2, 3]}}", "preprocess.resize.size:", "not 3 numbers"},
		{c + "preprocess: {resize: {size: [1, 20000]}}", "preprocess.resize.size:", "sizes are 1 to 16384"},
		{c + "preprocess: {resize: {mode: shortest-edge, size: [1, 2]}}", "preprocess.resize.size:", "takes one number"},
		{c + "preprocess: {resize: {mode: none, size: 3}}", "preprocess.resize.size:", "leave size out"},
		{c + "preprocess: {resize: {mode: stretch, pad: 3}}", "preprocess.resize.pad:", "leaves no border"},
		{c + "preprocess: {resize: {pad: 256}}", "preprocess.resize.pad:", "0 to 255"},
		{c + "preprocess: {crop: {round: up}}", "preprocess.crop.round:", "it is one of even, floor"},
		{c + "preprocess: {scale: 1/0}", "preprocess.scale:", "above 0"},
		{c + "preprocess: {scale: 0}", "preprocess.scale:", "above 0"},
		{c + "preprocess: {scale: 1/2/3}", "preprocess.scale:", "above 0"},
		{c + "preprocess: {mean: [1, 2]}", "preprocess.mean:", "2 numbers for 3 channels"},
		{c + "input: {color: GRAY}\npreprocess: {mean: [1, 2, 3]}", "preprocess.mean:", "3 numbers for 1 channels"},
		{c + "preprocess: {mean: []}", "preprocess.mean:", "the list is empty"},
		{c + "preprocess: {mean: .inf}", "preprocess.mean:", "a number"},
		{c + "preprocess: {std: [1, 0, 1]}", "preprocess.std:", "above 0"},
		{c + "input: {dtype: UINT8}\npreprocess: {scale: 1/255}", "preprocess:", "cannot hold"},
		{c + "input: {dtype: INT64}\npreprocess: {}", "input.dtype:", "pictures are fed as"},
		{"task: tabular-regression\ninput: {dtype: FP16, columns: [a]}", "input.dtype:", "rows are fed as"},
		{"task: tabular-regression", "input.columns:", "needs the names of the columns"},
		{"task: tabular-regression\ninput: {columns: [a]}\noutput: {activation: softmax}", "output.activation:", "given out as it is"},
		{"task: tabular-regression\ninput: {columns: [a]}\npreprocess: {}", "preprocess:", "no meaning for tabular-regression"},
		{"task: raw\npreprocess: {}", "preprocess:", "no meaning for raw"},
		{"task: raw\nlabels: [a]", "labels:", "no meaning for raw"},
		{c + "output: {iou: 0.5}", "output.iou:", "no meaning for image-classification"},
		{c + "output: {head: yolov8}", "output.head:", "no meaning for image-classification"},
		{d + "output: {head: yolo8}", "output.head:", "did you mean yolov8?"},
		{d + "output: {head: end2end, iou: 0.5}", "output.iou:", "no meaning for head end2end"},
		{d + "output: {head: yolov5, transposed: true}", "output.transposed:", "no meaning for head yolov5"},
		{d + "output: {head: yolov8, activation: softmax}", "output.activation:", "no meaning for head yolov8"},
		{d + "output: {head: yolov8, boxes: b}", "output.boxes:", "no meaning for head yolov8"},
		{d + "output: {top_k: 3}", "output.top_k:", "no meaning for object-detection"},
		{d + "output: {confidence: 1.5}", "output.confidence:", "0 to 1"},
		{d + "output: {confidence: high}", "output.confidence:", "a number is expected here"},
		{d + "output: {iou: -1}", "output.iou:", "0 to 1"},
		{d + "output: {max_detections: 0}", "[2:26] output.max_detections:", "1 or more"},
		{c + "output: {top_k: 0}", "[2:17] output.top_k:", "1 or more"},
		{c + "output: {top_k: -1}", "output.top_k:", "1 or more"},
		{c + "output: {top_k: 1.5}", "output.top_k:", "a whole number is expected"},
		{c + "output: {top_k: 99999999999}", "output.top_k:", "a whole number is expected"},
		{"task: image-feature-extraction\noutput: {pool: max}", "output.pool:", "it is one of none, cls, mean"},
		{"task: image-feature-extraction\noutput: {normalize: 1}", "output.normalize:", "true or false"},
		{c + "labels: []", "labels:", "the list is empty"},
		{c + "labels: {a: b}", "labels:", "a list of labels or the name of a file"},
		{c + "labels: [a, {}]", "labels:", "label 1: text is expected"},
		{c + "labels: ../../secret", "labels:", "not a file inside"},
		{c + "labels: /secret", "labels:", "not a file inside"},
		{c + "cache: {ttl: 60}", "cache.ttl:", "a duration with a unit"},
		{c + "cache: {ttl: -5s}", "cache.ttl:", "not be negative"},
		{c + "cache: {ttl: soon}", "cache.ttl:", "a duration with a unit"},
		{c + "batching: {size: 1}", "[2:18] batching.size:", "2 to 4096"},
		{c + "batching: {size: 4097}", "batching.size:", "2 to 4096"},
		{c + "batching: {bound: -1ms}", "batching.bound:", "above 0s"},
		{c + "batching: {bound: 11s}", "batching.bound:", "at most 10s"},
		{c + "batching: {window: 1ms}", "batching.window:", "unknown key"},
		{c + "input: &a {}\noutput: *a", "input:", "anchor"},
		{c + "<<: {description: x}", "<<:", "merge keys"},
		{c + "description: !!binary aGk=", "description:", "a tag"},
		{"task: \xff", "", "not UTF-8"},
		{strings.Repeat("[", 2000), "", "nested too deeply"},
		{strings.Repeat("- ", 2000), "", "nested too deeply"},
		{strings.Repeat("a", MaxBytes+1), "", "larger than"},
	} {
		_, err := Parse([]byte(x.text))
		if err == nil || !strings.Contains(err.Error(), x.place) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.80q:\n got  %v\n want %s %s", x.text, err, x.place, x.want)
		}
	}
}

func TestParseReportsAllFaultsInOrder(t *testing.T) {
	_, err := Parse([]byte("tsk: raw\noutput: {top_k: x, weight: 3}\ncache: {ttl: 60}\n"))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"tsk", "output.top_k", "output.weight", "cache.ttl"} {
		if faults[i].Path != want {
			t.Errorf("fault %d is %q, want %q", i, faults[i].Path, want)
		}
	}
	if want := "   2 | output: {top_k: x, weight: 3}\n                          ^"; faults[2].Excerpt != want {
		t.Errorf("got\n%s\nwant\n%s", faults[2].Excerpt, want)
	}
	var one *Fault
	if !errors.As(err, &one) || one.Line != 1 || one.Column != 1 {
		t.Errorf("%+v", one)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	paths, _ := filepath.Glob("../model_repository/*/task.yaml")
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(text)
		}
	}
	f.Add([]byte(`{"task": "object-detection", "output": {"head": "rtdetr"}}`))
	f.Add([]byte("task: tabular-regression\ninput: {columns: [a], ranges: {'*': [0, 1]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			_ = err.Error()
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("parsed, but not valid: %v", err)
		}
		written, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil {
			t.Skip("the YAML library's writer and reader disagree on an odd text")
		}
		if again.Task != s.Task || !reflect.DeepEqual(again.Preprocess, s.Preprocess) || again.Output.TopK != s.Output.TopK {
			t.Fatalf("%+v became %+v by\n%s", s, again, written)
		}
	})
}
