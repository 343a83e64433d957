package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// modelView is all that is shown of one model.
type modelView struct {
	ModelSummary
	TaskSource   string          `json:"task_source,omitempty" doc:"Where the task comes from" example:"task.yaml"`
	MaxBatchSize int             `json:"max_batch_size" doc:"0: the model takes no batches"`
	Streams      bool            `json:"streams,omitempty" doc:"It answers on streams alone (a decoupled model of Triton): /v1/models/{model}/stream in place of infer"`
	Inputs       []tensorView    `json:"inputs" doc:"The model's own tensors"`
	Outputs      []tensorView    `json:"outputs"`
	Columns      []columnView    `json:"columns,omitempty" doc:"Of a row, in their order"`
	Labels       []string        `json:"labels"`
	Preprocess   *preprocessView `json:"preprocess,omitempty" doc:"How a picture becomes a tensor"`
	Postprocess  postprocessView `json:"postprocess"`
	Example      *exampleView    `json:"example,omitempty"`
	Nodes        []nodeView      `json:"nodes,omitempty" doc:"Of a graph: its nodes, in the order of its document. Tensors, preprocess and postprocess are those of the model that leads it"`
}

// nodeView is a node of a graph.
type nodeView struct {
	Name    string   `json:"name" example:"kind"`
	Kind    string   `json:"kind" enum:"model,crop,filter,map,merge,switch,vote"`
	Model   string   `json:"model,omitempty" example:"shapes" doc:"That it asks"`
	Version string   `json:"version,omitempty" example:"2" doc:"Missing: what the model's policy gives"`
	From    []string `json:"from" example:"[\"cut\"]" doc:"What it reads: nodes, or input"`
	Gates   []string `json:"gates,omitempty" doc:"Switches that decide whether it runs; missing: it runs always"`
	Answers bool     `json:"answers,omitempty" doc:"What it gives is the answer, where no switch ends the graph before"`
}

type tensorView struct {
	Name     string  `json:"name" example:"input"`
	Datatype string  `json:"datatype" example:"FP32"`
	Shape    []int64 `json:"shape" doc:"Without the batch dimension; -1 is variable"`
}

type columnView struct {
	Name string   `json:"name" example:"sepal_length"`
	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
}

type preprocessView struct {
	Layout string      `json:"layout" example:"NCHW"`
	DType  string      `json:"dtype" example:"FP32"`
	Color  string      `json:"color" example:"RGB"`
	Decode string      `json:"decode" example:"exact"`
	Exif   string      `json:"exif" example:"apply"`
	Resize *resizeView `json:"resize,omitempty"`
	Crop   []int       `json:"crop,omitempty" doc:"Height and width"`
	Scale  float64     `json:"scale"`
	Mean   []float64   `json:"mean,omitempty"`
	Std    []float64   `json:"std,omitempty"`
}

type resizeView struct {
	Mode     string `json:"mode" example:"letterbox"`
	Size     []int  `json:"size" doc:"Height and width"`
	Resample string `json:"resample,omitempty" example:"pil-bilinear"`
	Pad      *int   `json:"pad,omitempty"`
}

type postprocessView struct {
	Output        string   `json:"output,omitempty" doc:"Name of the tensor that is read"`
	Activation    string   `json:"activation,omitempty" example:"softmax"`
	TopK          int      `json:"top_k,omitempty" doc:"Default of the option top_k"`
	Head          string   `json:"head,omitempty" example:"yolov8"`
	Confidence    *float64 `json:"confidence,omitempty" doc:"Default of the option confidence"`
	IoU           *float64 `json:"iou,omitempty" doc:"Default of the option iou"`
	MaxDetections int      `json:"max_detections,omitempty" doc:"Default of the option max_detections"`
}

type exampleView struct {
	Method      string `json:"method" example:"POST"`
	Path        string `json:"path" example:"/v1/models/shapes/infer"`
	ContentType string `json:"content_type" example:"multipart/form-data"`
	Body        any    `json:"body,omitempty" doc:"Of a JSON request; tensors too large to show, or of types that JSON cannot carry, lack their data"`
	Curl        string `json:"curl,omitempty" doc:"Missing where the body lacks data" example:"curl -F image=@picture.jpg http://localhost:8080/v1/models/shapes/infer"`
}

// describe makes the full view of a model. host is what the caller called the gateway.
func describe(m *modelInfo, host string) modelView {
	v := modelView{ModelSummary: summary(m), TaskSource: m.Source, Labels: m.Labels, Inputs: []tensorView{}, Outputs: []tensorView{}, Nodes: m.Nodes}
	if v.Labels == nil {
		v.Labels = []string{}
	}
	if m.Config != nil {
		v.MaxBatchSize, v.Streams = m.Config.MaxBatchSize, m.Config.Decoupled
		v.Inputs, v.Outputs = tensors(m.Config.Inputs), tensors(m.Config.Outputs)
	}
	if m.Spec == nil {
		return v
	}
	for _, name := range m.Spec.Input.Columns {
		v.Columns = append(v.Columns, column(m.Spec, name))
	}
	v.Preprocess = preprocessOf(m.Spec)
	o := m.Spec.Output
	v.Postprocess = postprocessView{o.Name, o.Activation, o.TopK, o.Head, o.Confidence, o.IoU, o.MaxDetections}
	v.Example = example(m, v.Columns, host)
	return v
}

func tensors(list []modelconfig.IO) []tensorView {
	out := []tensorView{}
	for _, t := range list {
		shape := t.Dims
		if shape == nil {
			shape = []int64{}
		}
		out = append(out, tensorView{t.Name, t.DType.String(), shape})
	}
	return out
}

// column looks up the range of a column; "*" stands for all that have none of their own.
func column(spec *task.Spec, name string) columnView {
	r, ok := spec.Input.Ranges[name]
	if !ok {
		r, ok = spec.Input.Ranges["*"]
	}
	if !ok {
		return columnView{Name: name}
	}
	return columnView{name, &r[0], &r[1]}
}

func preprocessOf(spec *task.Spec) *preprocessView {
	p := spec.Preprocess
	if p == nil {
		return nil
	}
	v := &preprocessView{
		Layout: spec.Input.Layout, DType: spec.Input.DType, Color: spec.Input.Color,
		Decode: p.Decode, Exif: p.Exif, Scale: float64(p.Scale), Mean: p.Mean, Std: p.Std,
	}
	if p.Resize.Mode != "" {
		v.Resize = &resizeView{p.Resize.Mode, []int{p.Resize.Size.Height, p.Resize.Size.Width}, p.Resize.Resample, p.Resize.Pad}
	}
	if p.Crop != nil {
		v.Crop = []int{p.Crop.Size.Height, p.Crop.Size.Width}
	}
	return v
}

// example makes a request that can be pasted into a shell. host may begin with https://.
func example(m *modelInfo, columns []columnView, host string) *exampleView {
	host, encrypted := strings.CutPrefix(host, "https://")
	if !plainHost(host) {
		host = "localhost:8080"
	}
	scheme := "http://"
	if encrypted {
		scheme = "https://"
	}
	call, curl := "/infer", "curl"
	if m.Config != nil && m.Config.Decoupled {
		call, curl = "/stream", "curl -N" // each response as it comes
	}
	e := &exampleView{Method: "POST", Path: "/v1/models/" + url.PathEscape(m.Name) + call, ContentType: typeJSON}
	where := scheme + host + e.Path
	switch {
	case m.Spec.Preprocess != nil:
		e.ContentType = "multipart/form-data"
		e.Curl = "curl -F image=@picture.jpg '" + where + "'"
		return e
	case len(columns) > 0:
		row := map[string]float64{}
		for _, c := range columns {
			if row[c.Name] = 1; c.Min != nil && c.Max != nil {
				row[c.Name] = *c.Min + (*c.Max-*c.Min)/4
			}
		}
		e.Body = map[string]any{"row": row}
	case m.Config != nil:
		inputs, whole := exampleInputs(m.Config)
		e.Body = map[string]any{"inputs": inputs}
		if !whole {
			return e
		}
	}
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil
	}
	e.Curl = fmt.Sprintf("%s -H 'Content-Type: application/json' -d '%s' '%s'", curl, strings.ReplaceAll(string(body), "'", `'\''`), where)
	return e
}

// plainHost reports whether a Host header may stand in a command line.
func plainHost(host string) bool {
	if host == "" || len(host) > 255 {
		return false
	}
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-[]") == ""
}
