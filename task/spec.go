// Package task is task.yaml: what a model does and how bytes become its tensors and its tensors become answers. It holds
// settings only, no work, and is a leaf so that catalog, preprocess and postprocess agree on one schema.
package task

import "time"

// Name is what a model does, by the Hugging Face name.
type Name string

// The tasks.
const (
	ImageClassification    Name = "image-classification"
	ObjectDetection        Name = "object-detection"
	ImageSegmentation      Name = "image-segmentation"
	ImageFeatureExtraction Name = "image-feature-extraction"
	TabularClassification  Name = "tabular-classification"
	TabularRegression      Name = "tabular-regression"
	Raw                    Name = "raw"
)

// Spec is a task.yaml. Zero values mean "not given" until Complete has filled in what config.pbtxt tells.
type Spec struct {
	Task        Name        `yaml:"task" json:"task"`
	Description string      `yaml:"description,omitempty" json:"description,omitzero"`
	Input       Input       `yaml:"input,omitempty" json:"input,omitzero"`
	Preprocess  *Preprocess `yaml:"preprocess,omitempty" json:"preprocess,omitzero"` // nil: the model takes no image
	Output      Output      `yaml:"output,omitempty" json:"output,omitzero"`
	Labels      Labels      `yaml:"labels,omitempty" json:"labels,omitzero"`
	Cache       Cache       `yaml:"cache,omitempty" json:"cache,omitzero"`
	Batching    Batching    `yaml:"batching,omitempty" json:"batching,omitzero"`
}

// Input names the tensor that is fed, and how.
type Input struct {
	Name    string           `yaml:"name,omitempty" json:"name,omitzero"`
	Layout  string           `yaml:"layout,omitempty" json:"layout,omitzero"` // NCHW or NHWC; batch dimension included where the model has one
	DType   string           `yaml:"dtype,omitempty" json:"dtype,omitzero"`   // FP32, FP16 or UINT8 for images; FP32, FP64, INT32 or INT64 for rows
	Color   string           `yaml:"color,omitempty" json:"color,omitzero"`   // RGB, BGR or GRAY
	Columns []string         `yaml:"columns,omitempty" json:"columns,omitzero"`
	Ranges  map[string]Range `yaml:"ranges,omitempty" json:"ranges,omitzero"` // column -> allowed values, both ends included; "*" stands for every column that is not named
}

// Range is [low, high], both included.
type Range [2]float64

// Preprocess says how an image becomes pixels of the tensor. The steps run in the order of the fields.
type Preprocess struct {
	Decode string  `yaml:"decode,omitempty" json:"decode,omitzero"` // exact (default) or fast: DCT-scaled JPEG decoding
	Exif   string  `yaml:"exif,omitempty" json:"exif,omitzero"`     // apply (default) or ignore
	Resize Resize  `yaml:"resize,omitempty" json:"resize,omitzero"`
	Crop   *Crop   `yaml:"crop,omitempty" json:"crop,omitzero"`
	Scale  Scale   `yaml:"scale,omitempty" json:"scale,omitzero"` // multiplies pixel values 0..255; default 1
	Mean   Numbers `yaml:"mean,omitempty" json:"mean,omitzero"`   // after Scale, per channel in the order of Color; one value stands for all
	Std    Numbers `yaml:"std,omitempty" json:"std,omitzero"`
}

// Resize says how the picture is brought to size.
type Resize struct {
	Mode     string `yaml:"mode,omitempty" json:"mode,omitzero"`         // stretch, shortest-edge, longest-edge, letterbox or none
	Size     Size   `yaml:"size,omitempty" json:"size,omitzero"`         // one number or [height, width]; default from the input's dims
	Resample string `yaml:"resample,omitempty" json:"resample,omitzero"` // pil-{nearest,bilinear,bicubic,lanczos,box,hamming} or cv2-{nearest,linear,cubic,area,lanczos}
	Pad      *int   `yaml:"pad,omitempty" json:"pad,omitzero"`           // letterbox and longest-edge: gray level 0..255 of the border; default 114 for letterbox
}

// Size is [height, width] in pixels; a single number in YAML stands for both, and for the edge in shortest-edge and longest-edge.
type Size struct{ Height, Width int }

// Crop cuts the centre out. Rounding of an odd gap is half-to-even, as torchvision does it, unless Round says floor, as Hugging Face does it.
type Crop struct {
	Size  Size   `yaml:"size,omitempty" json:"size,omitzero"`
	Round string `yaml:"round,omitempty" json:"round,omitzero"` // even (default) or floor
}

// Scale is a factor; YAML takes a number or a fraction such as 1/255.
type Scale float64

// Numbers is a list of numbers; YAML takes one number as a list of one.
type Numbers []float64

// Output names the tensor that is read, and how it becomes an answer.
type Output struct {
	Name          string   `yaml:"name,omitempty" json:"name,omitzero"`
	Activation    string   `yaml:"activation,omitempty" json:"activation,omitzero"` // softmax, sigmoid or none
	TopK          int      `yaml:"top_k,omitempty" json:"top_k,omitzero"`
	Boxes         string   `yaml:"boxes,omitempty" json:"boxes,omitzero"` // head rtdetr: the output with the boxes
	Head          string   `yaml:"head,omitempty" json:"head,omitzero"`   // detection: yolov8, yolov5, end2end or rtdetr
	Confidence    *float64 `yaml:"confidence,omitempty" json:"confidence,omitzero"`
	IoU           *float64 `yaml:"iou,omitempty" json:"iou,omitzero"`
	MaxDetections int      `yaml:"max_detections,omitempty" json:"max_detections,omitzero"`
	Transposed    bool     `yaml:"transposed,omitempty" json:"transposed,omitzero"` // head yolov8: [N, 4+classes] instead of [4+classes, N]
	Normalize     bool     `yaml:"normalize,omitempty" json:"normalize,omitzero"`   // feature extraction: L2
	Pool          string   `yaml:"pool,omitempty" json:"pool,omitzero"`             // feature extraction: none, cls or mean
}

// Labels are class names by index; in YAML either a list or the name of a file beside task.yaml, one label a line.
type Labels struct {
	File string
	List []string
}

// Cache sets the model's caching.
type Cache struct {
	TTL     time.Duration `yaml:"ttl,omitempty" json:"ttl,omitzero"` // how long an answer may be served again; 0: the gateway's default
	Disable bool          `yaml:"disable,omitempty" json:"disable,omitzero"`
}

// Batching sets how calls of the model that would wait for each other are put together. What is zero is the gateway's.
type Batching struct {
	Size    int           `yaml:"size,omitempty" json:"size,omitzero"`   // items of a batch at most
	Bound   time.Duration `yaml:"bound,omitempty" json:"bound,omitzero"` // how long a call may wait for its batch
	Off     bool          `yaml:"off,omitempty" json:"off,omitzero"`
	Inexact bool          `yaml:"inexact,omitempty" json:"inexact,omitzero"` // batches whose answers differ in their last bits are taken
}
