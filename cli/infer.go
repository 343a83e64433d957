package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
)

type inferCmd struct {
	configFlags
	File          string   `arg:"" help:"A JPEG, PNG or WebP picture, or a JSON file with row, rows, image or images; - for standard input."`
	Model         string   `short:"m" required:"" help:"The model's name."`
	ModelVersion  string   `placeholder:"N" help:"The model's version; none: the one its policy gives."`
	TopK          *int     `help:"Most predictions to give."`
	Confidence    *float64 `help:"Lowest score of a detection, 0..1."`
	IoU           *float64 `name:"iou" help:"Overlap above which the weaker of two detections is dropped, 0..1."`
	MaxDetections *int     `help:"Most detections to give."`
	Classes       []string `help:"Only these labels."`
	NoCache       bool     `help:"Compute anew even if the answer is known."`
	URL           string   `placeholder:"URL" help:"A running gateway; none: the one on localhost:8080, or one inside this command."`
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

func (c *inferCmd) query() url.Values {
	q := url.Values{}
	if c.ModelVersion != "" {
		q.Set("version", c.ModelVersion)
	}
	for name, value := range map[string]*float64{"confidence": c.Confidence, "iou": c.IoU} {
		if value != nil {
			q.Set(name, strconv.FormatFloat(*value, 'g', -1, 64))
		}
	}
	for name, value := range map[string]*int{"top_k": c.TopK, "max_detections": c.MaxDetections} {
		if value != nil {
			q.Set(name, strconv.Itoa(*value))
		}
	}
	for i, class := range c.Classes {
		if i == 0 {
			q.Set("classes", class)
		} else {
			q.Set("classes", q.Get("classes")+","+class)
		}
	}
	if c.NoCache {
		q.Set("cache", "no-cache")
	}
	return q
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
