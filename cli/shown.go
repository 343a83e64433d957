package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// show asks the admin listener for a document and prints it.
func show[T any](ctx context.Context, e *Env, f *operatorFlags, path string, print func(*T, io.Writer) error) error {
	gw, err := f.reach(e)
	if err != nil {
		return err
	}
	raw, err := gw.ask(ctx, http.MethodGet, path)
	if err != nil {
		return gw.elsewhere(err)
	}
	return shown(e, f.JSON, raw, print)
}

// shown prints a document: as it came where asJSON is set, and else as print has it for people.
func shown[T any](e *Env, asJSON bool, raw []byte, print func(*T, io.Writer) error) error {
	if asJSON {
		return printJSON(e.Out, json.RawMessage(raw))
	}
	d, err := read[T](raw)
	if err != nil {
		return err
	}
	return print(&d, e.Out)
}
