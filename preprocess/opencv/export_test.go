//go:build cgo && gocv_specific_modules

package opencv

import (
	"context"

	"triton-gateway/preprocess"
)

// DecodeJPEG gives the pixels at o's scale, and whether they came without the library, which only shortcut allows.
func DecodeJPEG(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions, shortcut bool) (pixels []byte, short bool, err error) {
	px := preprocess.Pixels{Width: scaled(h.Width, o), Height: scaled(h.Height, o), Channels: channels(o)}
	j, err := startJPEG(ctx, data, px, o, shortcut)
	if err != nil {
		return nil, false, err
	}
	defer j.close()
	pixels = make([]byte, px.Width*px.Height*px.Channels)
	if err := j.rows(pixels); err != nil {
		return nil, j.short(), err
	}
	return pixels, j.short(), j.finish()
}
