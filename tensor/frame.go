package tensor

// Frame says where the pixels of an image tensor come from, so that a result can be drawn on the picture that a person sees.
//
//	tensor_x = source_x*ScaleX + OffsetX        source_x = (tensor_x - OffsetX)/ScaleX
//
// and the same for y. Coordinates are continuous (the left edge of the first pixel is 0), not pixel indices.
type Frame struct {
	SourceWidth, SourceHeight int     // the picture as a person sees it, EXIF applied where the model's task.yaml says so; pixels
	Width, Height             int     // the tensor, pixels
	ScaleX, ScaleY            float64 // tensor pixels per source pixel, > 0
	OffsetX, OffsetY          float64 // tensor pixels: letterbox padding is positive, a centre crop negative
}

// ToSource maps a point of the tensor to the source picture. The result is not clipped.
func (f Frame) ToSource(x, y float64) (float64, float64) {
	return (x - f.OffsetX) / f.ScaleX, (y - f.OffsetY) / f.ScaleY
}

// Clip limits a point of the source picture to [0, SourceWidth] x [0, SourceHeight]. NaN becomes 0.
func (f Frame) Clip(x, y float64) (float64, float64) {
	return clip(x, float64(f.SourceWidth)), clip(y, float64(f.SourceHeight))
}

func clip(v, high float64) float64 {
	switch {
	case v > high:
		return high
	case v > 0:
		return v
	default: // negative and NaN
		return 0
	}
}
