package gateway

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// mediaTypes of the files that are served, by ending.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// digestMark stands in the pages for the digest of all files.
const digestMark = "{digest}"

// assets are the files of the pages by name. digest names all of them: it is part of their addresses, so that browsers never ask for one twice and
// never mix those of two gateways.
type assets struct {
	digest string
	files  map[string]*asset
}

// asset is one file. It is kept as it was embedded; the other form is made when it is first asked for.
type asset struct {
	kind             string
	etag, etagPacked string
	page             bool
	plain, packed    func() []byte // packed gives nil where compressing saves nothing
}

// readAssets takes in the files below a folder. Names that end in .gz are of files compressed already.
func readAssets(from fs.FS, folder string) (*assets, error) {
	a := &assets{files: map[string]*asset{}}
	bodies := map[string][]byte{}
	sum := sha256.New()
	err := fs.WalkDir(from, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind, ok := mediaTypes[path.Ext(strings.TrimSuffix(name, ".gz"))]
		if !ok {
			return nil
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		for _, part := range [][]byte{[]byte(name), body} { // with their lengths, so that no two sets of files read alike
			_, _ = sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			_, _ = sum.Write(part)
		}
		name = strings.TrimPrefix(name, folder+"/")
		bodies[name] = body
		a.files[strings.TrimSuffix(name, ".gz")] = &asset{kind: kind, page: path.Ext(name) == ".html"}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.digest = hex.EncodeToString(sum.Sum(nil)[:8])
	for name, body := range bodies {
		name, was := strings.CutSuffix(name, ".gz")
		f := a.files[name]
		if f.page {
			body = bytes.ReplaceAll(body, []byte(digestMark), []byte(a.digest))
		}
		f.hold(body, was)
	}
	return a, nil
}

// hold keeps a body, which was packed or was not.
func (f *asset) hold(body []byte, packed bool) {
	tag := etagOf(body)
	f.etag, f.etagPacked = tag, strings.TrimSuffix(tag, `"`)+`-gzip"`
	same := func() []byte { return body }
	if packed {
		f.packed, f.plain = same, sync.OnceValue(func() []byte { return gunzip(body) })
		return
	}
	f.plain, f.packed = same, sync.OnceValue(func() []byte { return gzipped(body) })
}

// gzipped compresses; nil where that saves nothing.
func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one that there is
	_, _ = z.Write(body)                                  // a Buffer takes everything
	_ = z.Close()
	if b.Len() >= len(body) {
		return nil
	}
	return b.Bytes()
}

// gunzip gives nil for what is not gzip.
func gunzip(packed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return body
}

// etagOf names content by its digest.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}
