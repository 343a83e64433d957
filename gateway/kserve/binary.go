package kserve

import (
	"encoding/binary"
	"strconv"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// headerLength is the header of the binary tensor extension: how many bytes of the body are JSON.
const headerLength = "Inference-Header-Content-Length"

// splitBody parts a body into its JSON and the binary data after it. Without the header all of it is JSON; raw says that none is, by a header of 0.
func splitBody(header []string, body []byte) (json, blobs []byte, raw bool, err error) {
	if len(header) == 0 {
		return body, nil, false, nil
	}
	n, err := strconv.ParseUint(header[0], 10, 63)
	switch {
	case err != nil || len(header) > 1:
		return nil, nil, false, fault.New(fault.Invalid, "invalid_request", "Unable to parse %s, got: %s", headerLength, clipped([]byte(header[0]))).
			At("header."+headerLength, "not a number of bytes")
	case n > uint64(len(body)):
		return nil, nil, false, fault.New(fault.Invalid, "invalid_request", "inference header size should be in range (0, %d), got: %d", len(body), n).
			At("header."+headerLength, "larger than the body")
	}
	return body[:n:n], body[n:], n == 0, nil
}

// bindBlobs gives each input that has binary_data_size its part of the blobs, in order and without a copy. All of the blobs has to be used.
func bindBlobs(inputs []givenInput, blobs []byte, model string) error {
	for i := range inputs {
		in := &inputs[i]
		if !in.inBody {
			continue
		}
		if in.binary > uint64(len(blobs)) {
			return fault.New(fault.Invalid, "invalid_request", "unexpected size for input '%s', expecting %d additional bytes for model '%s'",
				in.Name, in.binary-uint64(len(blobs)), model).At("inputs."+in.Name, "the body ends within its data")
		}
		in.Data, blobs = blobs[:in.binary:in.binary], blobs[in.binary:]
	}
	if len(blobs) > 0 {
		return fault.New(fault.Invalid, "invalid_request", "unexpected additional input data for model '%s': %d bytes after the last input's", model, len(blobs)).
			At("body", "too long")
	}
	return nil
}

// rawRoom is the room that a body's buffer has before the body: that of the length prefix of a raw BYTES element, and more, so that the body
// stays aligned.
const rawRoom = 64

// rawInput makes the one input of a request whose whole body is that input's data. room is the buffer with the body from rawRoom on.
//
// Errors: Invalid where the model's config does not tell the shape: several inputs, several variable dimensions, BYTES of another shape than [1].
func rawInput(c *modelconfig.Config, model string, room []byte) (tensor.Tensor, error) {
	if len(c.Inputs) != 1 {
		return tensor.Tensor{}, fault.New(fault.Invalid, "invalid_request",
			"Raw request must only have 1 input (found 1) to be deduced but got %d inputs in '%s' model configuration", len(c.Inputs), model).At("body", "raw")
	}
	in := &c.Inputs[0]
	t := tensor.Tensor{Name: in.Name, DType: in.DType, Data: room[rawRoom:]}
	if c.MaxBatchSize > 0 {
		t.Shape = append(t.Shape, 1)
	}
	batch, variable := len(t.Shape), -1
	for i, d := range in.Dims {
		if d < 0 && variable >= 0 {
			return tensor.Tensor{}, fault.New(fault.Invalid, "invalid_request",
				"The shape of the raw input '%s' can not be deduced because there are more than one variable-sized dimension", in.Name).At("inputs."+in.Name, "raw")
		}
		if d < 0 {
			variable, d = batch+i, 1
		}
		t.Shape = append(t.Shape, d)
	}
	n, err := tensor.Elements(t.Shape)
	switch {
	case err != nil:
		return tensor.Tensor{}, fault.New(fault.Invalid, "invalid_request", "input '%s': %v", in.Name, err)
	case in.DType == tensor.Bytes:
		if variable >= 0 || n != 1 {
			return tensor.Tensor{}, fault.New(fault.Invalid, "invalid_request", "For BYTE datatype raw input '%s', the model must have input shape [1]", in.Name).
				At("inputs."+in.Name, "raw")
		}
		t.Data = room[rawRoom-4:]
		binary.LittleEndian.PutUint32(t.Data, uint32(len(room)-rawRoom))
	case variable >= 0 && n > 0 && in.DType.Size() > 0:
		t.Shape[variable] = int64(len(t.Data)) / n / int64(in.DType.Size())
	}
	return t, nil
}

// tensorsOf are a request's inputs as the backend takes them.
func tensorsOf(inputs []givenInput) []tensor.Tensor {
	list := make([]tensor.Tensor, len(inputs))
	for i := range inputs {
		list[i] = inputs[i].Tensor
	}
	return list
}

// outputsOf are the outputs as the backend takes them.
func outputsOf(outputs []askedOutput) (list []backend.Output) {
	for i := range outputs {
		list = append(list, outputs[i].Output)
	}
	return list
}
