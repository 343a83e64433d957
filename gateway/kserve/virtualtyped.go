package kserve

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// findings are what a document of /v1 infer says was found. Every number in it is the shortest text of a float32, so that none is lost on this way.
type findings struct {
	Things    []finding `json:"predictions"`
	Detected  []finding `json:"detections"`
	Segmented []finding `json:"segments"`
	Embedding []float32 `json:"embedding"`
}

type finding struct {
	Label string  `json:"label"`
	Index int64   `json:"index"`
	Score float32 `json:"score"`
	Area  int64   `json:"area"`
	Box   struct {
		X1 float32 `json:"x1"`
		Y1 float32 `json:"y1"`
		X2 float32 `json:"x2"`
		Y2 float32 `json:"y2"`
	} `json:"box"`
}

// readFindings reads a document.
func readFindings(document []byte) (*findings, error) {
	f := new(findings)
	if err := json.Unmarshal(document, f); err != nil {
		return nil, fault.New(fault.Internal, "internal", "an answer cannot be read").Wrap(err)
	}
	if f.Things == nil {
		f.Things = f.Detected
	}
	if f.Things == nil {
		f.Things = f.Segmented
	}
	return f, nil
}

// count is the length of the columns.
func (f *findings) count() int { return max(len(f.Things), len(f.Embedding)) }

// nothing stands where a picture has fewer values than another one of the request.
var nothing = finding{Index: -1}

func (f *findings) at(i int) *finding {
	if i < len(f.Things) {
		return &f.Things[i]
	}
	return &nothing
}

func addLabel(b []byte, f *findings, i int) []byte {
	label := f.at(i).Label
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(label))), label...)
}

func addIndex(b []byte, f *findings, i int) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(f.at(i).Index))
}

func addArea(b []byte, f *findings, i int) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(f.at(i).Area))
}

func addScore(b []byte, f *findings, i int) []byte { return addFloat(b, f.at(i).Score) }

func addBox(b []byte, f *findings, i int) []byte {
	box := &f.at(i).Box
	return addFloat(addFloat(addFloat(addFloat(b, box.X1), box.Y1), box.X2), box.Y2)
}

func addNumber(b []byte, f *findings, i int) []byte {
	if i < len(f.Embedding) {
		return addFloat(b, f.Embedding[i])
	}
	return addFloat(b, 0)
}

func addFloat(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

// tensor makes the output of a column. batch is nil for a single picture without a batch dimension, and the number of pictures otherwise.
func (c *column) tensor(batch []int64, of []*findings) tensor.Tensor {
	widest := 0
	for _, f := range of {
		widest = max(widest, f.count())
	}
	shape := append(append(append(make([]int64, 0, 3), batch...), int64(widest)), c.tail...)
	data := make([]byte, 0, len(of)*widest*16)
	for _, f := range of {
		for i := range widest {
			data = c.add(data, f, i)
		}
	}
	return tensor.Tensor{Name: c.name, DType: c.dtype, Shape: shape, Data: data}
}
