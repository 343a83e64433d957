package preprocess

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

var pilMethods = []string{"pil-box", "pil-bilinear", "pil-hamming", "pil-bicubic", "pil-lanczos"}

// naive is the textbook form: each output by its window, one pass after the other with a picture in between.
func naive(src Pixels, method string, width, height int) Pixels {
	f := pilFilter(method)
	if width != src.Width {
		ws := windows(f, src.Width, 0, float64(src.Width), width, 0, width)
		out := Pixels{width, src.Height, src.Channels, make([]byte, width*src.Height*src.Channels)}
		for i := range out.Data {
			c, x, y := i%src.Channels, i/src.Channels%width, i/src.Channels/width
			sum := int32(0)
			for j, coef := range ws[x].coefs {
				sum += coef * int32(src.Data[(y*src.Width+ws[x].from+j)*src.Channels+c])
			}
			out.Data[i] = clip8(sum)
		}
		src = out
	}
	if height != src.Height {
		ws := windows(f, src.Height, 0, float64(src.Height), height, 0, height)
		out := Pixels{width, height, src.Channels, make([]byte, width*height*src.Channels)}
		stride := width * src.Channels
		for i := range out.Data {
			y := i / stride
			sum := int32(0)
			for j, coef := range ws[y].coefs {
				sum += coef * int32(src.Data[(ws[y].from+j)*stride+i%stride])
			}
			out.Data[i] = clip8(sum)
		}
		src = out
	}
	return src
}

func randomPixels(seed uint64, width, height, channels int) Pixels {
	r := rand.New(rand.NewPCG(seed, 1))
	px := Pixels{width, height, channels, make([]byte, width*height*channels)}
	for i := range px.Data {
		px.Data[i] = byte(r.Uint32())
		if r.IntN(3) == 0 { // hard edges make the filters overshoot
			px.Data[i] = byte(r.IntN(2) * 255)
		}
	}
	return px
}

// A stream, whatever paths it takes inside, gives what the textbook form gives for the upright picture; a part is the same part.
func TestStreamEqualsTextbook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 400))
		channels := rapid.SampledFrom([]int{1, 3}).Draw(t, "channels")
		src := randomPixels(rapid.Uint64().Draw(t, "seed"), side.Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height"), channels)
		orientation := rapid.IntRange(1, 8).Draw(t, "orientation")
		method := rapid.SampledFrom(pilMethods).Draw(t, "method")
		upright := Orient(src, orientation, nil)
		out := size{rapid.IntRange(1, 90).Draw(t, "to width"), rapid.IntRange(1, 90).Draw(t, "to height")}
		x0, y0 := rapid.IntRange(0, out.width-1).Draw(t, "x"), rapid.IntRange(0, out.height-1).Draw(t, "y")
		x1, y1 := rapid.IntRange(x0+1, out.width).Draw(t, "x1"), rapid.IntRange(y0+1, out.height).Draw(t, "y1")

		j := job{orientation: orientation, header: Header{Width: src.Width, Height: src.Height}, scaleNum: 8, transform: &transform{method: method}}
		j.geometry = geometry{width: upright.Width, height: upright.Height, resized: out, part: rect{point{x0, y0}, size{x1 - x0, y1 - y0}}}
		cols, rows := j.spans()
		s := newStream(newLines(method, cols), newLines(method, rows), src.Width, channels, transposed(orientation), nil, make([]byte, (x1-x0)*(y1-y0)*channels), fastRows() && rapid.Bool().Draw(t, "quick"))
		for rest := src.Data; len(rest) > 0; { // in uneven strips
			n := min(rapid.IntRange(1, 20).Draw(t, "rows"), len(rest)/(src.Width*channels)) * src.Width * channels
			s.write(rest[:n])
			rest = rest[n:]
		}
		got := Orient(s.out, orientation, nil)

		whole := naive(upright, method, out.width, out.height)
		want := Pixels{x1 - x0, y1 - y0, channels, nil}
		for y := y0; y < y1; y++ {
			want.Data = append(want.Data, whole.Data[(y*out.width+x0)*channels:(y*out.width+x1)*channels]...)
		}
		if got.Width != want.Width || got.Height != want.Height || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("%s of %d x %d x %d, orientation %d, to %v part %d..%d, %d..%d: differs", method, src.Width, src.Height, channels, orientation, out, x0, x1, y0, y1)
		}
	})
}

// Pairs of sums come apart as they were put together, and adding pairs adds both halves.
func TestPairsOfSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int32Range(-1<<30, 1<<30).Draw(t, "a"), rapid.Int32Range(-1<<30, 1<<30).Draw(t, "b")
		c, d := rapid.Int32Range(-1<<29, 1<<29).Draw(t, "c"), rapid.Int32Range(-1<<29, 1<<29).Draw(t, "d")
		sum := pair(a, b) + pair(c, d)
		if low(sum) != a+c || high(sum) != b+d {
			t.Fatalf("(%d, %d) + (%d, %d) = (%d, %d)", a, b, c, d, low(sum), high(sum))
		}
	})
}

func TestOrientIsUndoneByItsInverse(t *testing.T) {
	inverse := [...]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for _, s := range []size{{1, 1}, {5, 3}, {33, 70}, {64, 32}} {
		for o := 1; o <= 8; o++ {
			for _, channels := range []int{1, 3} {
				src := randomPixels(3, s.width, s.height, channels)
				turned := Orient(src, o, nil)
				back := Orient(turned, inverse[o], nil)
				if back.Width != src.Width || !bytes.Equal(back.Data, src.Data) {
					t.Errorf("%v orientation %d, %d channels: not undone", s, o, channels)
				}
				if o > 1 && s.width*s.height > 1 && turned.Width == src.Width && bytes.Equal(turned.Data, src.Data) {
					t.Errorf("%v orientation %d: nothing was turned", s, o)
				}
			}
		}
	}
}
