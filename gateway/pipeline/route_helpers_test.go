package pipeline

import (
	"bytes"
	"crypto/sha256"
	"image"
	"image/png"
	"testing"
)

func shaOf(data []byte) [32]byte { return sha256.Sum256(data) }

// widePicture is a PNG of two pixels.
func widePicture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
