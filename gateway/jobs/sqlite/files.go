package sqlite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"triton-gateway/internal/fault"
)

// A blob's file is folder/ab/DIGEST-SUFFIX. The suffix is new each time that a blob is put, so that the deletion of an old file, late as it may be, never hits
// the file of a blob that came back.
const temporary = ".tmp"

// writeFile writes a blob's file, and gives its name once it is on the disk: its bytes, and its entry in the folder.
func (s *Store) writeFile(digest string, data []byte) (name string, err error) {
	folder := filepath.Join(s.folder, digest[:2])
	name = digest[:2] + "/" + digest + "-" + rand.Text()[:10]
	path := filepath.Join(s.folder, name)
	if err := os.Mkdir(folder, 0o700); err == nil {
		err = syncFolder(s.folder)
	} else if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	f, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path + temporary)
			_ = os.Remove(path)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err == nil {
		err = syncFolder(folder)
	}
	return name, err
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// readFile reads a blob's file.
func (s *Store) readFile(name string, size int64) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "blob_not_found", "the bytes are not in the store's folder; no job needs them any more, or the folder was cleared").Wrap(err)
	}
	if err == nil && int64(len(data)) != size {
		err = fmt.Errorf("%s has %d bytes instead of %d", name, len(data), size)
	}
	return data, err
}

// removeFile deletes a blob's file that no row names. One that stays, because of a fault or a crash, is found by sweepFiles.
func (s *Store) removeFile(name string) { _ = os.Remove(filepath.Join(s.folder, name)) }

// strays gives the names of files in one part of the folder that have not been touched for two hours.
func (s *Store) strays(part byte) (names []string, err error) {
	shard := fmt.Sprintf("%02x", part)
	entries, err := os.ReadDir(filepath.Join(s.folder, shard))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	before := s.options.Now().Add(-2 * unnamed) // longer than a Put takes from its file to its row
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), shard) {
			continue
		}
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			names = append(names, shard+"/"+e.Name())
		}
	}
	return names, nil
}
