package embedded

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"triton-gateway/modelconfig"
)

// maxModel bounds a model's own file: protobuf, and so ONNX, ends at 2 GiB. Weights beyond that lie in files of their own.
const maxModel = 2<<30 - 1

// files are the contents that one load of a version is made of.
type files struct {
	model  []byte
	folder string // the version's folder, if there are more files than the model's; "" otherwise
	epoch  string
}

// readConfig reads config.pbtxt; a folder without one gives no bytes.
func readConfig(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, "config.pbtxt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, modelconfig.MaxBytes+1)) // Parse refuses more than MaxBytes
}

// readVersion reads a version's model and takes its epoch: the SHA-256 of config.pbtxt and of every file of the version's folder,
// each with its name and length. It depends on contents alone, so every gateway on a copy of the same files has the same epoch, also
// after a restart. The model's bytes are hashed as they are handed to the session, not read twice.
func readVersion(dir, filename string, config []byte) (files, error) {
	var out files
	if filename == "" {
		filename = "model.onnx"
	}
	if !filepath.IsLocal(filename) {
		return out, fmt.Errorf("default_model_filename %q leaves the version's folder", filename)
	}
	digest := sha256.New()
	part(digest, "config.pbtxt", int64(len(config)))
	digest.Write(config)
	found := false
	err := walk(dir, "", 0, func(name string, size int64) error {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		part(digest, name, size)
		if name != filepath.Clean(filename) {
			out.folder = dir
			n, err := io.Copy(digest, f)
			if err == nil && n != size {
				err = errChanged
			}
			return err
		}
		found = true
		if size > maxModel {
			return fmt.Errorf("%s has %d bytes; an ONNX file ends at 2 GiB: export it with the weights in a file of their own", name, size)
		}
		out.model = make([]byte, size)
		if _, err := io.ReadFull(f, out.model); err != nil {
			return errChanged
		}
		digest.Write(out.model)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("no file %s in the version's folder", filename)
	}
	out.epoch = hex.EncodeToString(digest.Sum(nil))
	return out, err
}

var errChanged = errors.New("the files changed while they were read")

// part starts one file in the digest, so that no two sets of files give the same bytes.
func part(h hash.Hash, name string, size int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(len(name)))
	binary.LittleEndian.PutUint64(b[8:], uint64(size))
	h.Write(b[:])
	h.Write([]byte(name))
}

// walk visits the regular files below dir in the order of their names, links followed.
func walk(dir, below string, depth int, visit func(name string, size int64) error) error {
	entries, err := os.ReadDir(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := filepath.Join(below, entry.Name())
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			return err
		case info.IsDir() && entry.Name() == bytecode:
		case info.IsDir() && depth < maxDepth:
			err = walk(dir, name, depth+1, visit)
		case info.Mode().IsRegular():
			err = visit(name, info.Size())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
