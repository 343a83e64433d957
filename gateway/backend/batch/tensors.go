package batch

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
)

// join makes one request of several with the same key. Its tensors are copies.
func join(list []*call) *backend.Request {
	first := list[0].request
	out := &backend.Request{Model: first.Model, Version: first.Version, ID: first.ID, Outputs: first.Outputs, Params: first.Params, Inputs: make([]tensor.Tensor, len(first.Inputs))}
	items := int64(0)
	out.Requests = len(list)
	now := time.Now()
	for _, c := range list {
		items += c.items
		out.Waited += now.Sub(c.since)
	}
	for i := range first.Inputs {
		size := 0
		for _, c := range list {
			size += len(c.request.Inputs[i].Data)
		}
		t := first.Inputs[i]
		t.Shape = slices.Clone(t.Shape)
		t.Shape[0] = items
		t.Data = make([]byte, 0, size)
		for _, c := range list {
			t.Data = append(t.Data, c.request.Inputs[i].Data...)
		}
		out.Inputs[i] = t
	}
	return out
}

// split gives each call its part of a batch's answer; false where an output is not made of items, so that nobody can tell whose is what.
func split(r *backend.Response, list []*call) ([]*backend.Response, bool) {
	items := int64(0)
	for _, c := range list {
		items += c.items
	}
	out := make([]*backend.Response, len(list))
	for n := range out {
		out[n] = &backend.Response{Version: r.Version, Epoch: r.Epoch, Outputs: make([]tensor.Tensor, len(r.Outputs)), Params: r.Params}
	}
	for i := range r.Outputs {
		t := &r.Outputs[i]
		if len(t.Shape) == 0 || t.Shape[0] != items {
			return nil, false
		}
		rest := t.Data
		for n, c := range list {
			part := *t
			part.Shape = slices.Clone(t.Shape)
			part.Shape[0] = c.items
			size, ok := sizeOf(&part, rest)
			if !ok {
				return nil, false
			}
			part.Data = rest[:size:size]
			rest = rest[size:]
			out[n].Outputs[i] = part
		}
		if len(rest) > 0 {
			return nil, false
		}
	}
	return out, true
}

// sizeOf is how many of the bytes a tensor has.
func sizeOf(t *tensor.Tensor, data []byte) (int, bool) {
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return 0, false
	}
	if t.DType != tensor.Bytes {
		size := n * int64(t.DType.Size())
		return int(size), size >= 0 && size <= int64(len(data))
	}
	at := 0
	for range n {
		if len(data)-at < 4 {
			return 0, false
		}
		length := int(binary.LittleEndian.Uint32(data[at:]))
		if length > len(data)-at-4 {
			return 0, false
		}
		at += 4 + length
	}
	return at, true
}

// apart takes a batch's request apart again.
func apart(r *backend.Request, list []*call) []*backend.Request {
	whole := &backend.Response{Outputs: r.Inputs}
	parts, _ := split(whole, list) // the request was joined of them
	out := make([]*backend.Request, len(list))
	for i := range list {
		out[i] = &backend.Request{Model: r.Model, Version: r.Version, ID: list[i].request.ID, Outputs: r.Outputs, Params: r.Params, Inputs: parts[i].Outputs,
			Waited: time.Since(list[i].since)}
	}
	return out
}

// clone copies an answer, whose owner may do with it what he likes.
func clone(r *backend.Response) *backend.Response {
	out := *r
	out.Outputs = slices.Clone(r.Outputs)
	for i := range out.Outputs {
		out.Outputs[i].Data = bytes.Clone(out.Outputs[i].Data)
	}
	return &out
}

// same reports whether two answers are equal, bit for bit.
func same(a, b *backend.Response) bool {
	if len(a.Outputs) != len(b.Outputs) {
		return false
	}
	for i := range a.Outputs {
		x := &a.Outputs[i]
		k := slices.IndexFunc(b.Outputs, func(t tensor.Tensor) bool { return t.Name == x.Name })
		if k < 0 {
			return false
		}
		y := &b.Outputs[k]
		if x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) || !bytes.Equal(x.Data, y.Data) {
			return false
		}
	}
	return true
}
