package preprocess

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"triton-gateway/task"
)

// revision goes up whenever the same spec makes another tensor than before; it keeps old cache entries from being found.
const revision = 1

// digest hashes the settings that decide over the tensor, in a fixed order and with every default written out where it is known here.
func digest(s *task.Spec) [32]byte {
	var b strings.Builder
	in := s.Input
	fmt.Fprintf(&b, "preprocess %d\ninput %q %q %q %q\ncolumns %q\n", revision, in.Name, in.Layout, in.DType, in.Color, in.Columns)
	names := make([]string, 0, len(in.Ranges))
	for name := range in.Ranges {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "range %q %x\n", name, in.Ranges[name])
	}
	if p := s.Preprocess; p != nil {
		pad := "default"
		if p.Resize.Pad != nil {
			pad = fmt.Sprint(*p.Resize.Pad)
		}
		fmt.Fprintf(&b, "image %q %q\nresize %q %d %d %q %s\n", p.Decode, p.Exif, p.Resize.Mode, p.Resize.Size.Height, p.Resize.Size.Width, p.Resize.Resample, pad)
		if p.Crop != nil {
			fmt.Fprintf(&b, "crop %d %d %q\n", p.Crop.Size.Height, p.Crop.Size.Width, p.Crop.Round)
		}
		fmt.Fprintf(&b, "numbers %x %x %x\n", float64(p.Scale), []float64(p.Mean), []float64(p.Std))
	}
	return sha256.Sum256([]byte(b.String()))
}
