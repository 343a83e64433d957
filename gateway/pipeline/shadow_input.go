package pipeline

import (
	"bytes"
	"crypto/sha256"
	"image/png"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// Input is what people can know an input by.
type Input struct {
	Kind          string          // image, row or raw
	SHA256        [32]byte        // of a picture's file; otherwise a digest of the tensors
	Width, Height int             // of a picture, as a person sees it
	Row           *preprocess.Row // of a row; it must not be changed
}

// Input describes the input. It is to be called after Ask and before Release.
func (h *Held) Input() Input {
	in := Input{Kind: string(h.kind), Row: h.request.Item.Row}
	if !h.known {
		switch {
		case h.request.Item.Image != nil:
			h.content = sha256.Sum256(h.request.Item.Image.Bytes)
		case h.raw != nil:
			h.content = tensorsSum(h.raw.Inputs)
		}
		h.known = true
	}
	in.SHA256 = h.content
	if h.kind == imageItem && h.seen != nil {
		in.Width, in.Height = h.seen.header.Upright()
	}
	return in
}

// Thumbnail is a PNG of what the model of the last Ask saw of a picture, with no side above most pixels. It is to be called after Ask and before Release.
//
// Error: NotFound where there is nothing to be seen.
func (h *Held) Thumbnail(most int) ([]byte, error) {
	j := h.seen
	if j == nil || h.kind != imageItem || len(j.input) == 0 {
		return nil, fault.New(fault.NotFound, "result_not_cached", "the model saw no picture")
	}
	px, err := j.model.pre.Pixels(&j.input[0])
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, asImage(thinned(px, most))); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// thinned leaves out rows and columns of pixels, until no side has more than most.
func thinned(px preprocess.Pixels, most int) preprocess.Pixels {
	step := (max(px.Width, px.Height) + most - 1) / most
	if step <= 1 {
		return px
	}
	small := preprocess.Pixels{Width: (px.Width + step - 1) / step, Height: (px.Height + step - 1) / step, Channels: px.Channels}
	for y := 0; y < px.Height; y += step {
		for x := 0; x < px.Width; x += step {
			at := (y*px.Width + x) * px.Channels
			small.Data = append(small.Data, px.Data[at:at+px.Channels]...)
		}
	}
	return small
}
