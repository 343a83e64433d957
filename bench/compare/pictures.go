package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// picture is a JPEG with a comment segment whose bytes can be changed without changing a pixel: each value is another file.
type picture struct {
	name    string
	data    []byte
	counter int // where the 8 bytes that may be changed begin
}

// makePictures draws one picture for each size that cameras and screens have, of about the size in bytes that such photographs have.
func makePictures() ([]picture, error) {
	var list []picture
	for _, p := range []struct {
		name          string
		width, height int
		bytes         int
	}{
		{"640x480", 640, 480, 81_000},
		{"1080p-282K", 1920, 1080, 282_000},
		{"1080p", 1920, 1080, 544_000},
		{"12MP", 4000, 3000, 3_100_000},
	} {
		data, err := drawTo(p.width, p.height, p.bytes)
		if err != nil {
			return nil, err
		}
		commented, counter := withComment(data)
		list = append(list, picture{p.name, commented, counter})
	}
	return list, nil
}

// drawTo finds the amount of detail that gives a JPEG of about the wanted size, within a twentieth.
func drawTo(width, height, size int) ([]byte, error) {
	low, high := 0.0, 120.0
	var data []byte
	for range 12 {
		detail := (low + high) / 2
		var b bytes.Buffer
		if err := jpeg.Encode(&b, draw(width, height, detail), &jpeg.Options{Quality: 85}); err != nil {
			return nil, err
		}
		data = b.Bytes()
		switch {
		case len(data) > size+size/20:
			high = detail
		case len(data) < size-size/20:
			low = detail
		default:
			return data, nil
		}
	}
	return data, nil
}

// draw gives smooth colours, a big disc and noise of the given strength.
func draw(width, height int, detail float64) *image.YCbCr {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	cx, cy, r := float64(width)*0.45, float64(height)*0.55, float64(height)*0.3
	for y := range height {
		for x := range width {
			v := 110 + 60*math.Sin(float64(x)/97) + 40*math.Cos(float64(y)/71)
			if math.Hypot(float64(x)-cx, float64(y)-cy) < r {
				v = 235
			}
			m.Y[m.YOffset(x, y)] = clamp(v + detail*(random.Float64()-0.5))
			c := m.COffset(x, y)
			m.Cb[c], m.Cr[c] = clamp(128+50*math.Sin(float64(x+y)/311)), clamp(128+50*math.Cos(float64(x-y)/277))
		}
	}
	return m
}

func clamp(v float64) uint8 { return color.Gray{Y: uint8(min(max(v, 0), 255))}.Y }

// withComment puts a COM segment of 8 bytes behind the start of a JPEG, and says where its bytes are.
func withComment(data []byte) ([]byte, int) {
	segment := []byte{0xff, 0xfe, 0, 10, 'n', 'o', ' ', 's', 'e', 'r', 'i', 'a'}
	out := append(append(append([]byte{}, data[:2]...), segment...), data[2:]...)
	return out, 2 + 4
}
