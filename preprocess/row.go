package preprocess

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// anyColumn in task.Input.Ranges stands for every column that has no range of its own.
const anyColumn = "*"

// table turns rows into tensors.
type table struct {
	name    string
	dtype   tensor.DType
	shape   []int64
	columns []string
	place   map[string]int
	ranges  []*task.Range
}

// newTable takes the tensor's shape, or nil for [1, columns].
func newTable(spec *task.Spec, shape []int64) (*table, error) {
	in := spec.Input
	t := &table{name: in.Name, columns: in.Columns, shape: shape, place: map[string]int{}, ranges: make([]*task.Range, len(in.Columns))}
	if shape == nil {
		t.shape = []int64{1, int64(len(in.Columns))}
	}
	name := in.DType
	if name == "" {
		name = "FP32"
	}
	t.dtype, _ = tensor.ParseDType(name)
	if spec.Preprocess == nil && t.dtype != tensor.FP32 && t.dtype != tensor.FP64 && t.dtype != tensor.Int32 && t.dtype != tensor.Int64 {
		return nil, fmt.Errorf("input.dtype: %q is none of FP32, FP64, INT32, INT64, which rows become", in.DType)
	}
	for i, column := range in.Columns {
		if _, twice := t.place[column]; twice || column == "" {
			return nil, fmt.Errorf("input.columns[%d]: %q is empty or there twice", i, column)
		}
		t.place[column] = i
		if r, ok := in.Ranges[column]; ok {
			t.ranges[i] = &r
		} else if r, ok := in.Ranges[anyColumn]; ok {
			t.ranges[i] = &r
		}
	}
	for column, r := range in.Ranges {
		if _, known := t.place[column]; !known && column != anyColumn {
			return nil, fmt.Errorf("input.ranges: there is no column %q", column)
		}
		if !(r[0] <= r[1]) {
			return nil, fmt.Errorf("input.ranges.%s: [%g, %g] holds no number", column, r[0], r[1])
		}
	}
	return t, nil
}

// Row turns one row into the model's input tensor of batch size 1, [1, columns], or in the shape of a picture where the model takes
// either. Errors: Invalid invalid_row, with a Field for each column at fault: missing, unknown, not a number, NaN or infinite, outside
// the range that task.yaml allows, or not to be had in the tensor's datatype.
func (p *Preprocessor) Row(r Row) (tensor.Tensor, error) {
	if p.table == nil {
		return tensor.Tensor{}, fault.New(fault.Invalid, "invalid_row", "this model takes no row: send a picture")
	}
	return p.table.tensor(r)
}

func (t *table) tensor(r Row) (tensor.Tensor, error) {
	values, problem := t.arrange(r)
	out := tensor.Tensor{Name: t.name, DType: t.dtype, Shape: slices.Clone(t.shape)}
	for i, v := range values {
		if v == missing {
			continue // said already
		}
		number, err := toNumber(v)
		if err == nil {
			err = t.check(i, number)
		}
		if err == nil {
			out.Data, err = t.encode(out.Data, v, number)
		}
		if err != nil {
			problem = append(problem, fault.Field{Location: t.columns[i], Message: err.Error()})
		}
	}
	if len(problem) > 0 {
		names := make([]string, 0, 3)
		for _, f := range problem[:min(3, len(problem))] {
			names = append(names, f.Location+": "+f.Message)
		}
		e := fault.New(fault.Invalid, "invalid_row", "the row does not fit the model: %s", strings.Join(names, "; "))
		e.Fields = problem
		return tensor.Tensor{}, e
	}
	return out, nil
}

type absent struct{}

var missing any = absent{}

// arrange puts the values in the order of the columns.
func (t *table) arrange(r Row) (values []any, problem []fault.Field) {
	if r.Named == nil {
		for i := len(r.Positional); i < len(t.columns); i++ {
			problem = append(problem, fault.Field{Location: t.columns[i], Message: fmt.Sprintf("is missing: the row has %d values, the model takes %d", len(r.Positional), len(t.columns))})
		}
		if extra := len(r.Positional) - len(t.columns); extra > 0 {
			return nil, []fault.Field{{Location: fmt.Sprintf("[%d]", len(t.columns)), Message: fmt.Sprintf("%d value(s) too many: the model takes %s", extra, t.list())}}
		}
		return r.Positional, problem
	}
	values = make([]any, len(t.columns))
	for i, column := range t.columns {
		v, ok := r.Named[column]
		if !ok {
			problem = append(problem, fault.Field{Location: column, Message: "is missing"})
			v = missing
		}
		values[i] = v
	}
	unknown := []string{}
	for name := range r.Named {
		if _, ok := t.place[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown[:min(len(unknown), 16)] {
		problem = append(problem, fault.Field{Location: clip(name), Message: "is no column of this model, which takes " + t.list()})
	}
	return values, problem
}

// list names some columns for error texts.
func (t *table) list() string {
	if len(t.columns) > 8 {
		return strings.Join(t.columns[:8], ", ") + fmt.Sprintf(" and %d more", len(t.columns)-8)
	}
	return strings.Join(t.columns, ", ")
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// toNumber takes a number or the text of one. The error is worded to follow the column's name.
func toNumber(v any) (float64, error) {
	text := ""
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, errors.New("is not a finite number")
		}
		return v, nil
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	case nil:
		return 0, errors.New("is null, not a number")
	case bool:
		return 0, fmt.Errorf("is %v, not a number", v)
	default:
		return 0, fmt.Errorf("is not a number but a list or an object")
	}
	if !decimal(text) {
		return 0, fmt.Errorf("is %q, not a number", clip(text))
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("is %q, not a finite number", clip(text))
	}
	return number, nil
}

// decimal leaves out what ParseFloat takes besides: hexadecimal, underscores, inf, nan.
func decimal(text string) bool {
	return text != "" && strings.Trim(text, "0123456789+-.eE") == "" && strings.ContainsAny(text, "0123456789")
}

func (t *table) check(i int, v float64) error {
	if r := t.ranges[i]; r != nil && (v < r[0] || v > r[1]) {
		return fmt.Errorf("is %g, outside of %g to %g", v, r[0], r[1])
	}
	return nil
}

// encode appends one value. FP32 and FP16 are rounded; integers have to be whole and in range, and are taken digit by digit from text
// where float64 would lose some.
func (t *table) encode(dst []byte, raw any, v float64) ([]byte, error) {
	switch t.dtype {
	case tensor.FP32, tensor.FP16:
		f := float32(v)
		if math.IsInf(float64(f), 0) || t.dtype == tensor.FP16 && tensor16(f)&0x7fff == 0x7c00 {
			return dst, fmt.Errorf("is %g, too large for %s", v, t.dtype)
		}
		if t.dtype == tensor.FP16 {
			return binary.LittleEndian.AppendUint16(dst, tensor16(f)), nil
		}
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(f)), nil
	case tensor.FP64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), nil
	}
	whole, err := t.integer(raw, v)
	if err != nil {
		return dst, err
	}
	switch t.dtype {
	case tensor.Uint8:
		return append(dst, byte(whole)), nil
	case tensor.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(whole)), nil
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(whole)), nil
}

// integer takes whole numbers digit by digit where they came as text, and 1e3 or 5.0 by value.
func (t *table) integer(raw any, v float64) (int64, error) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch t.dtype {
	case tensor.Int32:
		low, high = math.MinInt32, math.MaxInt32
	case tensor.Uint8:
		low, high = 0, 255
	}
	whole, ok := int64(0), false
	switch raw := raw.(type) {
	case json.Number:
		whole, ok = digits(raw.String())
	case string:
		whole, ok = digits(strings.TrimSpace(raw))
	}
	if !ok {
		if v != math.Trunc(v) || v < math.MinInt64 || v >= 1<<63 {
			return 0, fmt.Errorf("is %g, not a whole number for %s", v, t.dtype)
		}
		whole = int64(v)
	}
	if whole < low || whole > high {
		return 0, fmt.Errorf("is %d, too large for %s", whole, t.dtype)
	}
	return whole, nil
}

func digits(text string) (int64, bool) {
	whole, err := strconv.ParseInt(text, 10, 64)
	return whole, err == nil
}
