package batch

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"triton-gateway/gateway/backend"
)

// rows are the items of a call: the first dimension of its inputs; 0 where they have none, or not the same.
func rows(r *backend.Request) int64 {
	n := int64(0)
	for i := range r.Inputs {
		shape := r.Inputs[i].Shape
		if len(shape) == 0 || shape[0] < 1 || n > 0 && shape[0] != n {
			return 0
		}
		n = shape[0]
	}
	return n
}

// alone reports whether a call must not be put together with others: sequences belong to one caller, and what a parameter means for a whole batch nobody can say.
func alone(r *backend.Request) bool {
	for name := range r.Params {
		if strings.HasPrefix(name, "sequence_") || name == "priority" || name == "timeout" {
			return true
		}
	}
	return false
}

// exact reports whether each input has the bytes that its shape needs, and no others: in a batch they would be taken for those of somebody else.
func exact(r *backend.Request) bool {
	for i := range r.Inputs {
		if n, ok := sizeOf(&r.Inputs[i], r.Inputs[i].Data); !ok || n != len(r.Inputs[i].Data) {
			return false
		}
	}
	return true
}

// keyOf is the same for calls that may be put together: of one model and version, with the same outputs, parameters, and inputs but for the number of items.
func keyOf(r *backend.Request) string {
	var room [256]byte
	b := text(text(room[:0], r.Model), r.Version)
	b = binary.AppendUvarint(b, uint64(len(r.Inputs)))
	for i := range r.Inputs {
		t := &r.Inputs[i]
		b = append(text(b, t.Name), byte(t.DType))
		b = binary.AppendUvarint(b, uint64(len(t.Shape)))
		for _, d := range t.Shape[1:] {
			b = binary.AppendVarint(b, d)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Outputs)))
	for _, o := range r.Outputs {
		b = binary.AppendVarint(text(b, o.Name), o.Classes)
	}
	if len(r.Params) > 0 {
		names := make([]string, 0, len(r.Params))
		for name := range r.Params {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			b = text(text(b, name), fmt.Sprintf("%T %v", r.Params[name], r.Params[name]))
		}
	}
	return string(b)
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
