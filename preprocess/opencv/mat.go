//go:build cgo && gocv_specific_modules

package opencv

import (
	"context"

	"gocv.io/x/gocv"

	"triton-gateway/preprocess"
)

// decodeMat decodes PNG and WebP and gives sink the rows, strip by strip, out of OpenCV's memory.
func decodeMat(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions, sink func(rows []byte) error) error {
	mat := gocv.NewMat()
	defer mat.Close()
	if err := gocv.IMDecodeIntoMat(data, gocv.IMReadColor|gocv.IMReadIgnoreOrientation, &mat); err != nil {
		return invalid("the %s cannot be decoded: its pixels are cut or corrupt", h.Format)
	}
	if mat.Empty() {
		return invalid("the %s cannot be decoded: its pixels are cut or corrupt", h.Format)
	}
	if mat.Cols() != h.Width || mat.Rows() != h.Height || mat.Type() != gocv.MatTypeCV8UC3 {
		return invalid("the %s is corrupt: its header says %d x %d pixels, its content %d x %d", h.Format, h.Width, h.Height, mat.Cols(), mat.Rows())
	}
	if err := gocv.CvtColor(mat, &mat, gocv.ColorBGRToRGB); err != nil { // in place
		return native("colour conversion", err)
	}
	pixels, err := mat.DataPtrUint8()
	if err != nil || len(pixels) != 3*h.Width*h.Height {
		return native("decoding", err)
	}
	stride := 3 * h.Width
	gray := []byte(nil)
	if o.Gray {
		gray = make([]byte, stripRows*h.Width)
	}
	for y := 0; y < h.Height; y += stripRows {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		rows := pixels[y*stride : min(y+stripRows, h.Height)*stride]
		if o.Gray {
			g := gray[:len(rows)/3]
			preprocess.Luma(g, rows)
			rows = g
		}
		if err := sink(rows); err != nil {
			return err
		}
	}
	return nil
}
