package kserve

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"
)

// accepted says which compression an answer is to have: gzip, deflate or "". As in Triton the heaviest of the caller's list wins, the first of
// those that weigh the same, and * stands for nothing.
func accepted(values []string) (best string) {
	weight := 0.0
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "gzip" && name != "deflate" && name != "identity" {
				continue
			}
			q := 1.0
			if text, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
				var err error
				if q, err = strconv.ParseFloat(text, 64); err != nil {
					continue
				}
			}
			if q > weight {
				best, weight = name, q
			}
		}
	}
	if best == "identity" {
		return ""
	}
	return best
}

// deflaters are kept for later use: one takes more than a megabyte.
type deflaters struct{ gzip, zlib sync.Pool }

// deflater is a gzip.Writer or a zlib.Writer.
type deflater interface {
	io.WriteCloser
	Reset(w io.Writer)
}

func (p *deflaters) get(kind string, w io.Writer) deflater {
	var d deflater
	if kind == "gzip" {
		d, _ = p.gzip.Get().(deflater)
	} else {
		d, _ = p.zlib.Get().(deflater)
	}
	switch {
	case d == nil && kind == "gzip":
		d, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a valid one
	case d == nil:
		d, _ = zlib.NewWriterLevel(w, zlib.BestSpeed)
	default:
		d.Reset(w)
	}
	return d
}

func (p *deflaters) put(kind string, d deflater) {
	d.Reset(io.Discard)
	if kind == "gzip" {
		p.gzip.Put(d)
	} else {
		p.zlib.Put(d)
	}
}
