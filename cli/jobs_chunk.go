package cli

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"path"
	"strconv"
	"strings"
)

// chunk is what one job is made of.
type chunk struct {
	pictures []picture
	json     string // the path of a JSON file; then there are no pictures
	single   bool   // one picture that was named: its document is the result
}

// names are those of the items, as results are shown; nil where they are not known.
func (c *chunk) names() []string {
	var out []string
	for _, p := range c.pictures {
		out = append(out, p.name)
	}
	return out
}

// chunks cuts the input into jobs of at most count pictures and about size bytes, always at the same places. A picture that is larger is alone.
func (in *input) chunks(count int, size int64) iter.Seq[*chunk] {
	return func(yield func(*chunk) bool) {
		for _, path := range in.json {
			if !yield(&chunk{json: path}) {
				return
			}
		}
		single := len(in.pictures) == 1 && len(in.json) == 0
		for at := 0; at < len(in.pictures); {
			end, sum := at, int64(0)
			for end < len(in.pictures) && end-at < count && (end == at || sum+in.pictures[end].size <= size) {
				sum += in.pictures[end].size
				end++
			}
			if !yield(&chunk{pictures: in.pictures[at:end], single: single}) {
				return
			}
			at = end
		}
	}
}

// mostBody is the largest that is read into memory to be sent.
const mostBody = 1 << 30

// body reads the chunk and gives what to send, and a digest of all that is in it: the same files make the same body, bit by bit.
func (c *chunk) body() (body []byte, contentType, digest string, err error) {
	switch {
	case c.json != "":
		if body, err = readInput(c.json); err != nil {
			return nil, "", "", err
		}
		contentType = "application/json"
	case c.single:
		if body, err = c.pictures[0].read(mostBody); err != nil {
			return nil, "", "", err
		}
		contentType = "application/octet-stream" // the gateway looks at the bytes
	default:
		if body, err = c.zip(); err != nil {
			return nil, "", "", err
		}
		contentType = "application/zip"
	}
	sum := sha256.Sum256(body)
	return body, contentType, hex.EncodeToString(sum[:]), nil
}

// zip packs the pictures, not compressed: they are already.
func (c *chunk) zip() ([]byte, error) {
	var b bytes.Buffer
	size := 1 << 10
	for _, p := range c.pictures {
		size += int(min(p.size, mostBody)) + 2*len(p.name) + 128
	}
	b.Grow(min(size, mostBody))
	w := zip.NewWriter(&b)
	used := map[string]bool{}
	for i := range c.pictures {
		p := &c.pictures[i]
		data, err := p.read(mostBody - int64(b.Len()))
		if err != nil {
			return nil, err
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: packed(p.name, used), Method: zip.Store})
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// packed makes a name that is allowed in an archive, and that has not been used in it.
func packed(name string, used map[string]bool) string {
	name = strings.ReplaceAll(strings.ReplaceAll(name, `\`, "/"), "\x00", "?")
	name = strings.TrimPrefix(path.Clean("/"+strings.ToValidUTF8(name[max(0, len(name)-900):], "")), "/") // after the cut: it may begin anew
	if name == "" {
		name = "item"
	}
	ending := path.Ext(name)
	out := name
	for n := 2; used[out]; n++ {
		out = strings.TrimSuffix(name, ending) + "-" + strconv.Itoa(n) + ending
	}
	used[out] = true
	return out
}
