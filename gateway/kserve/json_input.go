package kserve

import (
	"math"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// input reads one input. Where datatype and shape stand before the data, the data are read in the same pass.
func (q *jsonRequest) input(in *givenInput) error {
	err := q.object("an input", func(key []byte) (err error) {
		switch {
		case string(key) == "name" && !in.has.name:
			in.has.name = true
			in.Name, err = q.text("the input's 'name'")
		case string(key) == "datatype" && !in.has.datatype:
			in.has.datatype = true
			in.datatype, err = q.text("the input's 'datatype'")
			in.DType, _ = tensor.ParseDType(in.datatype)
		case string(key) == "shape" && !in.has.shape:
			in.has.shape = true
			in.Shape = make([]int64, 0, 4)
			err = q.array("the shape", func(i int) error { return q.dimension(in, i) })
		case string(key) == "parameters" && !in.has.parameters:
			in.has.parameters = true
			err = q.inputParameters(in)
		case string(key) == "data" && in.data == 0:
			q.peek()
			in.data = q.i
			if in.DType == tensor.Invalid || !in.has.shape || !in.has.name {
				return q.skip() // its type is not known yet
			}
			err = q.data(in)
		default:
			err = q.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if in.data == 0 || in.read {
		return nil
	}
	rest := q.i
	q.i = in.data
	err = q.data(in)
	q.i = rest
	return err
}

func (q *jsonRequest) dimension(in *givenInput, i int) error {
	if i >= maxDims {
		return q.fail("Unable to parse 'shape': it has more than %d dimensions", maxDims)
	}
	at := q.i
	d, err := q.whole()
	if err == nil && d > math.MaxInt64 {
		err = q.failAt(at, "Unable to parse 'shape': dimension %d is too large", i)
	}
	in.Shape = append(in.Shape, int64(d))
	return err
}

func (q *jsonRequest) inputParameters(in *givenInput) error {
	return q.object("the input's parameters", func(key []byte) (err error) {
		switch {
		case string(key) == "binary_data_size" && !in.inBody:
			in.inBody = true
			in.binary, err = q.whole()
		default:
			in.inMemory = in.inMemory || string(key) == "shared_memory_region"
			err = q.skip()
		}
		return err
	})
}

// check refuses an input that is not described in full, or of which it is not clear where its data are.
func (in *givenInput) check() error {
	switch {
	case !in.has.name || in.Name == "":
		return fault.New(fault.Invalid, "invalid_request", "Unable to parse 'name': the input has none")
	case !in.has.datatype:
		return fault.New(fault.Invalid, "invalid_request", "Unable to parse 'datatype': the input has none")
	case !in.has.shape:
		return fault.New(fault.Invalid, "invalid_request", "Unable to parse 'shape': the input has none")
	case in.inMemory:
		return fault.New(fault.Invalid, "invalid_request", "shared memory is not served; send the data with the request, as 'data' or with 'binary_data_size'")
	case in.DType == tensor.Invalid:
		return fault.New(fault.Invalid, "invalid_request", "invalid datatype %s; datatypes are BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BF16 and BYTES", clipped([]byte(in.datatype)))
	case (in.data != 0) == in.inBody:
		but := "But no field is set"
		if in.inBody {
			but = "But set 'data' 'binary_data_size'"
		}
		return fault.New(fault.Invalid, "invalid_request", "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters'. %s", but)
	}
	if _, err := tensor.Elements(in.Shape); err != nil {
		return fault.New(fault.Invalid, "invalid_request", "%v", err)
	}
	return nil
}

// data reads the array at hand as in's data. What its shape promises is compared with what the text can hold before memory is taken for it.
func (q *jsonRequest) data(in *givenInput) error {
	in.read = true
	if in.DType == tensor.FP16 || in.DType == tensor.BF16 {
		return fault.New(fault.Invalid, "invalid_request", "receiving %s data via JSON is not supported. Please use the binary data format for input %s", in.DType, in.Name)
	}
	n, err := tensor.Elements(in.Shape)
	if err != nil {
		return fault.New(fault.Invalid, "invalid_request", "%v", err)
	}
	e := jsonElements{jsonReader: &q.jsonReader, input: in.Name, dtype: in.DType, want: n}
	left := int64(len(q.b) - q.i)
	if n > left/2 {
		return e.mismatch("fewer")
	}
	size := int64(in.DType.Size())
	if size > 0 {
		if q.typed += n * size; q.typed > q.limits.Message {
			return fault.New(fault.TooLarge, "body_too_large", "the tensors of the request are larger than %d bytes; send less, or raise limits.body", q.limits.Message)
		}
		if n > 0 {
			e.out = q.lease.add(n * size)
		}
	}
	if err := e.read(); err != nil {
		return err
	}
	in.Data = e.out
	return nil
}
