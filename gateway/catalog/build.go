package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

// model reads all there is about one model. was is the same model at the last look, or nil. labels bounds a call for labels.
func (c *Catalog) model(ctx, labels context.Context, name string, statuses []backend.ModelStatus, key string, was *Model) *Model {
	m := &Model{Name: name, index: key}
	var why string
	m.Versions, why = versions(statuses)
	if !plain(name) {
		m.Error = "its name may hold letters, digits and ._+:=@,~- only, up to 255, the first one no dot; rename its folder"
		return m
	}
	var dir string
	if c.options.Repository != "" {
		dir = filepath.Join(c.options.Repository, name)
	}
	m.files = watch(dir, was)
	if was != nil && was.index == key && !m.files.settled() {
		return was // a file is being written: look again before it is read
	}
	if dir != "" && m.files[0].IsDir() {
		m.Dir = dir
	}
	if !m.Ready() {
		if m.Error = "no version is ready" + m.why(); why != "" {
			m.Error = why
		}
		m.remember(was)
		return m
	}
	for _, v := range m.Versions {
		if v.Reason != "" {
			m.Warnings = append(m.Warnings, "version "+v.Number+": "+v.Reason)
		}
	}
	config, err := c.source.Config(ctx, name)
	if err != nil {
		m.Error = "its config cannot be read: " + text(err)
		m.index = "" // unlike any index: tried again at the next look
		m.remember(was)
		return m
	}
	m.Config = config
	m.samples = samples(m.Dir)
	labeler, _ := c.source.(Labeler)
	if err := m.describe(labels, labeler, was); err != nil {
		m.keepTask(err, was, key)
	}
	return m
}

// remember shows what was known of a model that is not ready now.
func (m *Model) remember(was *Model) {
	if was != nil {
		m.Spec, m.Labels, m.Config, m.Source, m.TaskDigest, m.samples = was.Spec, was.Labels, was.Config, was.Source, was.TaskDigest, was.samples
	}
}

// kept starts the warning of keepTask.
const kept = "the earlier task still serves, because what is there now cannot be used: "

// keepTask handles a task that cannot be used. As with a model's own files, a bad edit does not take away what serves: if it is the only change, the
// earlier task stays, with a warning.
func (m *Model) keepTask(err error, was *Model, key string) {
	problem := text(err)
	if was == nil || was.Error != "" || was.index != key {
		m.Error = problem
		return
	}
	files := m.files
	*m = *was
	m.files = files
	m.Warnings = slices.DeleteFunc(slices.Clone(was.Warnings), func(w string) bool { return strings.HasPrefix(w, kept) })
	m.Warnings = append(m.Warnings, kept+problem)
}

// describe finds the task, completes it from the config and loads the labels.
func (m *Model) describe(ctx context.Context, labeler Labeler, was *Model) error {
	if m.Config.ResponseCache {
		m.Warnings = append(m.Warnings, "response_cache is on in config.pbtxt: where Triton runs with a cache, it goes on answering from the old weights after a reload. Turn it off; the gateway's cache notices reloads")
	}
	source, err := m.task()
	if err != nil {
		return err
	}
	if m.Spec != nil {
		warnings, err := m.Spec.Complete(m.Config)
		m.Warnings = append(m.Warnings, warnings...)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Source, err)
		}
	} else {
		var warnings []string
		m.Source = FromGuess
		m.Spec, warnings = task.Guess(m.Config)
		m.Warnings = append(m.Warnings, warnings...)
	}
	if err := m.findLabels(ctx, labeler, was); err != nil {
		return err
	}
	m.Warnings = append(m.Warnings, m.Spec.CheckLabels(m.Config, m.Labels)...)
	m.TaskDigest = digest(m.Source, source, m.Labels)
	return nil
}

// task reads the task's text from task.yaml, else from the config's parameter; "" if there is neither.
func (m *Model) task() (string, error) {
	source, err := readTask(m.Dir)
	if err != nil {
		return "", err
	}
	m.Source = FromFile
	if source == "" {
		source, m.Source = m.Config.Parameters["task"], FromParameter
	}
	if strings.TrimSpace(source) == "" && m.Source == FromParameter {
		m.Source = ""
		return "", nil
	}
	m.Spec, err = task.Parse([]byte(source))
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.Source, err)
	}
	return source, nil
}

// readTask reads task.yaml; "" where there is none. An empty file gives one blank, which Parse refuses with a word on what it needs.
func readTask(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	f, err := os.Open(filepath.Join(dir, FromFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", errors.New("task.yaml cannot be opened")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, task.MaxBytes+1)) // Parse refuses more than MaxBytes
	if err != nil {
		return "", errors.New("task.yaml cannot be read")
	}
	if len(data) == 0 {
		return " ", nil
	}
	return string(data), nil
}

// digest is the SHA-256 over the parts with their lengths.
func digest(source, text string, labels []string) (sum [32]byte) {
	h := sha256.New()
	for _, part := range append([]string{source, text}, labels...) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Sum(sum[:0])
	return sum
}

// text is what of an error may be shown to callers.
func text(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Detail
	}
	var path *fs.PathError
	if errors.As(err, &path) { // without the server's path
		return strings.ReplaceAll(err.Error(), path.Path, filepath.Base(path.Path))
	}
	return err.Error()
}
