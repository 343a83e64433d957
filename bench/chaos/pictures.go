package chaos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
)

// picture is one whose answer is known, from the model's own expected values.
type picture struct {
	name  string
	bytes []byte
	want  []prediction
}

type prediction struct {
	Label string
	Index int
	Score float64
}

// pictureNames are PNGs of the model shapes.
var pictureNames = []string{"square-1.png", "star-2.png", "triangle-1.png"}

// tolerance is how far a score may be from the expected one: another processor's last digits, not another answer.
const tolerance = 2e-3

func readPictures(root string) ([]picture, error) {
	folder := filepath.Join(root, "model_repository", "shapes", "golden")
	text, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		return nil, err
	}
	var expected struct {
		Files map[string]struct {
			Versions map[string]struct{ Predictions []prediction }
		}
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		return nil, err
	}
	var list []picture
	for _, name := range pictureNames {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		want := expected.Files[name].Versions["2"].Predictions // the newest answers where none is asked for
		if len(want) == 0 {
			return nil, fmt.Errorf("nothing is expected of %s", name)
		}
		list = append(list, picture{name, b, want})
	}
	return list, nil
}

// headEnd is where the first chunk of a PNG, its header, ends.
const headEnd = 8 + 8 + 13 + 4

// fresh is the same picture in bytes that no other has: a comment is put in after the header. Its answer is the same, and no cache has it.
func (p picture) fresh(comment string) []byte {
	text := "tEXtComment\x00" + comment
	b := bytes.NewBuffer(make([]byte, 0, len(p.bytes)+len(text)+8))
	b.Write(p.bytes[:headEnd])
	_ = binary.Write(b, binary.BigEndian, uint32(len(text)-4))
	b.WriteString(text)
	_ = binary.Write(b, binary.BigEndian, crc32.ChecksumIEEE([]byte(text)))
	b.Write(p.bytes[headEnd:])
	return b.Bytes()
}

// check says what is wrong with a document of infer; "" where nothing is.
func (p picture) check(document []byte) string {
	var got struct{ Predictions []prediction }
	if err := json.Unmarshal(document, &got); err != nil {
		return "no JSON: " + err.Error()
	}
	if len(got.Predictions) != len(p.want) {
		return fmt.Sprintf("%s: %d predictions, not %d", p.name, len(got.Predictions), len(p.want))
	}
	for i, w := range p.want {
		g := got.Predictions[i]
		if g.Label != w.Label || g.Index != w.Index || !(math.Abs(g.Score-w.Score) <= tolerance) { // not a number is wrong too
			return fmt.Sprintf("%s: prediction %d is %v, not %v", p.name, i, g, w)
		}
	}
	return ""
}
