package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"triton-gateway/modelconfig"
)

// Complete fills in what the spec leaves open: names, datatype, layout, color and sizes from the model's config, the rest
// with the defaults that Keys lists. It refuses a spec that contradicts the config, all faults at once, and warns of what it
// had to assume. The spec is changed in place; after an error it is filled in partly. Completing twice changes nothing.
func (s *Spec) Complete(cfg *modelconfig.Config) (warnings []string, err error) {
	if cfg == nil {
		return nil, errors.New("no model config to complete the task with")
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Task == Raw {
		return nil, nil
	}
	c := completion{spec: s, cfg: cfg}
	c.input()
	c.output()
	err = c.faults.err()
	if err == nil {
		err = s.Validate() // color and datatype may have come from the config
	}
	if err != nil {
		return c.warnings, fmt.Errorf("the task does not fit the config of model %q: %w", cfg.Name, err)
	}
	return c.warnings, nil
}

// completion is one run of Complete.
type completion struct {
	spec     *Spec
	cfg      *modelconfig.Config
	faults   Faults
	warnings []string
}

func (c *completion) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// input completes input and preprocess.
func (c *completion) input() {
	in := &c.spec.Input
	io := c.pickInput()
	if io == nil {
		return
	}
	in.Name = io.Name
	if own := io.DType.String(); in.DType == "" {
		in.DType = own
	} else if in.DType != own {
		c.faults.add("input.dtype", "the task says %s, the config %s", in.DType, own)
		return
	}
	picture := c.spec.Task.Image() && (c.spec.Preprocess != nil || len(in.Columns) == 0)
	if picture && !slices.Contains(imageTypes(), in.DType) {
		c.faults.add("input.dtype", "the input is %s; pictures are fed as %s", in.DType, strings.Join(imageTypes(), ", "))
	} else if picture {
		c.picture(io)
	} else if !slices.Contains(rowTypes(), in.DType) {
		c.faults.add("input.dtype", "the input is %s; rows are fed as %s", in.DType, strings.Join(rowTypes(), ", "))
	} else {
		c.row(io)
	}
}

// pickInput finds the input that is fed; every other one must be optional.
func (c *completion) pickInput() *modelconfig.IO {
	var required []string
	for _, io := range c.cfg.Inputs {
		if !io.Optional {
			required = append(required, io.Name)
		}
	}
	name := c.spec.Input.Name
	if name == "" && len(required) == 1 {
		name = required[0]
	}
	if name == "" && len(required) == 0 && len(c.cfg.Inputs) == 1 {
		name = c.cfg.Inputs[0].Name
	}
	switch io := c.cfg.Input(name); {
	case len(c.cfg.Inputs) == 0:
		c.faults.add("input", "the config names no inputs; write them into config.pbtxt")
	case name == "":
		c.faults.add("input.name", "the model has several inputs (%s); only `task: raw` feeds them all", quoted(c.cfg.Inputs))
	case io == nil:
		c.faults.add("input.name", "the model has no input %q; %s", name, has(c.cfg.Inputs))
	case slices.ContainsFunc(required, func(r string) bool { return r != name }):
		c.faults.add("input.name", "the model needs more inputs than %q (it has %s); only `task: raw` feeds them all", name, quoted(c.cfg.Inputs))
	default:
		return io
	}
	return nil
}

// row checks the input of a model that is fed with rows alone.
func (c *completion) row(io *modelconfig.IO) {
	dims, ok := c.item(io, 1)
	switch columns := len(c.spec.Input.Columns); {
	case !ok:
		c.faults.add("input", "the config gives %q the dims %v; a row needs [%d]%s", io.Name, io.Dims, columns, c.batchHint())
	case dims[0] != -1 && dims[0] != int64(columns):
		c.faults.add("input.columns", "%d columns are named, the model takes %d", columns, dims[0])
	}
}

// item gives the dims of one item, without the batch dimension, if they are rank many.
func (c *completion) item(io *modelconfig.IO, rank int) ([]int64, bool) {
	dims := io.Dims
	if c.cfg.MaxBatchSize == 0 {
		if len(dims) == 0 || dims[0] != -1 && dims[0] != 1 {
			return nil, false
		}
		dims = dims[1:]
	}
	return dims, len(dims) == rank
}

func (c *completion) batchHint() string {
	if c.cfg.MaxBatchSize > 0 {
		return ""
	}
	return ", with a batch dimension of 1 or -1 before that, since max_batch_size is 0"
}

// has says what a config names, to follow what it does not.
func has(list []modelconfig.IO) string {
	if len(list) == 0 {
		return "its config names none; write them into config.pbtxt"
	}
	return "it has " + quoted(list)
}

func quoted(list []modelconfig.IO) string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = fmt.Sprintf("%q", list[i].Name)
	}
	return strings.Join(names, ", ")
}
