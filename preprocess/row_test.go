package preprocess_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func iris(dtype string) *task.Spec {
	return &task.Spec{Input: task.Input{Name: "input", DType: dtype, Columns: []string{"sepal_length", "sepal_width", "petal_length", "petal_width"},
		Ranges: map[string]task.Range{"petal_width": {0, 20}}}}
}

func table(t testing.TB, spec *task.Spec) *preprocess.Preprocessor {
	t.Helper()
	p, err := preprocess.New(spec, &tripwire{}, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRowInTheOrderOfTheColumns(t *testing.T) {
	p := table(t, iris(""))
	want := []byte("\x33\x33\xa3\x40\x00\x00\x60\x40\x33\x33\xb3\x3f\xcd\xcc\x4c\x3e") // 5.1 3.5 1.4 0.2
	for name, row := range map[string]preprocess.Row{
		"named":      {Named: map[string]any{"petal_width": 0.2, "sepal_width": 3.5, "petal_length": "1.4", "sepal_length": json.Number("5.1")}},
		"positional": {Positional: []any{5.1, " 3.5 ", json.Number("1.4"), "2e-1"}},
	} {
		out, err := p.Row(row)
		if err != nil || string(out.Data) != string(want) || out.Name != "input" || out.DType != tensor.FP32 || !reflect.DeepEqual(out.Shape, []int64{1, 4}) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

func TestRowRefusalsNameTheColumn(t *testing.T) {
	p := table(t, iris("FP32"))
	good := func() map[string]any {
		return map[string]any{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
	}
	for message, bad := range map[string]any{
		"is missing": nil, "is null": nil, `"wide"`: "wide", "is true": true, "a list or an object": []any{1.0}, "not a finite number": math.NaN(),
		"is not a finite number": math.Inf(1), `"NaN", not`: "NaN", `"inf", not`: "inf", `"0x10", not`: "0x10", `"1_0", not`: "1_0", `"1e999", not a finite`: json.Number("1e999"),
		`"", not`: "", "outside of 0 to 20": 20.5, "is -1, outside": -1.0, "object": map[string]any{},
	} {
		row := good()
		row["petal_width"] = bad
		if message == "is missing" {
			delete(row, "petal_width")
		}
		_, err := p.Row(preprocess.Row{Named: row})
		wantRow(t, message, err, "petal_width", message)
	}
	row := good()
	row["petal_with"] = 1.0
	_, err := p.Row(preprocess.Row{Named: row})
	wantRow(t, "unknown", err, "petal_with", "is no column")
	_, err = p.Row(preprocess.Row{Positional: []any{1.0, 2.0, 3.0}})
	wantRow(t, "short", err, "petal_width", "is missing")
	_, err = p.Row(preprocess.Row{Positional: []any{1.0, 2.0, 3.0, 4.0, 5.0}})
	wantRow(t, "long", err, "[4]", "1 value(s) too many")
	_, err = p.Row(preprocess.Row{})
	wantRow(t, "empty", err, "sepal_length", "is missing")
	_, err = p.Row(preprocess.Row{Positional: []any{1.0, 2.0, 1e39, 4.0}})
	wantRow(t, "too large", err, "petal_length", "too large for FP32")
	_, err = p.Row(preprocess.Row{Positional: []any{"a", 2.0, "b", 4.0}})
	wantRow(t, "two at once", err, "petal_length", `"b"`)
	_, err = table(t, stretchSpec("pil-box")).Row(preprocess.Row{})
	wantFault(t, "no table", err, fault.Invalid, "invalid_row", "picture")
}

func wantRow(t *testing.T, name string, err error, column, message string) {
	t.Helper()
	wantFault(t, name, err, fault.Invalid, "invalid_row", message)
	var e *fault.Error
	errors.As(err, &e)
	for _, f := range e.Fields {
		if f.Location == column && strings.Contains(f.Message, message) {
			return
		}
	}
	t.Errorf("%s: no field %s with %q in %+v", name, column, message, e.Fields)
}

func TestRowDatatypes(t *testing.T) {
	for _, c := range []struct {
		dtype string
		value any
		want  string // bytes; empty: refused
	}{
		{"FP64", 0.1, "\x9a\x99\x99\x99\x99\x99\xb9\x3f"}, {"INT32", -2.0, "\xfe\xff\xff\xff"}, {"INT32", "1e3", "\xe8\x03\x00\x00"},
		{"INT32", 2147483648.0, ""}, {"INT32", 1.5, ""}, {"INT64", json.Number("9007199254740993"), "\x01\x00\x00\x00\x00\x00\x20\x00"},
		{"INT64", "9223372036854775807", "\xff\xff\xff\xff\xff\xff\xff\x7f"}, {"INT64", json.Number("9223372036854775808"), ""},
		{"INT64", -9223372036854775808.0, "\x00\x00\x00\x00\x00\x00\x00\x80"}, {"INT64", 9223372036854775808.0, ""}, {"INT64", "5.0", "\x05\x00\x00\x00\x00\x00\x00\x00"},
	} {
		p := table(t, &task.Spec{Input: task.Input{DType: c.dtype, Columns: []string{"a"}}})
		out, err := p.Row(preprocess.Row{Positional: []any{c.value}})
		if string(out.Data) != c.want || (c.want == "") != (err != nil) {
			t.Errorf("%s of %v: % x, %v", c.dtype, c.value, out.Data, err)
		}
	}
	for text, in := range map[string]task.Input{
		"input.dtype": {DType: "UINT8", Columns: []string{"a"}}, "there twice": {Columns: []string{"a", "a"}}, "input.columns[0]": {Columns: []string{""}},
		`no column "b"`: {Columns: []string{"a"}, Ranges: map[string]task.Range{"b": {0, 1}}}, "holds no number": {Columns: []string{"a"}, Ranges: map[string]task.Range{"a": {1, 0}}},
	} {
		if _, err := preprocess.New(&task.Spec{Input: in}, nil, preprocess.Limits{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}

// A model of pictures that takes rows too, such as digits, gets them in the shape of its pictures.
func TestRowInTheShapeOfAPicture(t *testing.T) {
	spec := stretchSpec("pil-box")
	spec.Input.Color = "GRAY"
	spec.Input.Ranges = map[string]task.Range{"*": {0, 16}, "c7": {0, 1}}
	values := []any{}
	for i := range 64 {
		spec.Input.Columns = append(spec.Input.Columns, fmt.Sprint("c", i))
		values = append(values, float64(i%2))
	}
	out, err := table(t, spec).Row(preprocess.Row{Positional: values})
	if err != nil || !reflect.DeepEqual(out.Shape, []int64{1, 1, 8, 8}) || out.Validate() != nil {
		t.Errorf("%v, %v", out.Shape, err)
	}
	values[3], values[7] = 17.0, 2.0
	_, err = table(t, spec).Row(preprocess.Row{Positional: values})
	wantRow(t, "range of all", err, "c3", "outside of 0 to 16")
	wantRow(t, "range of one", err, "c7", "outside of 0 to 1")
}

func TestRowFromJSON(t *testing.T) {
	row, err := preprocess.RowFromJSON(json.RawMessage(` {"a": 1.50, "b": "x", "c": null, "d": [1]} `))
	if err != nil || !reflect.DeepEqual(row.Named, map[string]any{"a": json.Number("1.50"), "b": "x", "c": nil, "d": []any{json.Number("1")}}) {
		t.Errorf("%+v, %v", row, err)
	}
	row, err = preprocess.RowFromJSON(json.RawMessage(`[5.1, "3.5"]`))
	if err != nil || row.Named != nil || !reflect.DeepEqual(row.Positional, []any{json.Number("5.1"), "3.5"}) {
		t.Errorf("%+v, %v", row, err)
	}
	for raw, text := range map[string]string{"": "cut", "{": "cut", `{"a":`: "cut", "[1": "cut", "3": "neither", "null": "neither", `"x"`: "neither", "{}{}": "behind",
		`{"a":1,"a":2}`: "twice", "{a:1}": "not JSON", "[1,]": "not JSON", "[NaN]": "not JSON", "[1 2]": "not JSON"} {
		_, err := preprocess.RowFromJSON(json.RawMessage(raw))
		wantFault(t, raw, err, fault.Invalid, "invalid_row", text)
	}
}

func TestRowFromQuery(t *testing.T) {
	query := url.Values{"a": {"1"}, "top_k": {"3"}, "b": {""}}
	row, err := preprocess.RowFromQuery(query, func(name string) bool { return name == "top_k" })
	if err != nil || !reflect.DeepEqual(row.Named, map[string]any{"a": "1", "b": ""}) {
		t.Errorf("%+v, %v", row, err)
	}
	_, err = preprocess.RowFromQuery(url.Values{"a": {"1", "2"}}, nil)
	wantRow(t, "twice", err, "a", "")
}

func FuzzRow(f *testing.F) {
	f.Add([]byte(`{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}`))
	f.Add([]byte(`[5.1, "3.5", 1e3, 0.2]`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`[[[]]]`))
	p := table(f, iris("FP32"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		row, err := preprocess.RowFromJSON(raw)
		if err == nil {
			var out tensor.Tensor
			if out, err = p.Row(row); err == nil && (out.Validate() != nil || !json.Valid(raw)) {
				t.Fatalf("%q becomes %+v", raw, out)
			}
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%q: %v", raw, err)
		}
		if query, err := url.ParseQuery(string(raw)); err == nil {
			if row, err = preprocess.RowFromQuery(query, nil); err == nil {
				_, err = p.Row(row)
			}
			if err != nil && fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}
