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

// quality of the JPEGs, as cameras and phones use it.
const quality = 90

// drawTo finds the contrast of the detail that gives a JPEG of about the wanted size, within a twentieth.
func drawTo(width, height, size int) ([]byte, error) {
	low, high := 0.0, 24.0
	var data []byte
	for range 12 {
		contrast := (low + high) / 2
		var b bytes.Buffer
		if err := jpeg.Encode(&b, draw(width, height, contrast), &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		data = b.Bytes()
		switch {
		case len(data) > size+size/20:
			high = contrast
		case len(data) < size-size/20:
			low = contrast
		default:
			return data, nil
		}
	}
	return data, nil
}

// draw gives smooth colours, a big disc, and detail of all sizes: octaves of noise whose strength falls with their frequency, as it does in
// natural pictures (Field 1987, "Relations between the statistics of natural images and the response properties of cortical cells").
func draw(width, height int, contrast float64) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	detail := make([]float32, width*height)
	for cell := 256; cell >= 1; cell /= 2 {
		addOctave(detail, width, height, cell, float32(contrast)*float32(math.Sqrt(float64(cell))))
	}
	cx, cy, r := float64(width)*0.45, float64(height)*0.55, float64(height)*0.3
	for y := range height {
		for x := range width {
			v := 110 + 30*math.Sin(float64(x)/97) + 20*math.Cos(float64(y)/71)
			if math.Hypot(float64(x)-cx, float64(y)-cy) < r {
				v = 215
			}
			m.Y[m.YOffset(x, y)] = clamp(v + float64(detail[y*width+x]))
			c := m.COffset(x, y)
			m.Cb[c], m.Cr[c] = clamp(128+50*math.Sin(float64(x+y)/311)), clamp(128+50*math.Cos(float64(x-y)/277))
		}
	}
	return m
}

// addOctave adds noise whose features are cell pixels large: random values on a grid, and straight lines between them.
func addOctave(dst []float32, width, height, cell int, strength float32) {
	random := rand.New(rand.NewPCG(1, uint64(cell)))
	columns := width/cell + 2
	grid := make([]float32, columns*(height/cell+2))
	for i := range grid {
		grid[i] = (random.Float32() - 0.5) * strength
	}
	for y := range height {
		top, fy := grid[y/cell*columns:], float32(y%cell)/float32(cell)
		bottom := top[columns:]
		for x := range width {
			i, fx := x/cell, float32(x%cell)/float32(cell)
			a, b := top[i]+(top[i+1]-top[i])*fx, bottom[i]+(bottom[i+1]-bottom[i])*fx
			dst[y*width+x] += a + (b-a)*fy
		}
	}
}

func clamp(v float64) uint8 { return color.Gray{Y: uint8(min(max(v, 0), 255))}.Y }

// withComment puts a COM segment of 8 bytes behind the start of a JPEG, and says where its bytes are.
func withComment(data []byte) ([]byte, int) {
	segment := []byte{0xff, 0xfe, 0, 10, 'n', 'o', ' ', 's', 'e', 'r', 'i', 'a'}
	out := append(append(append([]byte{}, data[:2]...), segment...), data[2:]...)
	return out, 2 + 4
}
