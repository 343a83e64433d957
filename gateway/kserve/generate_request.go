package kserve

import (
	"maps"
	"slices"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// generateRequest is the JSON of a generate request.
type generateRequest struct {
	jsonRequest
	config *modelconfig.Config
}

const memberParameters = "parameters"

// parse reads the whole request. Errors: Invalid, naming the member; TooLarge.
func (q *generateRequest) parse() error {
	err := q.object("the request", func(key []byte) error {
		if string(key) != memberParameters {
			return q.member(string(key))
		}
		if q.config.Input(memberParameters) != nil {
			return fault.New(fault.Invalid, "invalid_request", "Keyword 'parameters' for nested schema also given as input tensor name").At("parameters", "the model has an input of this name")
		}
		return q.object("'parameters'", func(key []byte) error { return q.member(string(key)) })
	})
	if err == nil {
		err = q.end()
	}
	return err
}

// member reads an input or a parameter.
func (q *generateRequest) member(name string) error {
	if len(name) > maxName {
		return q.fail("a member's name is longer than %d bytes", maxName)
	}
	if io := q.config.Input(name); io != nil {
		return q.tensor(io)
	}
	if _, again := q.params[name]; again {
		return q.skip()
	}
	if len(q.params) >= maxParams {
		return q.fail("the request has more than %d parameters", maxParams)
	}
	return q.addParameter(name)
}

// tensor reads the value at hand as an input's data: one element, or an array.
func (q *generateRequest) tensor(io *modelconfig.IO) error {
	if slices.ContainsFunc(q.inputs, func(o givenInput) bool { return o.Name == io.Name }) {
		return invalid("inputs."+io.Name, "input '%s' already exists in request", io.Name)
	}
	if len(q.inputs) >= q.limits.Inputs {
		return invalid("inputs", "the request has more than %d inputs", q.limits.Inputs)
	}
	q.peek()
	from, count := q.i, int64(1)
	if q.peek() == '[' {
		count = 0
		if err := q.array("the data of input '"+io.Name+"'", func(int) error { count++; return q.skip() }); err != nil {
			return err
		}
		q.i = from
	}
	in := givenInput{}
	in.Name, in.DType = io.Name, io.DType
	var fits bool
	if in.Shape, fits = spread(count, shapeOf(io.Dims, q.config.MaxBatchSize > 0 && !io.ShapeTensor)); !fits {
		return invalid("inputs."+io.Name, "The schema can not convert input '%s' to tensor with proper shape", io.Name)
	}
	var err error
	if q.peek() == '[' {
		err = q.data(&in)
	} else {
		err = q.single(&in)
	}
	q.inputs = append(q.inputs, in)
	return err
}

// single reads one element that stands without an array.
func (q *generateRequest) single(in *givenInput) error {
	if in.DType == tensor.FP16 || in.DType == tensor.BF16 {
		return invalid("inputs."+in.Name, "receiving %s data via JSON is not supported. Please use the binary data format for input %s", in.DType, in.Name)
	}
	e := jsonElements{jsonReader: &q.jsonReader, input: in.Name, dtype: in.DType, want: 1}
	if size := in.DType.Size(); size > 0 {
		e.out = make([]byte, size)
	}
	err := e.element()
	in.Data = e.out
	return err
}

// spread gives the shape of so many elements: the innermost dimension that may vary takes all that the fixed ones leave, the others of its kind are 1. As Triton does it.
func spread(count int64, dims []int64) ([]int64, bool) {
	for _, d := range dims {
		if d == -1 {
			continue
		}
		if d <= 0 || count%d != 0 {
			return nil, false
		}
		count /= d
	}
	for i, d := range slices.Backward(dims) {
		if d == -1 {
			dims[i], count = count, 1
		}
	}
	return dims, count == 1
}

// appendMembers writes an object, its members by name.
func appendMembers(b []byte, members map[string]func([]byte) ([]byte, error)) ([]byte, error) {
	b = append(b, '{')
	var err error
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, []byte(name)), ':')
		if b, err = members[name](b); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}
