package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
)

type inferCmd struct {
	configFlags
	File  string `arg:"" help:"A JPEG, PNG or WebP picture, or a JSON file with row, rows, image or images; - for standard input."`
	Model string `short:"m" required:"" help:"The model's name."`
	inferOptions
	Priority string `enum:",realtime,interactive,batch" default:"" placeholder:"CLASS" help:"How urgent it is, where it has to wait: realtime, interactive or batch; none: interactive."`
	Upload   bool   `help:"Send the picture at once. Without it, the gateway is asked for the answer by the picture's SHA-256 first, and gets the picture if it does not know it."`
	Key      string `placeholder:"KEY" help:"Who asks, where the gateway wants to know; none: TRITON_GATEWAY_KEY of the environment, where others do not see it."`
	URL      string `placeholder:"URL" help:"A running gateway; none: the one on localhost:8080, or one inside this command."`
	tlsFlags
}

// Run prints the answer as indented JSON.
func (c *inferCmd) Run(ctx context.Context, e *Env) error {
	data, err := readInput(c.File)
	if err != nil {
		return err
	}
	gw, err := reach(ctx, e, c.configFlags, c.URL, c.Key, c.tlsFlags)
	if err != nil {
		return err
	}
	defer gw.close()
	gw.priority = c.Priority
	answer, err := c.ask(ctx, gw, data)
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

// ask sends a JSON file, and a picture if the gateway does not know the answer by its digest.
func (c *inferCmd) ask(ctx context.Context, gw *remote, data []byte) ([]byte, error) {
	model, query := "/v1/models/"+url.PathEscape(c.Model), "?"+c.query().Encode()
	contentType := kindOf(data)
	if contentType != "application/json" && !c.Upload && !c.NoCache {
		answer, _, err := gw.call(ctx, "GET", fmt.Sprintf("%s/results/%x%s", model, sha256.Sum256(data), query), "", nil)
		if err == nil || !unknown(err) {
			return answer, err
		}
	}
	answer, _, err := gw.call(ctx, "POST", model+"/infer"+query, contentType, bytes.NewReader(data))
	return answer, err
}

// unknown says whether the picture has to be sent: its answer is not stored, or what stands before the gateway, or an older one, does not let such questions
// through. What the gateway itself finds wrong, such as the model's name, would be wrong with the picture too.
func unknown(err error) bool {
	var r *refused
	return errors.As(err, &r) && (r.code == "result_not_cached" || r.code == "not_found" || r.code == "")
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
