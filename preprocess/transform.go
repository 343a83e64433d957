package preprocess

import (
	"fmt"
	"strings"

	"triton-gateway/task"
)

// transform is the compiled preprocess section of a task.yaml.
type transform struct {
	mode      string // stretch, shortest-edge, longest-edge, letterbox or none
	size      size   // for an edge both are the edge; 0 x 0 with none means any
	method    string // resampler
	padded    bool   // longest-edge with a pad
	pad       byte
	crop      *size
	cropFloor bool
	exif      bool // apply
	fast      bool // scaled JPEG decoding
	gray      bool
}

// cv2Methods are the resamplers of an Engine.
const cv2Methods = " cv2-nearest cv2-linear cv2-cubic cv2-area cv2-lanczos "

// defaultPad is the gray of Ultralytics' letterbox.
const defaultPad = 114

func newTransform(p *task.Preprocess, gray bool) (*transform, error) {
	t := &transform{mode: p.Resize.Mode, method: p.Resize.Resample, gray: gray, size: size{p.Resize.Size.Width, p.Resize.Size.Height}}
	if t.size.width < 0 || t.size.height < 0 || (t.size.width == 0) != (t.size.height == 0) || max(t.size.width, t.size.height) > defaultSide {
		return nil, fmt.Errorf("preprocess.resize.size: %d x %d is not between 1 and %d", t.size.height, t.size.width, defaultSide)
	}
	if t.mode == "" {
		t.mode = "stretch"
		if t.size.width == 0 {
			t.mode = "none"
		}
	}
	if t.method == "" {
		t.method = "pil-bilinear"
		if t.mode == "letterbox" {
			t.method = "cv2-linear"
		}
	}
	if pilFilter(t.method) == nil && t.method != "pil-nearest" && !strings.Contains(cv2Methods, " "+t.method+" ") {
		return nil, fmt.Errorf("preprocess.resize.resample: %q is none of pil-{nearest,bilinear,bicubic,lanczos,box,hamming}, cv2-{nearest,linear,cubic,area,lanczos}", t.method)
	}
	if err := t.setMode(p); err != nil {
		return nil, err
	}
	if err := t.setCrop(p.Crop); err != nil {
		return nil, err
	}
	var err error
	if t.exif, err = oneOf("preprocess.exif", p.Exif, "apply", "ignore"); err != nil {
		return nil, err
	}
	exact, err := oneOf("preprocess.decode", p.Decode, "exact", "fast")
	t.fast = !exact
	return t, err
}

func (t *transform) setMode(p *task.Preprocess) error {
	switch t.mode {
	case "stretch", "letterbox":
	case "shortest-edge", "longest-edge":
		if t.size.width != t.size.height {
			return fmt.Errorf("preprocess.resize.size: %s takes one number, not [%d, %d]", t.mode, t.size.height, t.size.width)
		}
	case "none":
	default:
		return fmt.Errorf("preprocess.resize.mode: %q is none of stretch, shortest-edge, longest-edge, letterbox, none", t.mode)
	}
	if t.mode != "none" && t.size.width == 0 {
		return fmt.Errorf("preprocess.resize.size: missing, and mode %s needs it", t.mode)
	}
	t.pad = defaultPad
	if pad := p.Resize.Pad; pad != nil {
		if *pad < 0 || *pad > 255 {
			return fmt.Errorf("preprocess.resize.pad: %d is not a gray level between 0 and 255", *pad)
		}
		if t.mode != "letterbox" && t.mode != "longest-edge" {
			return fmt.Errorf("preprocess.resize.pad: mode %s does not pad", t.mode)
		}
		t.pad, t.padded = byte(*pad), t.mode == "longest-edge"
	}
	return nil
}

func (t *transform) setCrop(c *task.Crop) error {
	if c == nil {
		return nil
	}
	if c.Size.Width < 1 || c.Size.Height < 1 || max(c.Size.Width, c.Size.Height) > defaultSide {
		return fmt.Errorf("preprocess.crop.size: %d x %d is not between 1 and %d", c.Size.Height, c.Size.Width, defaultSide)
	}
	if t.mode == "letterbox" || t.padded {
		return fmt.Errorf("preprocess.crop: cannot be combined with padding (resize.mode %s)", t.mode)
	}
	even, err := oneOf("preprocess.crop.round", c.Round, "even", "floor")
	t.crop, t.cropFloor = &size{c.Size.Width, c.Size.Height}, !even
	return err
}

// oneOf reports whether value is the first of two words; none given counts as the first.
func oneOf(place, value, first, second string) (bool, error) {
	switch value {
	case "", first:
		return true, nil
	case second:
		return false, nil
	}
	return false, fmt.Errorf("%s: %q is neither %s nor %s", place, value, first, second)
}

// pil reports that the resampler is one of Pillow's, which is done here.
func (t *transform) pil() bool { return strings.HasPrefix(t.method, "pil-") || t.mode == "none" }

// toGray is the conversion that belongs to the resampler's library.
func (t *transform) toGray() func(dst, src []byte) {
	switch {
	case !t.gray:
		return nil
	case strings.HasPrefix(t.method, "pil-"):
		return pilGray
	}
	return cv2Gray
}

// channels is how many the tensor has.
func (t *transform) channels() int {
	if t.gray {
		return 1
	}
	return 3
}
