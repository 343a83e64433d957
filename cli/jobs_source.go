package cli

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// picture is one file that is to be handed in. Its bytes are read when its turn comes.
type picture struct {
	name string // as it is shown and kept with the result: relative to what the command named
	size int64  // as its folder says
	open func() (io.ReadCloser, error)
}

// input is what the files of a submission come to.
type input struct {
	pictures []picture
	json     []string // files that are jobs of their own
	skipped  []string // files of folders and archives that are no pictures, by name
	bytes    int64
	archives []*zip.ReadCloser
}

// close ends the reading of archives.
func (in *input) close() {
	for _, a := range in.archives {
		_ = a.Close()
	}
}

// gather lists what the paths of a command name: a file is taken as it is; of a folder, with all below it, and of a zip archive the pictures are taken, in the order
// of their names, which is the same each time. Only names are held.
func gather(paths []string) (in *input, err error) {
	in = &input{}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return in, err
		}
		kind := strings.ToLower(filepath.Ext(path))
		switch {
		case info.IsDir():
			err = in.folder(path)
		case !info.Mode().IsRegular():
			err = fmt.Errorf("%s is neither a file nor a folder", path)
		case info.Size() == 0:
			err = fmt.Errorf("%s is empty", path)
		case kind == ".zip":
			err = in.archive(path)
		case kind == ".json":
			in.json = append(in.json, path)
			in.bytes += info.Size()
		default:
			in.add(filepath.ToSlash(path), info.Size(), func() (io.ReadCloser, error) { return os.Open(path) })
		}
		if err != nil {
			return in, err
		}
	}
	if len(in.pictures)+len(in.json) == 0 {
		return in, fmt.Errorf("there are no pictures in %s (names that end in .jpg, .jpeg, .png or .webp)", strings.Join(paths, ", "))
	}
	return in, nil
}

func (in *input) add(name string, size int64, open func() (io.ReadCloser, error)) {
	in.pictures = append(in.pictures, picture{name: strings.ToValidUTF8(name, "?"), size: size, open: open})
	in.bytes += size
}

// isPicture goes by the name. Hidden files are none, as those that some systems leave beside each picture.
func isPicture(name string) bool {
	base := filepath.Base(filepath.FromSlash(name))
	if strings.HasPrefix(base, ".") {
		return false
	}
	switch strings.ToLower(filepath.Ext(base)) {
	case ".jpg", ".jpeg", ".png", ".webp":
		return true
	}
	return false
}

func (in *input) folder(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return nil
		case !isPicture(path):
			in.skipped = append(in.skipped, path)
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && (!info.Mode().IsRegular() || info.Size() == 0):
			in.skipped = append(in.skipped, path)
			return nil
		case err != nil:
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		in.add(filepath.ToSlash(name), info.Size(), func() (io.ReadCloser, error) { return os.Open(path) })
		return nil
	})
}

// archive lists the pictures of a zip archive. Nothing is unpacked to the disk, so that names in it lead nowhere.
func (in *input) archive(path string) error {
	a, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in.archives = append(in.archives, a)
	for _, f := range a.File {
		switch {
		case f.FileInfo().IsDir():
		case !f.Mode().IsRegular() || !isPicture(f.Name) || f.UncompressedSize64 == 0 || f.UncompressedSize64 > 1<<40 || strings.HasPrefix(f.Name, "__MACOSX/"):
			in.skipped = append(in.skipped, f.Name)
		default:
			in.add(f.Name, int64(f.UncompressedSize64), f.Open)
		}
	}
	return nil
}

// read gives a picture's bytes. One that is larger than its folder said, or than most, is an error: a zip may claim anything.
func (p *picture) read(most int64) ([]byte, error) {
	f, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, min(p.size, most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", p.name, err)
	case int64(len(data)) > most:
		return nil, fmt.Errorf("%s has more than %d bytes", p.name, most)
	case int64(len(data)) != p.size:
		return nil, fmt.Errorf("%s has changed while it was read; it had %d bytes", p.name, p.size)
	}
	return data, nil
}
