package kserve

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/tensor"
)

const (
	responseOutputs protowire.Number = 5
	responseRaw     protowire.Number = 6

	streamError    protowire.Number = 1
	streamResponse protowire.Number = 2

	// inlineLimit is the total of tensor bytes up to which an answer is sent as one buffer: below it, copying is cheaper than the bookkeeping of more.
	inlineLimit = 4 << 10
	// frameRoom is what stands before the response inside a ModelStreamInferResponse: a tag and a length.
	frameRoom = 1 + binary.MaxVarintLen32
)

// inferAnswer is a ModelInferResponse, or the ModelStreamInferResponse with one in it.
type inferAnswer struct {
	model, id string
	*backend.Response
	stream bool
	failed string           // the error_message of a streamed answer
	routed *pipeline.Routed // nil where a model was named
}

// marshal gives the bytes that the generated code gives with deterministic maps, in pieces. Large outputs are not copied: nobody may write to them any more.
func (a *inferAnswer) marshal() ([][]byte, error) {
	small, names := 0, 0
	for i := range a.Outputs {
		small += len(a.Outputs[i].Data)
		names += len(a.Outputs[i].Name) + 10*len(a.Outputs[i].Shape)
	}
	if small > inlineLimit {
		small = 0
	}
	room := 0
	if a.stream {
		room = frameRoom
	}
	head := make([]byte, room, room+64+len(a.model)+len(a.Version)+len(a.id)+names+32*len(a.Outputs)+64*len(a.Params)+small)
	head, err := a.appendHead(head)
	if err != nil {
		return nil, err
	}
	if small > 0 {
		for i := range a.Outputs {
			head = protowire.AppendBytes(protowire.AppendTag(head, responseRaw, protowire.BytesType), a.Outputs[i].Data)
		}
		return a.framed([][]byte{head}, room)
	}
	out := make([][]byte, 0, 1+2*len(a.Outputs))
	if len(a.Outputs) == 0 {
		out = append(out, head)
	}
	for i := range a.Outputs {
		start := len(head)
		if i == 0 {
			start = 0
		}
		data := a.Outputs[i].Data
		head = protowire.AppendTag(head, responseRaw, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(len(data)))
		// A later append may move head; the piece handed out here stays as it is, for appends only write behind it.
		out = append(out, head[start:len(head):len(head)])
		if len(data) > 0 {
			out = append(out, data)
		}
	}
	return a.framed(out, room)
}

// framed puts a streamed answer's frame into the room at the start of the first buffer, and its error message before that.
func (a *inferAnswer) framed(out [][]byte, room int) ([][]byte, error) {
	size := -room
	for _, piece := range out {
		size += len(piece)
	}
	if size > math.MaxInt32-frameRoom-len(a.failed) {
		return nil, fmt.Errorf("an answer of %d bytes: gRPC carries at most %d", size, math.MaxInt32)
	}
	if !a.stream {
		return out, nil
	}
	first := out[0]
	var frame [frameRoom]byte
	prefix := protowire.AppendVarint(protowire.AppendTag(frame[:0], streamResponse, protowire.BytesType), uint64(size))
	first = first[room-len(prefix):]
	copy(first, prefix)
	out[0] = first
	if a.failed != "" {
		text := protowire.AppendString(protowire.AppendTag(nil, streamError, protowire.BytesType), a.failed)
		out = append([][]byte{text}, out...)
	}
	return out, nil
}

func (a *inferAnswer) appendHead(b []byte) ([]byte, error) {
	b = appendText(b, fieldModel, a.model)
	b = appendText(b, fieldVersion, a.Version)
	b = appendText(b, fieldID, a.id)
	b, err := appendParams(b, a.Params)
	if err != nil {
		return nil, err
	}
	for i := range a.Outputs {
		b = appendOutput(b, &a.Outputs[i])
	}
	return b, nil
}

func appendOutput(b []byte, t *tensor.Tensor) []byte {
	shape := 0
	for _, d := range t.Shape {
		shape += protowire.SizeVarint(uint64(d))
	}
	dtype := t.DType.String()
	size := sizeText(tensorName, t.Name) + sizeText(tensorDType, dtype)
	if shape > 0 {
		size += protowire.SizeTag(tensorShape) + protowire.SizeBytes(shape)
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, responseOutputs, protowire.BytesType), uint64(size))
	b = appendText(b, tensorName, t.Name)
	b = appendText(b, tensorDType, dtype)
	if shape > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, tensorShape, protowire.BytesType), uint64(shape))
		for _, d := range t.Shape {
			b = protowire.AppendVarint(b, uint64(d))
		}
	}
	return b
}

// appendText leaves the empty text out, as proto3 does.
func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func sizeText(field protowire.Number, s string) int {
	if s == "" {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeBytes(len(s))
}
