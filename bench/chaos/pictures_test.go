package chaos

import (
	"bytes"
	"encoding/json"
	"image/png"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

func TestFreshPicturesAreTheSameInOtherBytes(t *testing.T) {
	list, err := readPictures(parts.Root(t))
	if err != nil || len(list) != len(pictureNames) {
		t.Fatalf("%d %v", len(list), err)
	}
	for _, p := range list {
		want, err := png.Decode(bytes.NewReader(p.bytes))
		if err != nil {
			t.Fatal(err)
		}
		one, other := p.fresh("1"), p.fresh("2")
		got, err := png.Decode(bytes.NewReader(one)) // checks the sums too
		if err != nil || got.Bounds() != want.Bounds() || bytes.Equal(one, other) || bytes.Equal(one, p.bytes) {
			t.Fatalf("%s: %v", p.name, err)
		}
		for y := range got.Bounds().Dy() {
			for x := range got.Bounds().Dx() {
				if got.At(x, y) != want.At(x, y) {
					t.Fatalf("%s differs at %d, %d", p.name, x, y)
				}
			}
		}
	}
}

func TestCheckOfAnAnswer(t *testing.T) {
	p := picture{name: "one.png", want: []prediction{{"circle", 0, 0.9}, {"star", 3, 0.1}}}
	for name, c := range map[string]struct {
		answer any
		wrong  string
	}{
		"right":          {p.want, ""},
		"last digits":    {[]prediction{{"circle", 0, 0.9005}, {"star", 3, 0.0995}}, ""},
		"another label":  {[]prediction{{"square", 0, 0.9}, {"star", 3, 0.1}}, "prediction 0"},
		"another index":  {[]prediction{{"circle", 0, 0.9}, {"star", 2, 0.1}}, "prediction 1"},
		"another score":  {[]prediction{{"circle", 0, 0.89}, {"star", 3, 0.1}}, "prediction 0"},
		"one too few":    {p.want[:1], "1 predictions, not 2"},
		"something else": {"none", "no JSON"},
	} {
		text, err := json.Marshal(map[string]any{"predictions": c.answer})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.check(text); (c.wrong == "") != (got == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
