package gateway

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"unicode/utf8"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	// archiveRatio is how many times its packed size a file may have. Pictures are packed already; Deflate itself ends at 1032.
	archiveRatio = 100
	archiveSmall = 1 << 20 // bytes up to which a file may have any ratio
	archiveName  = 1024    // bytes of a file's name
	// archiveSlack is how many entries may be seen twice while the directory is looked for: its end is, and the shortest entry has 46 bytes.
	archiveSlack = 2048
	encrypted    = 0x1 | 0x40 | 0x2000 // flags of the format's chapter 4.4.4
)

// archiveLimits bound what is taken out of an archive.
type archiveLimits struct {
	items int   // files
	each  int64 // bytes of one
	total int64 // bytes of all
}

// archive is a zip whose directory has been checked: the files that are pictures, in its order.
type archive struct {
	files   []*zip.File
	largest int64 // bytes
	total   int64 // bytes
}

// openArchive reads the directory and refuses what is not to be unpacked: nothing has been unpacked yet, and only the directory is in memory.
func openArchive(file io.ReaderAt, size int64, l archiveLimits) (*archive, error) {
	guard := &directoryGuard{file: file, most: l.items + archiveSlack}
	z, err := zip.NewReader(guard, size)
	guard.ended = true // files are read through it too
	switch {
	case guard.many:
		return nil, tooManyFiles(l)
	case err != nil:
		return nil, badArchive("it is no zip archive, or is cut off: %v", err).Wrap(err)
	}
	a := &archive{}
	packed := int64(0)
	for _, f := range z.File {
		take, err := wanted(f)
		if err != nil {
			return nil, err
		}
		if !take {
			continue
		}
		bytes, from := f.UncompressedSize64, f.CompressedSize64
		switch {
		case bytes > uint64(l.each):
			return nil, fault.New(fault.TooLarge, "body_too_large", "the file %s in the zip has %d bytes; a picture has at most %d (limits.body)", shownName(f.Name), bytes, l.each).At("body", "a file is too large")
		case bytes > archiveSmall && bytes/archiveRatio > from:
			return nil, badArchive("the file %s unpacks to more than %d times its size; send pictures as they are", shownName(f.Name), archiveRatio)
		case from > uint64(size-packed):
			return nil, badArchive("its files overlap each other")
		case int64(bytes) > l.total-a.total:
			return nil, fault.New(fault.TooLarge, "body_too_large", "the files in the zip have more than %d bytes; hand them in as several jobs, or raise jobs.bytes", l.total).At("body", "too large")
		case len(a.files) == l.items:
			return nil, tooManyFiles(l)
		}
		packed += int64(from)
		a.total += int64(bytes)
		a.largest = max(a.largest, int64(bytes))
		a.files = append(a.files, f)
	}
	if len(a.files) == 0 {
		return nil, badArchive("it holds no pictures; folders, and files whose name begins with a dot, are left out")
	}
	return a, nil
}

// wanted tells whether a file is to be taken: folders and what desktops leave behind are not. The error says why the whole archive is refused.
func wanted(f *zip.File) (bool, error) {
	name := f.Name
	switch {
	case !cleanName(name):
		return false, badArchive("the name %s leads out of the archive, or is none; pack files by plain relative names", shownName(name))
	case strings.HasSuffix(name, "/") || f.Mode().IsDir() || leftBehind(name):
		return false, nil
	case f.Mode()&fs.ModeType != 0:
		return false, badArchive("%s is no file but a link or a device", shownName(name))
	case f.Flags&encrypted != 0:
		return false, badArchive("%s is encrypted; send it unencrypted", shownName(name))
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return false, badArchive("%s is packed by method %d; only Deflate and stored files are taken", shownName(name), f.Method)
	case packedName(name):
		return false, badArchive("%s is an archive inside the archive; pack the pictures themselves", shownName(name))
	}
	return true, nil
}

// cleanName reports whether a name stays below the folder that it would be unpacked in, on every system. Nothing is unpacked into a folder here; but names are shown,
// and people use them for files.
func cleanName(name string) bool {
	if name == "" || len(name) > archiveName || strings.ContainsAny(name, "\\\x00") || strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' {
		return false
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] == 0x7f {
			return false
		}
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if part == ".." || part == "" {
			return false
		}
	}
	return true
}

// leftBehind reports whether a file is none that a person put there.
func leftBehind(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return true
		}
	}
	switch strings.ToLower(path.Base(name)) {
	case "thumbs.db", "desktop.ini":
		return true
	}
	return false
}

func packedName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar":
		return true
	}
	return false
}

// inputs unpacks the files one by one.
func (a *archive) inputs() iter.Seq2[jobs.Input, error] {
	return func(yield func(jobs.Input, error) bool) {
		for _, f := range a.files {
			data, err := unpack(f)
			if !yield(jobs.Input{Kind: jobs.Image, Name: plainName(f.Name), Data: data}, err) || err != nil {
				return
			}
		}
	}
}

// unpack gives a file's bytes. Its size is what the directory says, and its checksum too, or it is an error.
func unpack(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, badArchive("the file %s cannot be unpacked", shownName(f.Name)).Wrap(err)
	}
	defer r.Close()
	data := make([]byte, f.UncompressedSize64)
	var more [1]byte
	if _, err = io.ReadFull(r, data); err == nil {
		_, err = io.ReadFull(r, more[:]) // the checksum is checked at the end
	}
	if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, badArchive("the file %s cannot be unpacked: it is damaged, cut off, or longer than the directory says", shownName(f.Name)).Wrap(err)
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return nil, badArchive("%s is an archive inside the archive; pack the pictures themselves", shownName(f.Name))
	}
	return data, nil
}

// plainName is a name in UTF-8; old programs write others.
func plainName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strings.ToValidUTF8(name, "?")
}

func shownName(name string) string { return fmt.Sprintf("%q", clip(name)) }

func badArchive(format string, args ...any) *fault.Error {
	e := fault.New(fault.Invalid, "invalid_request", "the zip cannot be taken: "+format, args...)
	return e.At("body", fmt.Sprintf(format, args...))
}

func tooManyFiles(l archiveLimits) error {
	return fault.New(fault.TooLarge, "body_too_large", "the zip has more than %d files; hand them in as several jobs, or raise jobs.items", l.items).At("body", "too many files")
}

// directoryGuard ends the reading of a directory that has too many entries. The reader of the standard library makes some 300 bytes of each, which a large file
// of nothing but short entries would turn into more memory than there is. Entries are counted by their signature: names that hold it count as well,
// which can only refuse too early.
type directoryGuard struct {
	file  io.ReaderAt
	most  int
	seen  int
	many  bool
	last  [3]byte // bytes before next, where the next read may go on
	next  int64
	ended bool
}

var directoryEntry = []byte("PK\x01\x02")

// ReadAt implements io.ReaderAt. It counts while the directory is read, one read after the other.
func (g *directoryGuard) ReadAt(p []byte, at int64) (int, error) {
	n, err := g.file.ReadAt(p, at)
	if g.ended {
		return n, err
	}
	g.seen += bytes.Count(p[:n], directoryEntry)
	if at == g.next && n > 0 { // a signature on the border of two reads
		g.seen += bytes.Count(append(g.last[:len(g.last):len(g.last)], p[:min(n, 3)]...), directoryEntry)
	}
	if n >= 3 {
		copy(g.last[:], p[n-3:n])
		g.next = at + int64(n)
	}
	if g.seen > g.most {
		g.many = true
		return 0, errors.New("too many entries")
	}
	return n, err
}
