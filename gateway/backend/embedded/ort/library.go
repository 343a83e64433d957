package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNoLibrary says that ONNX Runtime's shared library was not found or cannot be used.
var ErrNoLibrary = errors.New("ONNX Runtime is not available")

// MinVersion is the oldest ONNX Runtime that works: the binding asks for version 24 of its C API.
const MinVersion = "1.24"

// Find gives the path of ONNX Runtime's shared library. A path that is named must be there. Otherwise the places are, in this order:
// beside the running program, .cache/onnxruntime below the working directory or below the folder above the program (where
// `make` puts it), and the system's library folders.
func Find(named string) (string, error) {
	if named != "" {
		if err := isFile(named); err != nil {
			return "", fmt.Errorf("%w: %w; correct the path, or leave it out to search the usual places", ErrNoLibrary, err)
		}
		return named, nil
	}
	tried := []string{}
	for _, dir := range folders() {
		for _, name := range libraryNames() {
			path := filepath.Join(dir, name)
			if isFile(path) == nil {
				return path, nil
			}
			tried = append(tried, path)
		}
		if matches, _ := filepath.Glob(filepath.Join(dir, "libonnxruntime.so.*")); len(matches) > 0 {
			return matches[len(matches)-1], nil
		}
	}
	return "", fmt.Errorf("%w: no library at %s; run `make deps`, or put libonnxruntime.so (%s or newer) beside the program, or name its path, or use a Triton instead",
		ErrNoLibrary, strings.Join(tried, ", "), MinVersion)
}

func folders() []string {
	var dirs []string
	if program, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(program); err == nil {
			program = resolved
		}
		dirs = append(dirs, filepath.Dir(program))
		dirs = append(dirs, filepath.Join(filepath.Dir(program), "..", ".cache", "onnxruntime"))
	}
	dirs = append(dirs, filepath.Join(".cache", "onnxruntime"))
	for _, dir := range []string{"/usr/local/lib", "/usr/lib/" + triple(), "/usr/lib", "/usr/lib64", "/opt/onnxruntime/lib"} {
		dirs = append(dirs, filepath.FromSlash(dir))
	}
	return dirs
}

// triple is the folder name of Debian's multiarch layout.
func triple() string {
	switch runtime.GOARCH {
	case "arm64":
		return "aarch64-linux-gnu"
	default:
		return "x86_64-linux-gnu"
	}
}

func libraryNames() []string {
	if runtime.GOOS == "darwin" {
		return []string{"libonnxruntime.dylib"}
	}
	return []string{"libonnxruntime.so"}
}

func isFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}
