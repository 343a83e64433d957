//go:build cgo && gocv_specific_modules

package opencv

/*
#cgo LDFLAGS: -ljpeg
#include <stdlib.h>
#include "jpeg.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync/atomic"
	"unsafe"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// maxScans is the limit of preprocess's own check, again, where the library counts.
const maxScans = 100

// jpeg is one decoding. The C side keeps a pointer into the caller's bytes until close, which pin allows.
type jpeg struct {
	c      *C.tg_jpeg
	ctx    context.Context
	stride int           // bytes of a row
	cancel *atomic.Int32 // C looks at it between blocks of rows; it is lent for each call only
	stop   func() bool
	pin    runtime.Pinner
}

// startJPEG begins to decode to the size and channels of px; with shortcut, without the library where that gives the same.
func startJPEG(ctx context.Context, data []byte, px preprocess.Pixels, o preprocess.DecodeOptions, shortcut bool) (*jpeg, error) {
	if len(data) == 0 {
		return nil, invalid("the JPEG is empty")
	}
	c := C.tg_jpeg_new()
	if c == nil {
		return nil, noMemory()
	}
	j := &jpeg{c: c, ctx: ctx, stride: px.Width * px.Channels, cancel: new(atomic.Int32)}
	if ctx.Err() != nil { // AfterFunc would tell in a goroutine of its own, some time later
		j.cancel.Store(1)
	}
	j.stop = context.AfterFunc(ctx, func() { j.cancel.Store(1) })
	j.pin.Pin(unsafe.SliceData(data))
	gray, short := C.int(0), C.int(0)
	if o.Gray {
		gray = 1
	}
	if shortcut {
		short = 1
	}
	code := C.tg_jpeg_start(c, (*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)), gray, C.int(scaleNum(o)), short,
		C.uint32_t(px.Width), C.uint32_t(px.Height), maxScans, (*C.int32_t)(unsafe.Pointer(j.cancel)))
	if err := j.fault(code); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// rows fills dst, a whole number of rows.
func (j *jpeg) rows(dst []byte) error {
	if j.ctx.Err() != nil { // cancel follows some time later
		return ended(j.ctx)
	}
	return j.fault(C.tg_jpeg_rows(j.c, (*C.uint8_t)(unsafe.SliceData(dst)), C.uint32_t(len(dst)/j.stride), (*C.int32_t)(unsafe.Pointer(j.cancel))))
}

// finish finds out whether the file ends where it should.
func (j *jpeg) finish() error { return j.fault(C.tg_jpeg_finish(j.c)) }

// short tells whether startJPEG went without the library.
func (j *jpeg) short() bool { return C.tg_jpeg_was_short(j.c) != 0 }

func (j *jpeg) close() {
	j.stop()
	C.tg_jpeg_free(j.c)
	j.pin.Unpin()
}

func (j *jpeg) fault(code C.int) error {
	switch code {
	case C.TG_JPEG_OK:
		return nil
	case C.TG_JPEG_CANCELED:
		return ended(j.ctx)
	case C.TG_JPEG_MEMORY:
		return noMemory()
	}
	return invalid("the JPEG is cut or corrupt: %s", C.GoString(C.tg_jpeg_reason(j.c)))
}

func noMemory() error {
	return fault.New(fault.TooLarge, "image_too_large", "the JPEG needs more memory than one picture may have: make it smaller, or save it without progressive scans")
}

// jpegRows decodes strip by strip into one buffer that stays in the processor's cache.
func jpegRows(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions, sink func(rows []byte) error) error {
	px := preprocess.Pixels{Width: scaled(h.Width, o), Height: scaled(h.Height, o), Channels: channels(o)}
	j, err := startJPEG(ctx, data, px, o, true)
	if err != nil {
		return err
	}
	defer j.close()
	if o.To > o.From && o.From >= 0 {
		if err := j.fault(C.tg_jpeg_columns(j.c, C.uint32_t(o.From), C.uint32_t(o.To))); err != nil {
			return err
		}
	}
	stride := px.Width * px.Channels
	strip := make([]byte, stripRows*stride)
	for y := 0; y < px.Height; y += stripRows {
		rows := strip[:min(stripRows, px.Height-y)*stride]
		if err := j.rows(rows); err != nil {
			return err
		}
		if err := sink(rows); err != nil {
			return err
		}
	}
	return j.finish()
}

func scaleNum(o preprocess.DecodeOptions) int {
	if o.ScaleNum < 1 || o.ScaleNum > 8 {
		return 8
	}
	return o.ScaleNum
}

// scaled is a side's length at o.ScaleNum/8, rounded up as libjpeg does it.
func scaled(n int, o preprocess.DecodeOptions) int { return (n*scaleNum(o) + 7) / 8 }
