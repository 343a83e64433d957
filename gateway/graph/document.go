package graph

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Document is a graph as it is written.
type Document struct {
	Description string        `yaml:"description"`
	Input       string        `yaml:"input"`    // image (default) or row
	Output      string        `yaml:"output"`   // the node that is answered; default: the last one
	Parallel    int           `yaml:"parallel"` // models asked at one time for one request, 1..MostParallel; default 8
	Timeout     time.Duration `yaml:"timeout"`  // of the whole graph; default: the request's own
	Nodes       []Node        `yaml:"nodes"`
}

// Node is one step. Exactly one of Model, Crop, Filter, Map, Merge, Switch and Vote is set.
type Node struct {
	Name    string        `yaml:"name"`
	From    Names         `yaml:"from"` // nodes that it reads, or input
	Timeout time.Duration `yaml:"timeout"`
	OnError string        `yaml:"on_error"` // fail (default), skip or default; of a node that votes alone read, skip
	Default *Default      `yaml:"default"`

	Model   string  `yaml:"model"` // a model's name
	Version string  `yaml:"version"`
	Options Options `yaml:"options"`

	Crop   *Crop   `yaml:"crop"`
	Filter *Filter `yaml:"filter"`
	Map    *Map    `yaml:"map"`
	Merge  *Merge  `yaml:"merge"`
	Switch *Switch `yaml:"switch"`
	Vote   *Vote   `yaml:"vote"`
}

// Default is what stands for the answer of a classifier that failed.
type Default struct {
	Label string  `yaml:"label"`
	Index int     `yaml:"index"`
	Score float64 `yaml:"score"` // 0..1
}

// Options are a model's options; what is not given is the model's own.
type Options struct {
	TopK          *int     `yaml:"top_k"`
	Confidence    *float64 `yaml:"confidence"` // 0..1
	IoU           *float64 `yaml:"iou"`        // 0..1
	MaxDetections *int     `yaml:"max_detections"`
	Classes       []string `yaml:"classes"`
}

// Crop cuts the boxes of detections out of the picture.
type Crop struct {
	Pad     float64  `yaml:"pad"`      // added on each side, as a share of the box's width and height, 0..2
	Max     int      `yaml:"max"`      // boxes that are cut out, those with the best scores, 1..MostCrops; default 100
	MinSide int      `yaml:"min_side"` // pixels; smaller ones are not cut out; default 1
	Labels  []string `yaml:"labels"`   // only of these; default: all
}

// Filter keeps what its condition holds for.
type Filter struct {
	Where Condition `yaml:"where"`
	Drop  bool      `yaml:"drop"` // turned around: what it holds for goes
	Best  int       `yaml:"best"` // and of the rest so many with the best scores, at most MostFound; 0: all
}

// Map changes each detection, or each class.
type Map struct {
	Labels  map[string]string `yaml:"labels"`  // other names for labels
	Promote bool              `yaml:"promote"` // a detection takes label, index and score of the best class that was found in its crop
}

// Merge puts detections together, and of classes takes the first that are there.
type Merge struct {
	IoU *float64 `yaml:"iou"` // 0..1: of boxes of one label that overlap by more, the best stays; default: all stay
}

// Switch decides which nodes run: those of its first case that holds, else those of Else. Nodes that no switch names run always.
type Switch struct {
	Cases []Case `yaml:"cases"`
	Else  Branch `yaml:"else"`
}

// Case is one of a switch.
type Case struct {
	When Condition `yaml:"when"`
	Run  Names     `yaml:"run"`
	Stop bool      `yaml:"stop"`
}

// Branch is what happens.
type Branch struct {
	Run  Names `yaml:"run"`  // these run
	Stop bool  `yaml:"stop"` // the graph ends here: what the switch reads is the answer
}

// Vote makes one answer of several.
type Vote struct {
	Method    string        `yaml:"method"`    // mean (default), weighted or majority of classes; wbf of detections
	Weights   []float64     `yaml:"weights"`   // of From, in its order, each above 0; default: all 1
	Quorum    int           `yaml:"quorum"`    // answers that are needed; default: all
	Straggler time.Duration `yaml:"straggler"` // how long the others are waited for once there is a quorum; default: to their end
	IoU       *float64      `yaml:"iou"`       // wbf: boxes that overlap by more are one, 0..1; default 0.55
	TopK      int           `yaml:"top_k"`     // classes that are answered; default 5
}

// Names is a name or a list of names.
type Names []string

// UnmarshalYAML reads a name or a list of names.
func (n *Names) UnmarshalYAML(node ast.Node) error {
	items := []ast.Node{node}
	if seq, ok := node.(*ast.SequenceNode); ok {
		items = seq.Values
	}
	*n = Names{}
	for _, item := range items {
		text, ok := item.(*ast.StringNode)
		if !ok {
			return fmt.Errorf("a name or a list of names is expected here")
		}
		*n = append(*n, text.Value)
	}
	return nil
}
