package modelconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Load reads a model's folder: its config.pbtxt, and the versions that are there, lowest first (see VersionPolicy.Select for
// those that are served). A folder without a config.pbtxt gives a Config that has a name alone, for Complete to fill in.
// A config that names no backend gets onnxruntime where a version holds a model.onnx.
func Load(dir string) (*Config, []int64, error) {
	name := filepath.Base(filepath.Clean(dir))
	versions, err := Versions(dir)
	if err != nil {
		return nil, nil, err
	}
	text, err := read(filepath.Join(dir, "config.pbtxt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("model %q: %w", name, err)
	}
	c, err := Parse(name, text)
	if err != nil {
		return nil, versions, err
	}
	if c.Platform == "onnxruntime_onnx" && c.Backend == "" {
		c.Backend = "onnxruntime"
	}
	if c.Platform == "" && c.Backend == "" && slices.ContainsFunc(versions, func(v int64) bool {
		_, err := os.Stat(filepath.Join(dir, strconv.FormatInt(v, 10), "model.onnx"))
		return err == nil
	}) {
		c.Backend = "onnxruntime"
	}
	return c, versions, nil
}

// Versions lists the version folders of a model, lowest first. By Triton's rules a version is a folder (or a link to one)
// whose name is a whole number without leading zeros; everything else is ignored.
func Versions(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("model folder: %w", err)
	}
	return VersionsAmong(dir, entries), nil
}

// VersionsAmong is Versions for a folder whose entries have been read already.
func VersionsAmong(dir string, entries []os.DirEntry) []int64 {
	var versions []int64
	for _, entry := range entries {
		v, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil || v < 0 || strconv.FormatInt(v, 10) != entry.Name() {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.IsDir() {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	return versions
}

// read reads a file of at most MaxBytes.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("config.pbtxt is larger than %d bytes", MaxBytes)
	}
	return data, nil
}
