//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math"
	"testing"
)

// photo draws something with a photo's mix of scales, edges and a little noise, as JPEG of quality 85, with an EXIF orientation.
// 1920x1080 is about 280 KB.
func photo(t testing.TB, width, height, orientation int) []byte {
	t.Helper()
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	state := uint32(1)
	random := func() float64 {
		state = state*1664525 + 1013904223
		return float64(state>>8) / (1 << 24)
	}
	noise := 11.0 // of the sensor
	unit := 6 / float64(max(width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)*unit, float64(y)*unit
			value := 128 + 40*math.Sin(3*u+math.Cos(2*v)) + 25*math.Sin(11*v-7*u) + 8*math.Sin(9*u*v)
			if math.Mod(u, 1.5) < 0.5 && math.Mod(v, 1.1) < 0.6 {
				value -= 60
			}
			img.Y[y*img.YStride+x] = byte(min(max(value+noise*(random()-0.5), 0), 255))
		}
	}
	for i := range img.Cb {
		x, y := float64(i%img.CStride)*2*unit, float64(i/img.CStride)*2*unit
		img.Cb[i], img.Cr[i] = byte(128+50*math.Sin(x+y)), byte(128+50*math.Cos(2*x-y))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return withExif(b.Bytes(), orientation)
}

// withExif puts an APP1 with an orientation after the start marker.
func withExif(jpeg []byte, orientation int) []byte {
	app1 := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	binary.BigEndian.PutUint16(app1[28:], uint16(orientation))
	return append(append(append([]byte{}, jpeg[:2]...), app1...), jpeg[2:]...)
}
