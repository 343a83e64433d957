package catalog

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"triton-gateway/internal/fault"
)

const (
	// sampleFolder holds a model's sample pictures, below its folder.
	sampleFolder = "golden"
	maxSamples   = 100
	// MaxSampleBytes is the largest sample that is given out.
	MaxSampleBytes = 16 << 20
)

// Samples names the pictures in the model's folder golden, sorted.
func (m *Model) Samples() []string { return m.samples }

// Sample gives one of the pictures that Samples names. Errors: NotFound, TooLarge.
func (m *Model) Sample(name string) ([]byte, error) {
	missing := fault.New(fault.NotFound, "sample_not_found", "model %q has no sample %s", m.Name, quote(name))
	if !slices.Contains(m.samples, name) {
		return nil, missing
	}
	root, err := os.OpenRoot(filepath.Join(m.Dir, sampleFolder)) // links out of the folder are refused
	if err != nil {
		return nil, missing.Wrap(err)
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, missing.Wrap(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSampleBytes+1))
	if err != nil {
		return nil, missing.Wrap(err)
	}
	if len(data) > MaxSampleBytes {
		return nil, fault.New(fault.TooLarge, "sample_too_large", "sample %s of model %q is larger than 16 MiB", quote(name), m.Name)
	}
	return data, nil
}

func samples(dir string) []string {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, sampleFolder))
	if err != nil {
		return nil
	}
	var out []string
	for _, entry := range entries {
		switch strings.ToLower(filepath.Ext(entry.Name())) {
		case ".png", ".jpg", ".jpeg", ".webp":
			if plain(entry.Name()) && entry.Type().IsRegular() && len(out) < maxSamples {
				out = append(out, entry.Name())
			}
		}
	}
	return out
}
