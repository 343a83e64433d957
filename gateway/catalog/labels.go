package catalog

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// Labeler is a Source that can read the labels of a model whose files are elsewhere. Labels gives n labels by class index for an output, "" for a
// class without one. It costs an inference, so it is asked once per load, and only where config names a label file that is not in the local folder.
type Labeler interface {
	Labels(ctx context.Context, model, output string, n int) ([]string, error)
}

const (
	// labelsTimeout bounds all calls for labels of one look: with the Index before them, a look must stay below freshFor.
	labelsTimeout = 400 * time.Millisecond
	// labelsRetry is how long labels that could not be read are left alone while nothing changes.
	labelsRetry = 30 * time.Second
)

// noLabels starts the warning about labels that only the backend could have.
const noLabels = "the file that label_filename names is not in the local folder; classes go by number. Copy it there, or write labels into task.yaml"

// distant is what the backend has told of a model's labels.
type distant struct {
	list    []string
	output  string
	classes int
	again   time.Time // when to ask again; zero where list was told
}

// due reports whether it is time to ask for labels again.
func (d *distant) due() bool { return !d.again.IsZero() && !time.Now().Before(d.again) }

// findLabels reads the labels from the local folder, or else from the backend.
func (m *Model) findLabels(ctx context.Context, labeler Labeler, was *Model) error {
	var err error
	m.Labels, err = task.LoadLabels(m.Spec, m.Dir, m.Config)
	m.files = m.files.withLabels(m.Dir, m.Spec, m.Config) // also if they cannot be read: until they can
	out := m.Config.Output(m.Spec.Output.Name)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && (!missing || m.Spec.Labels.File != ""):
		return err
	case m.Labels != nil, out == nil, out.LabelFilename == "", !m.Spec.Task.Classes():
		return nil
	case m.Spec.Labels.File != "" && m.Spec.Labels.File != out.LabelFilename:
		return nil // the backend has other labels
	case labeler == nil && !missing:
		return nil
	}
	why := ""
	if n := classes(m.Spec, m.Config, out); labeler != nil && n > 0 {
		why = m.askLabels(ctx, labeler, out.Name, n, was)
	}
	if m.Labels == nil {
		m.Warnings = append(m.Warnings, noLabels+why)
	}
	return nil
}

// askLabels takes what has been told under the same index, or asks now. The text says why there are none.
func (m *Model) askLabels(ctx context.Context, labeler Labeler, output string, n int, was *Model) (why string) {
	if was != nil && was.index == m.index && was.distant.output == output && was.distant.classes == n && was.distant.again.IsZero() {
		m.distant, m.Labels = was.distant, was.distant.list
		return ""
	}
	m.distant = distant{output: output, classes: n, again: time.Now()}
	if ctx.Err() != nil { // other models have used up this look's time
		return ""
	}
	list, err := labeler.Labels(ctx, m.Name, output, n)
	if err == nil {
		err = checkLabels(list, n)
	}
	if err != nil {
		m.distant.again = time.Now().Add(labelsRetry)
		return ". The backend does not tell them either: " + text(err)
	}
	m.distant.list, m.distant.again, m.Labels = list, time.Time{}, list
	return ""
}

// checkLabels holds the backend's labels to what is asked of a file.
func checkLabels(list []string, n int) error {
	size := 0
	for i, label := range list {
		size += len(label)
		if size > task.MaxLabelBytes || !utf8.ValidString(label) {
			return fault.New(fault.Contract, "upstream_contract", "label %d is not UTF-8 text, or the labels are larger than %d bytes", i, task.MaxLabelBytes)
		}
		list[i] = strings.TrimSpace(label)
	}
	if len(list) != n {
		return fault.New(fault.Contract, "upstream_contract", "%d labels came, want %d", len(list), n)
	}
	return nil
}

// classes gives the number of classes of a classification; 0 where the config leaves it open, or where a class is not one element of an FP32 output.
func classes(spec *task.Spec, config *modelconfig.Config, out *modelconfig.IO) int {
	one := spec.Task == task.ImageClassification || spec.Task == task.TabularClassification
	if !one || out.DType != tensor.FP32 {
		return 0
	}
	dims := out.Dims
	if config.MaxBatchSize == 0 && len(dims) > 1 { // the first one is the batch
		if dims[0] != 1 && dims[0] != -1 {
			return 0
		}
		dims = dims[1:]
	}
	long := slices.DeleteFunc(slices.Clone(dims), func(d int64) bool { return d == 1 })
	const most = 1 << 24
	switch {
	case len(dims) == 0, len(long) > 1, len(long) == 1 && (long[0] < 1 || long[0] > most):
		return 0
	case len(long) == 0:
		return 1
	}
	return int(long[0])
}
