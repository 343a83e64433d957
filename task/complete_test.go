package task

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"triton-gateway/modelconfig"
)

// complete parses both texts and completes the first by the second.
func complete(t *testing.T, spec, config string) (*Spec, []string, error) {
	t.Helper()
	s, err := Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := modelconfig.Parse("m", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := s.Complete(cfg)
	return s, warnings, err
}

const (
	image  = `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [3, 224, 192] } `
	logits = `output { name: "y" data_type: TYPE_FP32 dims: [5] } `
	yolo   = `output { name: "y" data_type: TYPE_FP32 dims: [84, 8400] } `
)

func TestCompleteClassifier(t *testing.T) {
	s, warnings, err := complete(t, "task: image-classification", image+logits)
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{Task: ImageClassification, Input: Input{Name: "x", Layout: "NCHW", DType: "FP32", Color: "RGB"},
		Preprocess: &Preprocess{Decode: "exact", Exif: "apply", Scale: 1,
			Resize: Resize{Mode: "stretch", Size: Size{Height: 224, Width: 192}, Resample: "pil-bilinear"}},
		Output: Output{Name: "y", Activation: "softmax", TopK: 5}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v %+v", s, s.Preprocess)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "preprocess: not given") || !strings.Contains(warnings[1], "scale") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestCompleteDetector(t *testing.T) {
	s, _, err := complete(t, "task: object-detection\npreprocess: {scale: 1/255}\noutput: {head: yolov8}", strings.Replace(image, "192", "224", 1)+yolo)
	if err != nil {
		t.Fatal(err)
	}
	o, r := s.Output, s.Preprocess.Resize
	if *o.Confidence != 0.25 || *o.IoU != 0.45 || o.MaxDetections != 300 || o.Activation != "" {
		t.Errorf("%+v", o)
	}
	if r.Mode != "letterbox" || r.Resample != "cv2-linear" || *r.Pad != 114 || r.Size != (Size{224, 224}) {
		t.Errorf("%+v", r)
	}
}

func TestCompleteLayouts(t *testing.T) {
	for _, c := range []struct{ dims, spec, layout, color string }{
		{"dims: [3, 8, 9]", "", "NCHW", "RGB"},
		{"dims: [8, 9, 3]", "", "NHWC", "RGB"},
		{"dims: [1, 8, 9]", "", "NCHW", "GRAY"},
		{"dims: [8, 9, 1]", "", "NHWC", "GRAY"},
		{"dims: [3, 8, 9]", "{color: BGR}", "NCHW", "BGR"},
		{"dims: [3, 9, 3] format: FORMAT_NHWC", "", "NHWC", "RGB"},
		{"dims: [3, 9, 3]", "{layout: NCHW}", "NCHW", "RGB"},
		{"dims: [-1, -1, 3]", "", "NHWC", "RGB"},
	} {
		text := "task: image-classification\npreprocess: {resize: {size: [8, 9]}}\n"
		if strings.Contains(c.dims, "[3, 9, 3]") {
			text = "task: image-classification\n"
		}
		if c.spec != "" {
			text += "input: " + c.spec + "\n"
		}
		s, _, err := complete(t, text, `max_batch_size: 1 input { name: "x" data_type: TYPE_FP32 `+c.dims+` } `+logits)
		if err != nil || s.Input.Layout != c.layout || s.Input.Color != c.color {
			t.Errorf("%s %s: %+v, %v", c.dims, c.spec, s.Input, err)
		}
	}
}

func TestCompleteUnbatchedModel(t *testing.T) {
	s, _, err := complete(t, "task: image-classification",
		`input { name: "x" data_type: TYPE_UINT8 dims: [1, 8, 9, 3] } output { name: "y" data_type: TYPE_FP32 dims: [1, 5] }`)
	if err != nil || s.Input.Layout != "NHWC" || s.Input.DType != "UINT8" || s.Preprocess.Resize.Size != (Size{8, 9}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCompleteRefuses(t *testing.T) {
	const c, d = "task: image-classification\n", "task: object-detection\n"
	two := `max_batch_size: 8 input { name: "a" data_type: TYPE_FP32 dims: [3, 8, 8] } input { name: "b" data_type: TYPE_FP32 dims: [1] } `
	row := `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [4] } `
	for _, x := range []struct{ name, spec, config, want string }{
		{"dtype", c + "input: {dtype: FP16}", image + logits, "input.dtype: the task says FP16, the config FP32"},
		{"input name", c + "input: {name: z}", image + logits, `no input "z"; it has "x"`},
		{"several inputs", c, two + logits, "input.name: the model has several inputs"},
		{"one of several inputs", c + "input: {name: a}", two + logits, "needs more inputs than"},
		{"no inputs", c, logits, "names no inputs"},
		{"no outputs", c, image, "names no outputs"},
		{"format", c + "input: {layout: NHWC}", strings.Replace(image, "dims", "format: FORMAT_NCHW dims", 1) + logits, "the task says NHWC, the config FORMAT_NCHW"},
		{"ambiguous layout", c, `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [3, 8, 3] } ` + logits, "don't tell the layout"},
		{"rank", c, row + logits, "a picture needs [channels, height, width]"},
		{"no batch dimension", c, `input { name: "x" data_type: TYPE_FP32 dims: [3, 8, 8] } ` + logits, "since max_batch_size is 0"},
		{"channels", c, `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [4, 8, 8] } ` + logits, "4 channels"},
		{"color", c + "input: {color: GRAY}", image + logits, "the task says GRAY, the model takes 3"},
		{"bytes", c, strings.Replace(image, "FP32", "STRING", 1) + logits, "the input is BYTES"},
		{"size", c + "preprocess: {resize: {size: 10}}", image + logits, "the steps give [10, 10] (height, width), the model takes [224, 192]"},
		{"height", c + "preprocess: {resize: {size: [10, 192]}}", image + logits, "the steps give [10, 192]"},
		{"width", c + "preprocess: {resize: {size: [224, 10]}}", image + logits, "the steps give [224, 10]"},
		{"crop size", c + "preprocess: {crop: {size: 10}, resize: {mode: shortest-edge, size: 20}}", image + logits, "the steps give [10, 10]"},
		{"no fixed size", c + "preprocess: {resize: {mode: shortest-edge, size: 300}}", image + logits, "add `crop`"},
		{"unknown edge", c + "preprocess: {resize: {mode: shortest-edge}, crop: {}}", image + logits, "say which"},
		{"variable size", c, strings.Replace(image, "224, 192", "-1, -1", 1) + logits, "preprocess.resize.size: the input's dims don't tell"},
		{"uint8 with mean", c + "preprocess: {mean: 3}", strings.Replace(image, "FP32", "UINT8", 1) + logits, "cannot hold"},
		{"output name", c + "output: {name: z}", image + logits, `no output "z"; it has "y"`},
		{"several outputs", c, image + logits + strings.Replace(logits, `"y"`, `"z"`, 1), "several outputs"},
		{"output type", c, image + strings.Replace(logits, "FP32", "INT64", 1), `output "y" is INT64`},
		{"output rank", c, image + yolo, "one score for each class"},
		{"segmentation's rank", "task: image-segmentation", image + yolo, "logits [classes, height, width]"},
		{"segmentation of one class", "task: image-segmentation", image + `output { name: "y" data_type: TYPE_FP32 dims: [1, 9, 9] }`, "logits [classes"},
		{"no head", d, image + yolo, "output.head: an object detector needs its head named: yolov8"},
		{"head's rank", d + "output: {head: yolov8}", image + logits, "head yolov8 reads an output of two dims"},
		{"no boxes", d + "output: {head: rtdetr}", image + yolo, "no output \"\" with boxes"},
		{"columns", "task: tabular-classification\ninput: {columns: [a, b]}", row + logits, "2 columns are named, the model takes 4"},
		{"row's rank", "task: tabular-classification\ninput: {columns: [a, b, c, d]}", image + logits, "a row needs [4]"},
		{"columns of a picture", c + "input: {columns: [a, b]}\npreprocess: {scale: 1}", image + logits, "2 columns are named, the model takes [3 224 192], which are 129024"},
	} {
		if _, _, err := complete(t, x.spec, x.config); err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), `model "m"`) {
			t.Errorf("%s: got %v, want %q", x.name, err, x.want)
		}
	}
	if _, err := (&Spec{Task: Raw}).Complete(nil); err == nil {
		t.Error("completed without a config")
	}
}

func TestCompleteReportsBothSides(t *testing.T) {
	_, _, err := complete(t, "task: image-classification\ninput: {dtype: FP16}\noutput: {name: z}", image+logits)
	if err == nil || !strings.Contains(err.Error(), "input.dtype") || !strings.Contains(err.Error(), "output.name") {
		t.Error(err)
	}
}

// A mean and std of values from 0 to 1 without the scale that makes such values are most likely a mistake; those of values from 0 to 255 are not.
func TestCompleteMissesTheScale(t *testing.T) {
	for text, want := range map[string]bool{
		"{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}": true,
		"{mean: 0.5}": true,
		"{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], scale: 1/255}": false,
		"{mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]}":         false,
		"{mean: [123.675, 116.28, 103.53]}":                                       false,
	} {
		_, warnings, err := complete(t, "task: image-classification\npreprocess: "+text+"\noutput: {activation: softmax}", image+logits)
		if got := strings.Contains(strings.Join(warnings, "\n"), "preprocess.scale: not given"); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, warnings, err)
		}
	}
}

func TestCompletePicksOutputs(t *testing.T) {
	label := `output { name: "label" data_type: TYPE_INT64 dims: [1] } output { name: "probabilities" data_type: TYPE_FP32 dims: [3] }`
	s, warnings, err := complete(t, "task: tabular-classification\ninput: {columns: [a, b, c, d]}",
		`max_batch_size: 8 input { name: "x" data_type: TYPE_FP64 dims: [4] } `+label)
	if err != nil || s.Output.Name != "probabilities" || s.Output.Activation != "none" || s.Input.DType != "FP64" || len(warnings) != 2 {
		t.Errorf("%+v %q %v", s, warnings, err)
	}
	detr := `output { name: "logits" data_type: TYPE_FP32 dims: [300, 80] } output { name: "pred_boxes" data_type: TYPE_FP32 dims: [300, 4] }`
	s, warnings, err = complete(t, "task: object-detection\npreprocess: {scale: 1/255}\noutput: {head: rtdetr}", image+detr)
	if err != nil || s.Output.Name != "logits" || s.Output.Boxes != "pred_boxes" || s.Output.Activation != "sigmoid" || s.Output.IoU != nil || len(warnings) != 0 {
		t.Errorf("%+v %q %v", s, warnings, err)
	}
}

func TestCheckLabels(t *testing.T) {
	for _, c := range []struct {
		spec, output string
		labels       int
		want         string
	}{
		{"task: image-classification", logits, 5, ""},
		{"task: image-classification", logits, 4, "there are 4 labels"},
		{"task: image-classification", logits, 0, ""},
		{"task: image-segmentation", `output { name: "y" data_type: TYPE_FP32 dims: [7, 9, 9] }`, 7, ""},
		{"task: image-segmentation", `output { name: "y" data_type: TYPE_FP32 dims: [7, 9, 9] }`, 9, "has 7 classes"},
		{"task: object-detection\noutput: {head: yolov8}", yolo, 80, ""},
		{"task: object-detection\noutput: {head: yolov8}", yolo, 79, `output "y" has 80 classes`},
		{"task: object-detection\noutput: {head: yolov8, transposed: true}", `output { name: "y" data_type: TYPE_FP32 dims: [8400, 84] }`, 80, ""},
		{"task: object-detection\noutput: {head: yolov5}", `output { name: "y" data_type: TYPE_FP32 dims: [25200, 85] }`, 80, ""},
		{"task: object-detection\noutput: {head: end2end}", `output { name: "y" data_type: TYPE_FP32 dims: [300, 6] }`, 80, ""},
	} {
		spec := c.spec + "\npreprocess: {resize: {mode: stretch}}"
		s, _, err := complete(t, spec, image+c.output)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _ := modelconfig.Parse("m", []byte(image+c.output))
		got := strings.Join(s.CheckLabels(cfg, make([]string, c.labels)), " ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s with %d labels: %q", c.spec, c.labels, got)
		}
	}
}

// The demo models complete without a warning, twice, and are the same after a trip through YAML and JSON.
func TestCompleteModelRepository(t *testing.T) {
	paths, err := filepath.Glob("../model_repository/*/task.yaml")
	if err != nil || len(paths) == 0 {
		t.Skipf("no demo models here: %v", err)
	}
	for _, path := range paths {
		cfg, _, err := modelconfig.Load(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(readFile(t, path))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if warnings, err := s.Complete(cfg); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %q, %v", path, warnings, err)
		}
		if labels, err := LoadLabels(s, filepath.Dir(path), cfg); err != nil || len(s.CheckLabels(cfg, labels)) > 0 || s.Task.Classes() != (len(labels) > 0) {
			t.Errorf("%s: labels %q, %v", path, labels, err)
		}
		asYAML, err1 := yaml.Marshal(s)
		asJSON, err2 := json.Marshal(s)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for _, text := range [][]byte{asYAML, asJSON} {
			again, err := Parse(text)
			if err != nil || !reflect.DeepEqual(again, s) {
				t.Fatalf("%s: %v\n%s", path, err, text)
			}
			if warnings, err := again.Complete(cfg); err != nil || len(warnings) > 0 || !reflect.DeepEqual(again, s) {
				t.Errorf("%s: completing twice: %q, %v", path, warnings, err)
			}
		}
	}
}

func TestGuess(t *testing.T) {
	for _, c := range []struct {
		name, config string
		want         Name
	}{
		{"classifier", image + logits, ImageClassification},
		{"detector", image + yolo, Raw},
		{"table", `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [4] } ` + logits, Raw},
		{"two outputs", image + logits + strings.Replace(logits, `"y"`, `"z"`, 1), Raw},
		{"text", strings.Replace(image, "FP32", "STRING", 1) + logits, Raw},
		{"regression", image + strings.Replace(logits, "5", "1", 1), Raw},
		{"no channels", strings.Replace(image, "3,", "7,", 1) + logits, Raw},
		{"variable size", strings.Replace(image, "224, 192", "-1, -1", 1) + logits, Raw},
		{"decoupled", image + logits + "model_transaction_policy { decoupled: true }", Raw},
	} {
		cfg, err := modelconfig.Parse("m", []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		s, warnings := Guess(cfg)
		if s.Task != c.want || len(warnings) == 0 || !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "no task.yaml") }) {
			t.Errorf("%s: %+v %q", c.name, s, warnings)
		}
	}
	if s, warnings := Guess(nil); s.Task != Raw || len(warnings) != 1 {
		t.Error(s, warnings)
	}
}

func TestCompleteWarnsOfAnEmptyBorder(t *testing.T) {
	const square = `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [3, 224, 224] } `
	for steps, want := range map[string]bool{
		"{scale: 1, resize: {mode: shortest-edge, size: 200}, crop: {size: 224}}":  true,
		"{scale: 1, resize: {mode: stretch, size: [224, 223]}, crop: {size: 224}}": true,
		"{scale: 1, resize: {mode: shortest-edge, size: 224}, crop: {size: 224}}":  false,
		"{scale: 1, resize: {mode: shortest-edge, size: 256}, crop: {}}":           false,
		"{scale: 1, resize: {mode: none}, crop: {size: 224}}":                      false,
	} {
		_, warnings, err := complete(t, "task: image-classification\npreprocess: "+steps, square+logits)
		got := slices.ContainsFunc(warnings, func(w string) bool {
			return strings.Contains(w, "smaller than crop.size, [224, 224]") && strings.Contains(w, "filled with 0")
		})
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", steps, warnings, err)
		}
	}
}

func TestNamesThatAConfigLacks(t *testing.T) {
	_, _, err := complete(t, "task: image-classification\noutput: {name: probabilities}", image)
	if err == nil || !strings.Contains(err.Error(), `no output "probabilities"; its config names none; write`) {
		t.Errorf("%v", err)
	}
	_, _, err = complete(t, "task: image-classification\noutput: {name: probabilities}", image+logits)
	if err == nil || !strings.Contains(err.Error(), `no output "probabilities"; it has "y"`) {
		t.Errorf("%v", err)
	}
}
