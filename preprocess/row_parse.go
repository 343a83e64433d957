package preprocess

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"triton-gateway/internal/fault"
)

// RowFromJSON reads a row as JSON: an object of values by column, or a list of values in the order of the columns. Numbers stay text, so
// that whole ones lose no digit. Errors: Invalid invalid_row.
func RowFromJSON(raw json.RawMessage) (Row, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	start, err := decoder.Token()
	if err != nil {
		return Row{}, badRow("is not JSON: %s", syntax(err))
	}
	row := Row{}
	switch start {
	case json.Delim('{'):
		row.Named, err = named(decoder)
	case json.Delim('['):
		row.Positional, err = positional(decoder)
	default:
		return Row{}, badRow("is neither an object of columns nor a list of values")
	}
	if err != nil {
		return Row{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Row{}, badRow("has something behind its end, at byte %d", decoder.InputOffset())
	}
	return row, nil
}

// named refuses a column that is there twice; encoding/json would take the last one.
func named(decoder *json.Decoder) (map[string]any, error) {
	values := map[string]any{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, badRow("is not JSON: %s", syntax(err))
		}
		name, _ := key.(string) // a key of an object always is one
		if _, twice := values[name]; twice {
			return nil, badRow("has the column %q twice", clip(name)).At(clip(name), "is there twice")
		}
		var v any
		if err := decoder.Decode(&v); err != nil {
			return nil, badRow("is not JSON: %s", syntax(err))
		}
		values[name] = v
	}
	_, err := decoder.Token()
	return values, unclosed(err)
}

func positional(decoder *json.Decoder) ([]any, error) {
	values := []any{}
	for decoder.More() {
		var v any
		if err := decoder.Decode(&v); err != nil {
			return nil, badRow("is not JSON: %s", syntax(err))
		}
		values = append(values, v)
	}
	_, err := decoder.Token()
	return values, unclosed(err)
}

func unclosed(err error) error {
	if err != nil {
		return badRow("is not JSON: %s", syntax(err))
	}
	return nil
}

// RowFromQuery reads a row from a query: ?sepal_length=5.1&... Names that skip reports are options of the request, not columns; skip may be nil.
// Errors: Invalid invalid_row where a column is there twice.
func RowFromQuery(query url.Values, skip func(string) bool) (Row, error) {
	row := Row{Named: map[string]any{}}
	for name, values := range query {
		if skip != nil && skip(name) {
			continue
		}
		if len(values) != 1 {
			return Row{}, badRow("has the column %q %d times", clip(name), len(values)).At(clip(name), "is there more than once")
		}
		row.Named[name] = values[0]
	}
	return row, nil
}

func badRow(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_row", "the row %s", fmt.Sprintf(format, args...))
}

// syntax words an error of encoding/json for people.
func syntax(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is cut"
	}
	return err.Error()
}
