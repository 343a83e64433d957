package kserve

import (
	"errors"
	"slices"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// maxName bounds what names something, in bytes.
const maxName = 1024

// jsonRequest is the JSON of an infer request. As in Triton, of members with the same name the first counts, and unknown ones are passed over.
type jsonRequest struct {
	jsonReader
	limits  Limits
	lease   *lease
	typed   int64 // bytes of tensors made of JSON so far
	id      string
	params  map[string]any
	binary  bool // outputs that are not named come as binary data
	inputs  []givenInput
	outputs []askedOutput
}

// givenInput is one input as its JSON describes it.
type givenInput struct {
	tensor.Tensor
	datatype string // as sent
	binary   uint64 // bytes of binary data, if inBody
	inBody   bool   // it has binary_data_size
	inMemory bool   // it has shared_memory_region
	data     int    // where in the text its data array begins; 0: it has none
	read     bool   // its data have been read
	has      struct{ name, datatype, shape, parameters bool }
}

// askedOutput is one output that is asked for.
type askedOutput struct {
	backend.Output
	binary   bool
	inMemory bool
	has      struct{ name, parameters bool }
}

// parse reads the whole request. Tensors given as JSON are complete then; those that follow as binary data are not.
//
// Errors: Invalid, naming the input; TooLarge where JSON makes more than Limits.Message bytes.
func (q *jsonRequest) parse() error {
	var has struct{ id, parameters, inputs, outputs bool }
	err := q.object("the request", func(key []byte) error {
		switch {
		case string(key) == "id" && !has.id:
			has.id = true
			s, err := q.text("'id'")
			q.id = s
			return err
		case string(key) == "parameters" && !has.parameters:
			has.parameters = true
			return q.parameters()
		case string(key) == "inputs" && !has.inputs:
			has.inputs = true
			return q.readInputs()
		case string(key) == "outputs" && !has.outputs:
			has.outputs = true
			return q.array("the outputs", q.output)
		}
		return q.skip()
	})
	if err == nil {
		err = q.end()
	}
	if err == nil && !has.inputs {
		err = fault.New(fault.Invalid, "invalid_request", "Unable to parse 'inputs': the request has no array of that name").At("inputs", "missing")
	}
	return err
}

// text reads a string that names something.
func (q *jsonRequest) text(what string) (string, error) {
	if q.peek() != '"' {
		return "", q.expected("a string, " + what + ",")
	}
	at := q.i
	s, err := q.str()
	if err == nil && len(s) > maxName {
		return "", q.failAt(at, "%s is longer than %d bytes", what, maxName)
	}
	return string(s), err
}

func (q *jsonRequest) readInputs() error {
	return q.array("the inputs", func(i int) error {
		if i >= q.limits.Inputs {
			return fault.New(fault.Invalid, "invalid_request", "the request has more than %d inputs", q.limits.Inputs).At("inputs", "too many")
		}
		q.inputs = append(q.inputs, givenInput{})
		in := &q.inputs[i]
		err := q.input(in)
		if err == nil && slices.ContainsFunc(q.inputs[:i], func(o givenInput) bool { return o.Name == in.Name }) {
			err = fault.New(fault.Invalid, "invalid_request", "input '%s' already exists in request", in.Name).At("inputs."+in.Name, "given twice")
		}
		var f *fault.Error
		if errors.As(err, &f) && len(f.Fields) == 0 {
			return named(f, in.Name, i)
		}
		return err
	})
}

// output reads one requested output.
func (q *jsonRequest) output(i int) error {
	if i >= q.limits.Inputs {
		return fault.New(fault.Invalid, "invalid_request", "the request asks for more than %d outputs", q.limits.Inputs).At("outputs", "too many")
	}
	var o askedOutput
	err := q.object("an output", func(key []byte) (err error) {
		switch {
		case string(key) == "name" && !o.has.name:
			o.has.name = true
			o.Name, err = q.text("the output's 'name'")
		case string(key) == "parameters" && !o.has.parameters:
			o.has.parameters = true
			err = q.outputParameters(&o)
		default:
			err = q.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !o.has.name:
		return fault.New(fault.Invalid, "invalid_request", "Unable to parse 'name': output %d has none", i).At("outputs", "no name")
	case o.inMemory:
		return fault.New(fault.Invalid, "invalid_request", "output '%s': shared memory is not served; leave shared_memory_region out and read the output from the answer", o.Name).
			At("outputs."+o.Name, "shared memory")
	}
	if !slices.ContainsFunc(q.outputs, func(p askedOutput) bool { return p.Name == o.Name }) {
		q.outputs = append(q.outputs, o)
	}
	return nil
}

func (q *jsonRequest) outputParameters(o *askedOutput) error {
	var classes, binary bool
	return q.object("the output's parameters", func(key []byte) (err error) {
		switch {
		case string(key) == "classification" && !classes:
			classes = true
			var n uint64
			if n, err = q.whole(); err == nil && n > 1<<31-1 {
				err = q.fail("output '%s': 'classification' is %d, too many", o.Name, n)
			}
			o.Classes = int64(n)
		case string(key) == "binary_data" && !binary:
			binary = true
			o.binary, err = q.boolean()
		default:
			o.inMemory = o.inMemory || string(key) == "shared_memory_region"
			err = q.skip()
		}
		return err
	})
}

// named makes an error say which input it is about.
func named(f *fault.Error, name string, i int) error {
	if name == "" {
		c := fault.New(f.Kind, f.Code, "input number %d: %s", i, f.Detail)
		return c.At("inputs", f.Detail)
	}
	c := fault.New(f.Kind, f.Code, "input '%s': %s", name, f.Detail)
	return c.At("inputs."+name, f.Detail)
}
