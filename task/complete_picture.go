package task

import (
	"slices"

	"triton-gateway/modelconfig"
)

// picture completes layout, color and preprocess from an input that takes a picture.
func (c *completion) picture(io *modelconfig.IO) {
	dims, ok := c.item(io, 3)
	if !ok {
		c.faults.add("input", "the config gives %q the dims %v; a picture needs [channels, height, width] or [height, width, channels]%s",
			io.Name, io.Dims, c.batchHint())
		return
	}
	if !c.layout(io, dims) {
		return
	}
	channels, height, width := dims[0], dims[1], dims[2]
	if c.spec.Input.Layout == "NHWC" {
		height, width, channels = dims[0], dims[1], dims[2]
	}
	if !c.color(channels) {
		return
	}
	c.preprocess(height, width)
	if n, columns := channels*height*width, len(c.spec.Input.Columns); columns > 0 && channels > 0 && height > 0 && width > 0 && n != int64(columns) {
		c.faults.add("input.columns", "%d columns are named, the model takes %v, which are %d values", columns, dims, n)
	}
}

// layout takes the config's format, else finds the dimension that is 1 or 3.
func (c *completion) layout(io *modelconfig.IO, dims []int64) bool {
	want := map[string]string{"FORMAT_NCHW": "NCHW", "FORMAT_NHWC": "NHWC"}[io.Format]
	in := &c.spec.Input
	if in.Layout == "" {
		in.Layout = want
	}
	if want != "" && in.Layout != want {
		c.faults.add("input.layout", "the task says %s, the config %s", in.Layout, io.Format)
		return false
	}
	if in.Layout != "" {
		return true
	}
	first, last := dims[0] == 1 || dims[0] == 3, dims[2] == 1 || dims[2] == 3
	switch {
	case first && !last:
		in.Layout = "NCHW"
	case last && !first:
		in.Layout = "NHWC"
	default:
		c.faults.add("input.layout", "the dims %v don't tell the layout; write NCHW or NHWC", dims)
	}
	return in.Layout != ""
}

// color fills in the channels' order, or checks that their number fits.
func (c *completion) color(channels int64) bool {
	in := &c.spec.Input
	switch {
	case channels == -1 && in.Color == "":
		in.Color = "RGB"
		c.warn("input.color: the config leaves the number of channels open; RGB is assumed")
	case channels == -1:
	case channels == 3 && in.Color == "":
		in.Color = "RGB"
	case channels == 1 && in.Color == "":
		in.Color = "GRAY"
	case channels != 1 && channels != 3:
		c.faults.add("input.color", "the model takes %d channels with layout %s; pictures have 3 (RGB, BGR) or 1 (GRAY)", channels, in.Layout)
		return false
	case (channels == 1) != (in.Color == "GRAY"):
		c.faults.add("input.color", "the task says %s, the model takes %d channels", in.Color, channels)
		return false
	}
	return true
}

// preprocess fills in the steps. height and width are the input's, -1 where they vary.
func (c *completion) preprocess(height, width int64) {
	s := c.spec
	if s.Preprocess == nil {
		s.Preprocess = new(Preprocess)
		c.warn("preprocess: not given; pictures are resized to the input's size, see the effective settings")
	}
	p := s.Preprocess
	fill(&p.Decode, "exact")
	fill(&p.Exif, "apply")
	box := s.Output.Head == "yolov8" || s.Output.Head == "yolov5" || s.Output.Head == "end2end"
	if p.Resize.Mode == "" && box {
		p.Resize.Mode = "letterbox"
	}
	fill(&p.Resize.Mode, "stretch")
	if p.Resize.Mode == "letterbox" {
		fill(&p.Resize.Resample, "cv2-linear")
		if p.Resize.Pad == nil {
			gray := 114
			p.Resize.Pad = &gray
		}
	}
	if p.Resize.Mode != "none" {
		fill(&p.Resize.Resample, "pil-bilinear")
	}
	if p.Crop != nil {
		fill(&p.Crop.Round, "even")
	}
	if p.Scale == 0 {
		p.Scale = 1
		switch {
		case s.Input.DType == "UINT8":
		case p.Mean == nil && p.Std == nil:
			c.warn("preprocess.scale: not given; pixel values 0 to 255 go in as they are")
		case small(p.Mean) && small(p.Std):
			c.warn("preprocess.scale: not given, and mean and std are of values from 0 to 1; if the model was trained on those, as most are, write scale: 1/255")
		}
	}
	c.sizes(p, height, width)
}

// small reports whether all numbers are as those of pixel values from 0 to 1.
func small(list Numbers) bool {
	return !slices.ContainsFunc(list, func(n float64) bool { return n > 1 })
}

// sizes fills in sizes from the input's, and checks that what comes out fits it.
func (c *completion) sizes(p *Preprocess, height, width int64) {
	fixed := height > 0 && width > 0 && height <= maxSide && width <= maxSide
	var own Size
	if fixed {
		own = Size{int(height), int(width)}
	}
	if p.Crop != nil && p.Crop.Size == (Size{}) {
		p.Crop.Size = own
		if !fixed {
			c.faults.add("preprocess.crop.size", "the model takes any size; say which")
		}
	}
	r := &p.Resize
	if r.Size == (Size{}) && r.Mode != "none" {
		r.Size = p.cropSize()
		if r.Size == (Size{}) {
			r.Size = own
		}
		edge := r.Mode == "shortest-edge" || r.Mode == "longest-edge"
		if r.Size == (Size{}) || edge && r.Size.Height != r.Size.Width {
			c.faults.add("preprocess.resize.size", "the input's dims don't tell the size; say which")
			return
		}
	}
	if crop := p.Crop; crop != nil && r.Mode != "none" && (r.Size.Height < crop.Size.Height || r.Size.Width < crop.Size.Width) {
		c.warn("preprocess.resize.size: [%d, %d] is smaller than crop.size, [%d, %d] (height, width); around the picture the rest is filled with 0",
			r.Size.Height, r.Size.Width, crop.Size.Height, crop.Size.Width)
	}
	out, known := p.OutputSize()
	switch {
	case !known && fixed && r.Mode == "none":
		c.warn("preprocess.resize: mode none: only pictures of exactly %d x %d pixels (width x height) can be fed", width, height)
	case !known && fixed:
		c.faults.add("preprocess.resize.mode", "%s gives each picture its own size, the model takes [%d, %d]; add `crop`", r.Mode, height, width)
	case known && (height > 0 && int64(out.Height) != height || width > 0 && int64(out.Width) != width):
		c.faults.add("preprocess", "the steps give [%d, %d] (height, width), the model takes [%d, %d]", out.Height, out.Width, height, width)
	}
}

// OutputSize is the size in pixels that every picture has after the steps; false where it depends on the picture.
func (p *Preprocess) OutputSize() (Size, bool) {
	switch {
	case p.Crop != nil:
		return p.Crop.Size, true
	case p.Resize.Mode == "stretch", p.Resize.Mode == "letterbox", p.Resize.Mode == "longest-edge" && p.Resize.Pad != nil:
		return p.Resize.Size, true
	}
	return Size{}, false
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
