package preprocess

import (
	"encoding/binary"
	"fmt"
	"math"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

// layout turns pixels into the bytes of a tensor, by one table for each channel of the tensor.
type layout struct {
	dtype    tensor.DType
	batch    bool // the shape begins with 1
	last     bool // channels last: NHWC
	channels int
	order    [3]int // the channel of the pixels that a channel of the tensor is
	single   [3][256]uint32
	short    [3][256]uint16
}

func newLayout(in task.Input, p *task.Preprocess) (*layout, error) {
	l := &layout{channels: 3, order: [3]int{0, 1, 2}}
	switch in.Layout {
	case "", "NCHW", "NHWC":
		l.batch = true
	case "CHW", "HWC":
	default:
		return nil, fmt.Errorf("input.layout: %q is none of NCHW, NHWC, CHW, HWC", in.Layout)
	}
	l.last = in.Layout == "NHWC" || in.Layout == "HWC"
	switch in.Color {
	case "", "RGB":
	case "BGR":
		l.order = [3]int{2, 1, 0}
	case "GRAY":
		l.channels = 1
	default:
		return nil, fmt.Errorf("input.color: %q is none of RGB, BGR, GRAY", in.Color)
	}
	name := in.DType
	if name == "" {
		name = "FP32"
	}
	l.dtype, _ = tensor.ParseDType(name)
	if l.dtype != tensor.FP32 && l.dtype != tensor.FP16 && l.dtype != tensor.Uint8 {
		return nil, fmt.Errorf("input.dtype: %q is none of FP32, FP16, UINT8, which pictures become", in.DType)
	}
	return l, l.fillTables(p)
}

// fillTables computes for each channel c of the tensor and each pixel value v
//
//	(float32(v*scale) - float32(mean[c])) / float32(std[c])
//
// v*scale in float64, the rest in float32: with scale 1/255 that is torchvision's ToTensor (v/255 in float32) and Normalize, and NumPy's
// (np.float32(v*scale) - np.float32(mean)) / np.float32(std), bit for bit. FP16 is that, rounded half to even. UINT8 takes no arithmetic.
func (l *layout) fillTables(p *task.Preprocess) error {
	scale := float64(p.Scale)
	if scale == 0 {
		scale = 1
	}
	for c := range l.channels {
		mean, err := channelValue("preprocess.mean", p.Mean, c, l.channels, 0)
		if err != nil {
			return err
		}
		std, err := channelValue("preprocess.std", p.Std, c, l.channels, 1)
		if err != nil {
			return err
		}
		if float32(std) == 0 {
			return fmt.Errorf("preprocess.std: channel %d is divided by 0", c)
		}
		if l.dtype == tensor.Uint8 && (scale != 1 || mean != 0 || std != 1) {
			return fmt.Errorf("preprocess: an input of UINT8 takes the pixels as they are: leave scale, mean and std away")
		}
		for v := range 256 {
			f := (float32(float64(v)*scale) - float32(mean)) / float32(std)
			if math.IsInf(float64(f), 0) || f != f {
				return fmt.Errorf("preprocess: scale %g, mean %g and std %g make no finite number of pixel value %d", scale, mean, std, v)
			}
			l.single[c][v] = math.Float32bits(f)
			l.short[c][v] = tensor16(f)
		}
	}
	return nil
}

func channelValue(place string, values task.Numbers, c, channels int, otherwise float64) (float64, error) {
	v := otherwise
	switch len(values) {
	case 0:
	case 1:
		v = values[0]
	case channels:
		v = values[c]
	default:
		return 0, fmt.Errorf("%s: has %d numbers, the picture has %d channel(s)", place, len(values), channels)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s: %g is not a finite number", place, v)
	}
	return v, nil
}

// shape is that of the tensor of a picture.
func (l *layout) shape(s size) []int64 {
	shape := []int64{int64(l.channels), int64(s.height), int64(s.width)}
	if l.last {
		shape = []int64{int64(s.height), int64(s.width), int64(l.channels)}
	}
	if l.batch {
		shape = append([]int64{1}, shape...)
	}
	return shape
}

// tensor16 rounds to IEEE 754 binary16, half to even, as NumPy's astype(float16) does it; too large becomes infinite.
func tensor16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, exponent, fraction := uint16(bits>>16&0x8000), int(bits>>23&0xff)-127, bits&0x7fffff
	switch {
	case exponent > 15:
		return sign | 0x7c00
	case exponent >= -14:
		// a carry out of the fraction goes into the exponent, which is right, up to infinity
		return sign + uint16(roundEven(uint32(exponent+15)<<23|fraction, 13))
	case exponent >= -25:
		return sign + uint16(roundEven(fraction|0x800000, uint(-1-exponent)))
	}
	return sign
}

// roundEven shifts right, rounding half to even.
func roundEven(v uint32, shift uint) uint32 {
	return (v + 1<<(shift-1) - 1 + v>>shift&1) >> shift
}

// put writes a picture of l.channels channels into a new tensor's bytes.
func (l *layout) put(px Pixels, g *geometry) []byte {
	dst := make([]byte, g.tensor.width*g.tensor.height*l.channels*l.dtype.Size())
	if !g.covers() {
		l.fill(dst, g.fill)
	}
	for y := range px.Height {
		src := px.Data[y*px.Width*px.Channels:][:px.Width*px.Channels]
		at := (g.at.y+y)*g.tensor.width + g.at.x
		if l.last {
			l.interleaved(dst, at*l.channels, src)
			continue
		}
		for c := range l.channels {
			l.plane(dst, c*g.tensor.width*g.tensor.height+at, c, src)
		}
	}
	return dst
}

// plane writes one channel of a line as elements at and following.
func (l *layout) plane(dst []byte, at, c int, src []byte) {
	step, from := l.channels, l.order[c]
	n := len(src) / step
	switch l.dtype {
	case tensor.FP32:
		table, dst := &l.single[c], dst[4*at:][:4*n]
		for x := from; x < len(src) && len(dst) >= 4; x += step {
			binary.LittleEndian.PutUint32(dst, table[src[x]])
			dst = dst[4:]
		}
	case tensor.FP16:
		table, dst := &l.short[c], dst[2*at:][:2*n]
		for i := range n {
			binary.LittleEndian.PutUint16(dst[2*i:], table[src[i*step+from]])
		}
	default:
		dst = dst[at:][:n]
		for i := range dst {
			dst[i] = src[i*step+from]
		}
	}
}

// interleaved writes a line with its channels side by side.
func (l *layout) interleaved(dst []byte, at int, src []byte) {
	for x := 0; x < len(src); x += l.channels {
		for c := range l.channels {
			v := src[x+l.order[c]]
			switch l.dtype {
			case tensor.FP32:
				binary.LittleEndian.PutUint32(dst[4*at:], l.single[c][v])
			case tensor.FP16:
				binary.LittleEndian.PutUint16(dst[2*at:], l.short[c][v])
			default:
				dst[at] = v
			}
			at++
		}
	}
}

// fill writes one gray level everywhere.
func (l *layout) fill(dst []byte, level byte) {
	n := len(dst) / l.dtype.Size()
	for i := range n {
		c := i % l.channels
		if !l.last {
			c = i / (n / l.channels)
		}
		switch l.dtype {
		case tensor.FP32:
			binary.LittleEndian.PutUint32(dst[4*i:], l.single[c][level])
		case tensor.FP16:
			binary.LittleEndian.PutUint16(dst[2*i:], l.short[c][level])
		default:
			dst[i] = level
		}
	}
}
