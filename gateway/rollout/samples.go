package rollout

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// Samples makes calls of the shapes that a model really gets, at batch 1 and at its largest batch, or the largest whose inputs have no more than
// limit bytes. Variable dimensions are 1; floats lie in [0.5, 1), whole numbers are 0, which every vocabulary has, and values of shape tensors 1;
// BYTES are empty. Optional inputs are left out where the model has others. They pass backend.Check.
//
// Models with inputs whose bytes are laid out in a way of their own get none, and so does a nil config. The error is TooLarge where batch 1 has more
// than limit bytes already.
func Samples(c *modelconfig.Config, model, version string, limit int64) ([]*backend.Request, error) {
	if c == nil || len(c.Inputs) == 0 || slices.ContainsFunc(c.Inputs, func(io modelconfig.IO) bool { return io.NonLinear }) {
		return nil, nil
	}
	most := int64(1)
	if c.MaxBatchSize > 0 && c.Batcher != modelconfig.SequenceBatching { // the sequence batcher takes batches of 1 only
		most = int64(c.MaxBatchSize)
	}
	fixed, item, err := weigh(c)
	if err != nil || fixed > limit || item > limit-fixed {
		return nil, fault.New(fault.TooLarge, "payload_too_large", "one warm-up call of model %q has more than %d bytes; allow more", model, limit).Wrap(err)
	}
	if item > 0 {
		most = min(most, (limit-fixed)/item)
	}
	list := []*backend.Request{sample(c, model, version, 1)}
	if most > 1 {
		list = append(list, sample(c, model, version, most))
	}
	return list, nil
}

// inputs are those that a warm-up call has.
func inputs(c *modelconfig.Config) []modelconfig.IO {
	required := slices.DeleteFunc(slices.Clone(c.Inputs), func(io modelconfig.IO) bool { return io.Optional })
	if len(required) == 0 {
		return c.Inputs
	}
	return required
}

// batched reports whether an input has the batch as its first dimension.
func batched(c *modelconfig.Config, io *modelconfig.IO) bool {
	return c.MaxBatchSize > 0 && !io.ShapeTensor
}

// weigh adds up the bytes that do not depend on the batch, and those of one item of it.
func weigh(c *modelconfig.Config) (fixed, item int64, err error) {
	for _, io := range inputs(c) {
		n, err := tensor.Elements(dims(&io))
		width := int64(width(io.DType))
		if err != nil || n > math.MaxInt64/width {
			return 0, 0, fault.New(fault.TooLarge, "payload_too_large", "input %q has too many bytes", io.Name).Wrap(err)
		}
		sum := &fixed
		if batched(c, &io) {
			sum = &item
		}
		if *sum > math.MaxInt64-n*width {
			return 0, 0, fault.New(fault.TooLarge, "payload_too_large", "the inputs have too many bytes together")
		}
		*sum += n * width
	}
	return fixed, item, nil
}

// width is the bytes of an element; an empty one of BYTES is its length alone.
func width(d tensor.DType) int {
	if d == tensor.Bytes {
		return 4
	}
	return max(d.Size(), 1)
}

// dims are an input's dimensions with 1 in place of the variable ones.
func dims(io *modelconfig.IO) []int64 {
	list := slices.Clone(io.Dims)
	for i, d := range list {
		if d < 0 {
			list[i] = 1
		}
	}
	return list
}

func sample(c *modelconfig.Config, model, version string, batch int64) *backend.Request {
	r := &backend.Request{Model: model, Version: version, ID: "warm-up"}
	if c.Batcher == modelconfig.SequenceBatching {
		r.Params = map[string]any{"sequence_id": rand.Uint64() | 1<<63, "sequence_start": true, "sequence_end": true}
	}
	// The same numbers every time, so that a failure can be had again.
	random := rand.New(rand.NewPCG(1, 2))
	for _, io := range inputs(c) {
		shape := dims(&io)
		if batched(c, &io) {
			shape = append([]int64{batch}, shape...)
		}
		n, _ := tensor.Elements(shape)
		t := tensor.Tensor{Name: io.Name, DType: io.DType, Shape: shape, Data: make([]byte, n*int64(width(io.DType)))}
		fill(&t, io.ShapeTensor, random)
		r.Inputs = append(r.Inputs, t)
	}
	return r
}

// fill writes floats in [0.5, 1): the exponent of one half and a random mantissa. A shape tensor gets ones, little-endian.
func fill(t *tensor.Tensor, shape bool, random *rand.Rand) {
	le, size := binary.LittleEndian, t.DType.Size()
	for at := 0; size > 0 && at < len(t.Data); at += size {
		b := t.Data[at:]
		switch {
		case t.DType == tensor.FP16:
			le.PutUint16(b, 0x3800|uint16(random.Uint32N(1<<10)))
		case t.DType == tensor.BF16:
			le.PutUint16(b, 0x3F00|uint16(random.Uint32N(1<<7)))
		case t.DType == tensor.FP32:
			le.PutUint32(b, 0x3F000000|random.Uint32N(1<<23))
		case t.DType == tensor.FP64:
			le.PutUint64(b, 0x3FE<<52|random.Uint64N(1<<52))
		case shape:
			b[0] = 1
		}
	}
}
