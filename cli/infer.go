package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
)

type inferCmd struct {
	configFlags
	File  string `arg:"" help:"A JPEG, PNG or WebP picture, or a JSON file with row, rows, image or images; - for standard input."`
	Model string `short:"m" required:"" help:"The model's name."`
	inferOptions
	URL string `placeholder:"URL" help:"A running gateway; none: the one on localhost:8080, or one inside this command."`
}

// Run prints the answer as indented JSON.
func (c *inferCmd) Run(ctx context.Context, e *Env) error {
	data, err := readInput(c.File)
	if err != nil {
		return err
	}
	gw, err := reach(ctx, e, c.configFlags, c.URL)
	if err != nil {
		return err
	}
	defer gw.close()
	contentType := "application/octet-stream" // the gateway looks at the bytes
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		contentType = "application/json"
	}
	answer, _, err := gw.call(ctx, "POST", "/v1/models/"+url.PathEscape(c.Model)+"/infer?"+c.query().Encode(), contentType, bytes.NewReader(data))
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, answer, "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	fmt.Fprintln(e.Out, indented.String())
	return nil
}

func readInput(file string) ([]byte, error) {
	if file == "-" {
		file = "/dev/stdin"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) { // no picture begins so
		return nil, fmt.Errorf("%s holds a JSON list; an object with row, rows, image or images is wanted, such as {\"rows\":[[1,2],[3,4]]}", file)
	}
	return data, nil
}
