package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"triton-gateway/modelconfig"
)

// maxLabels bounds a file of labels.
const maxLabels = 16 << 20

// readLabels reads the label_filename of every output. A file that cannot be read is logged: its classes then have no names.
func (j *load) readLabels(dir string, c *modelconfig.Config) map[string][]string {
	out := map[string][]string{}
	for i := range c.Outputs {
		name := c.Outputs[i].LabelFilename
		if name == "" {
			continue
		}
		lines, err := readLines(dir, name)
		if err != nil {
			j.engine.log.Warn("labels cannot be read", "model", j.name, "label_filename", name, "error", j.public(err))
			continue
		}
		out[c.Outputs[i].Name] = lines
	}
	return out
}

// readLines reads lines as Triton does: each ends with a newline, the last one may lack it, nothing is trimmed.
func readLines(dir, name string) ([]string, error) {
	if !filepath.IsLocal(name) {
		return nil, errors.New("it leaves the model's folder")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLabels+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxLabels {
		return nil, fmt.Errorf("it is larger than %d bytes", maxLabels)
	}
	lines := strings.Split(string(data), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines, nil
}
