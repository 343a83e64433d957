package task

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Key describes one key of task.yaml, for the checks, the JSON Schema and the reference page.
type Key struct {
	Path    string   // such as preprocess.resize.mode
	Type    string   // for people
	Default string   // for people; "" where the key is left out without effect
	Enum    []string // the values that a text may have; none where any may
	Tasks   []Name   // the tasks it belongs to; none means all
	Text    string   // what it means
}

func imageTypes() []string { return []string{"FP32", "FP16", "UINT8"} }

func rowTypes() []string { return []string{"FP32", "FP64", "INT32", "INT64"} }

// Keys lists every key of task.yaml in the order of the file.
func Keys() []Key {
	images := []Name{ImageClassification, ObjectDetection, ImageSegmentation, ImageFeatureExtraction}
	classes := []Name{ImageClassification, ObjectDetection, ImageSegmentation, TabularClassification}
	choice := []Name{ImageClassification, TabularClassification}
	all := append(slices.Clone(images), TabularClassification, TabularRegression)
	rows := []Name{ImageClassification, ImageFeatureExtraction, TabularClassification, TabularRegression}
	detect := []Name{ObjectDetection}
	embed := []Name{ImageFeatureExtraction}
	return []Key{
		{"task", "text", "required", []string{string(ImageClassification), string(ObjectDetection), string(ImageSegmentation),
			string(ImageFeatureExtraction), string(TabularClassification), string(TabularRegression), string(Raw)}, nil,
			"What the model does, by the name that Hugging Face uses."},
		{"description", "text", "", nil, nil, "A sentence for people, shown with the model."},
		{"input", "object", "", nil, all, "The tensor that is fed."},
		{"input.name", "text", "the model's one input", nil, all, "The input's name."},
		{"input.layout", "text", "from the input's format or dims", []string{"NCHW", "NHWC"}, images, "The order of the dimensions: batch, channels, height, width."},
		{"input.dtype", "text", "the input's datatype", []string{"FP32", "FP16", "UINT8", "FP64", "INT32", "INT64"}, all,
			"The datatype: FP32, FP16 or UINT8 for pictures; FP32, FP64, INT32 or INT64 for rows."},
		{"input.color", "text", "RGB for three channels, GRAY for one", []string{"RGB", "BGR", "GRAY"}, images, "The channels and their order."},
		{"input.columns", "list of text", "required for tabular tasks", nil, rows, "The names of a row's columns, in the order of the tensor. With preprocess too, the model takes a picture or a row."},
		{"input.ranges", "object of [low, high]", "any finite value", nil, rows, "The values that a column may have, both ends included. The key `*` stands for every column that is not named."},
		{"preprocess", "object", "stretched to the input's size, pixel values 0 to 255", nil, images, "How a picture becomes the tensor. The steps run in the order of the keys."},
		{"preprocess.decode", "text", "exact", []string{"exact", "fast"}, images, "exact decodes at full size; fast lets the JPEG decoder shrink large pictures while decoding, which changes pixel values slightly."},
		{"preprocess.exif", "text", "apply", []string{"apply", "ignore"}, images, "Whether the EXIF orientation is applied. OpenCV applies it; Pillow, torchvision and timm do not."},
		{"preprocess.resize", "object", "", nil, images, "How the picture is brought to size."},
		{"preprocess.resize.mode", "text", "letterbox for detection heads yolov8, yolov5 and end2end, else stretch",
			[]string{"stretch", "shortest-edge", "longest-edge", "letterbox", "none"}, images,
			"stretch ignores the proportions; shortest-edge (torchvision Resize) and longest-edge keep them; letterbox (Ultralytics) keeps them and fills the border."},
		{"preprocess.resize.size", "number or [height, width]", "the input's height and width", nil, images, "The size in pixels; for shortest-edge and longest-edge the length of that edge."},
		{"preprocess.resize.resample", "text", "cv2-linear for letterbox, else pil-bilinear",
			[]string{"pil-nearest", "pil-bilinear", "pil-bicubic", "pil-lanczos", "pil-box", "pil-hamming",
				"cv2-nearest", "cv2-linear", "cv2-cubic", "cv2-area", "cv2-lanczos"}, images,
			"pil-* is exactly Pillow's Image.resize, antialiased; cv2-* is exactly OpenCV's resize, not antialiased except cv2-area."},
		{"preprocess.resize.pad", "number", "114 for letterbox", nil, images, "The gray level of the border, 0 to 255. longest-edge is padded to a square only where this is given."},
		{"preprocess.crop", "object", "no crop", nil, images, "Cuts the centre out."},
		{"preprocess.crop.size", "number or [height, width]", "the input's height and width", nil, images, "The size of what is kept, in pixels."},
		{"preprocess.crop.round", "text", "even", []string{"even", "floor"}, images, "How half a pixel is rounded: even as torchvision's CenterCrop does it, floor as Hugging Face's image processors do it."},
		{"preprocess.scale", "number or fraction", "1", nil, images, "Pixel values 0 to 255 are multiplied by this. Fractions such as 1/255 are exact."},
		{"preprocess.mean", "number or list", "0", nil, images, "Subtracted after scale: one number, or one for each channel in the order of color."},
		{"preprocess.std", "number or list", "1", nil, images, "Divided by after mean: one number, or one for each channel."},
		{"output", "object", "", nil, all, "The tensor that is read."},
		{"output.name", "text", "the model's one output", nil, all, "The output's name. Head rtdetr: the class scores."},
		{"output.activation", "text", "softmax; sigmoid for head rtdetr; none for tabular-regression", []string{"softmax", "sigmoid", "none"},
			append(slices.Clone(choice), ObjectDetection, TabularRegression), "What turns the output into scores. none where they are probabilities already."},
		{"output.top_k", "number", "5", nil, choice, "How many classes an answer names."},
		{"output.boxes", "text", "the output whose name holds `box`", nil, detect, "Head rtdetr: the name of the output with the boxes."},
		{"output.head", "text", "required for object-detection; never guessed", []string{"yolov8", "yolov5", "end2end", "rtdetr"}, detect,
			"How boxes are read: yolov8 [4+classes, N] (YOLOv8, 9, 11, 12), yolov5 [N, 5+classes] (YOLOv5, 7), end2end [N, 6] (YOLOv10, 26, exports with NMS), rtdetr (logits and pred_boxes of Hugging Face exports)."},
		{"output.confidence", "number", "0.25", nil, detect, "Detections must score above this, 0 to 1."},
		{"output.iou", "number", "0.45", nil, detect, "Heads yolov8 and yolov5: of two boxes of one class that overlap by more than this, the lower one is dropped; 0 to 1."},
		{"output.max_detections", "number", "300", nil, detect, "How many detections an answer holds."},
		{"output.transposed", "true or false", "false", nil, detect, "Head yolov8: the output is [N, 4+classes]."},
		{"output.normalize", "true or false", "false", nil, embed, "Whether the vector is brought to length 1 (L2)."},
		{"output.pool", "text", "none", []string{"none", "cls", "mean"}, embed, "How a list of token vectors becomes one: none takes the output as it is, cls the first one, mean the average."},
		{"labels", "list of text or file name", "the output's label_filename, else numbers", nil, classes, "The classes by index, or the name of a file beside task.yaml with one label a line."},
		{"cache", "object", "", nil, nil, "How answers are cached."},
		{"cache.ttl", "duration", "the gateway's cache.ttl", nil, nil, "How long an answer may be served again, such as 90s, 10m or 1h."},
		{"cache.disable", "true or false", "false", nil, nil, "Never cache this model's answers."},
		{"batching", "object", "", nil, nil, "How calls that would wait for each other are put together; docs/guide/batching.md. In front of a Triton, a size here turns it on, unless the model has a batcher there."},
		{"batching.size", "number", "the gateway's batching.size", nil, nil, "How many items go together at most, 2 to 4096; never more than max_batch_size."},
		{"batching.bound", "duration", "the gateway's batching.bound", nil, nil, "How long a call waits for the one before at most, such as 20ms."},
		{"batching.off", "true or false", "false", nil, nil, "Never put this model's calls together."},
		{"batching.inexact", "true or false", "false", nil, nil, "Put them together although an answer may then differ in its last bits from that of a single call."},
	}
}

// enumOf gives the values of a key that has a fixed set of them.
func enumOf(path string) []string {
	for _, k := range Keys() {
		if k.Path == path {
			return k.Enum
		}
	}
	return nil
}

// belong refuses the keys that are set and have no meaning for the task or head.
func (s *Spec) belong(f *Faults) {
	set := map[string]bool{
		"input.name": s.Input.Name != "", "input.layout": s.Input.Layout != "", "input.dtype": s.Input.DType != "",
		"input.color": s.Input.Color != "", "input.columns": s.Input.Columns != nil, "input.ranges": s.Input.Ranges != nil,
		"preprocess": s.Preprocess != nil, "output.name": s.Output.Name != "", "output.activation": s.Output.Activation != "",
		"output.top_k": s.Output.TopK != 0, "output.boxes": s.Output.Boxes != "", "output.head": s.Output.Head != "",
		"output.confidence": s.Output.Confidence != nil, "output.iou": s.Output.IoU != nil,
		"output.max_detections": s.Output.MaxDetections != 0, "output.transposed": s.Output.Transposed,
		"output.normalize": s.Output.Normalize, "output.pool": s.Output.Pool != "",
		"labels": s.Labels.File != "" || s.Labels.List != nil,
	}
	for _, k := range Keys() {
		if set[k.Path] && len(k.Tasks) > 0 && !slices.Contains(k.Tasks, s.Task) {
			f.add(k.Path, "this has no meaning for %s", s.Task)
		}
	}
	head := s.Output.Head
	if head == "" || s.Task != ObjectDetection {
		return
	}
	refuse := func(path string, heads ...string) {
		if set[path] && !slices.Contains(heads, head) {
			f.add(path, "this has no meaning for head %s", head)
		}
	}
	refuse("output.iou", "yolov8", "yolov5")
	refuse("output.transposed", "yolov8")
	refuse("output.boxes", "rtdetr")
	if s.Output.Activation != "none" {
		refuse("output.activation", "rtdetr")
	}
}

func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// localFile reports whether a name stays inside the folder that it is looked up in.
func localFile(name string) bool { return filepath.IsLocal(name) }
