// Package graph runs several models as one: a document names nodes and what each reads, such as a detector, crops of what it found, a classifier on each
// crop. It exists so that no client has to send parts of a picture back, and no picture has to be encoded again for it. A graph is checked when it is read, and
// again when its models are known; it asks models through a small interface and knows nothing of how they run.
package graph

import (
	"context"
	"crypto/sha256"
	"time"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// Limits of a document.
const (
	MostBytes    = 64 << 10         // of its text
	MostNodes    = 64               // of it
	MostRead     = 16               // nodes that one node reads
	MostParallel = 64               // models asked at one time for one request
	MostCrops    = 1000             // of one crop node
	MostTimeout  = 10 * time.Minute // of a node and of the graph
)

const (
	defaultParallel = 8
	defaultCrops    = 100
	defaultTopK     = 5
	// allClasses is the top_k of a model that votes: a class that it leaves out counts as 0.
	allClasses = 1 << 16
	inputName  = "input"
)

// Region is a part of the picture, in its pixels: X0 <= x < X1, Y0 <= y < Y1. It has at least one pixel and lies within the picture.
type Region struct{ X0, Y0, X1, Y1 int }

// Call asks one model.
type Call struct {
	Node           string
	Model, Version string  // version "" is the one that the model's policy gives
	Region         *Region // nil: the whole input
	Options        postprocess.Options
}

// Runner asks models about one input, which it knows.
type Runner interface {
	// Run answers a call. It returns soon after ctx ends. The boxes of detections are pixels of the region.
	Run(ctx context.Context, c *Call) (postprocess.Result, error)
}

// Input is what a graph runs on.
type Input struct {
	Width, Height int                 // of a picture, as a person sees it; 0 of a row
	Options       postprocess.Options // the caller's: for the models that decide the answer; see Graph.Leading
	Task          task.Name           // of the answer, see Graph.Task; it tells what is empty where nothing was found
	Known         Known               // what the models do; may be nil
}

// Graph is a document that is ready to run. It is safe for concurrent use.
type Graph struct {
	doc    Document
	digest [32]byte
	nodes  []node
	output int
	input  kind
}

// node is a Node with its place in the graph.
type node struct {
	*Node
	reads   []int // nodes; -1 is the input
	gates   []int // switches that name it
	needs   []int // both of them, without the input
	leading bool
	votes   bool // a vote reads it
	ballot  bool // and counts its classes
	onError string
}

// Digest is the SHA-256 of the document's text.
func (g *Graph) Digest() [32]byte { return g.digest }

// Description is the document's.
func (g *Graph) Description() string { return g.doc.Description }

// TakesRows reports whether the input is a row and not a picture.
func (g *Graph) TakesRows() bool { return g.input == row }

// Use is a model that a graph asks.
type Use struct {
	Model, Version string
	Options        Options // as the document gives them
	Leading        bool    // the caller's options are for it
}

// Uses lists the models of the nodes, in their order.
func (g *Graph) Uses() (list []Use) {
	for i := range g.nodes {
		if n := &g.nodes[i]; n.Model != "" {
			list = append(list, Use{n.Model, n.Version, n.Options, n.leading})
		}
	}
	return list
}

// Leading is the first of the models that decide the answer: the one whose boxes are answered, or whose classes. Options of a request are for all of those.
func (g *Graph) Leading() Use {
	for _, u := range g.Uses() {
		if u.Leading {
			return u
		}
	}
	return Use{}
}

// Task is the task whose form the answer has, where the leading model does leading.
func (g *Graph) Task(leading task.Name) task.Name {
	k := g.kindsWith(func(string, string) (task.Name, bool) { return "", false })[g.output]
	switch {
	case k == detections:
		return task.ObjectDetection
	case k == classes && leading != task.ImageClassification && leading != task.TabularClassification:
		if g.input == row {
			return task.TabularClassification
		}
		return task.ImageClassification
	}
	return leading
}

func digestOf(text []byte) [32]byte { return sha256.Sum256(text) }
