package kserve

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"triton-gateway/gateway/pipeline"
)

// httpAnswer is memory for one answer, used again.
type httpAnswer struct {
	json  []byte
	blobs [][]byte
	flat  []byte // compressed
}

// mostKept bounds what an answer keeps for the next.
const mostKept = 4 << 20

// Write takes compressed bytes.
func (a *httpAnswer) Write(b []byte) (int, error) {
	a.flat = append(a.flat, b...)
	return len(b), nil
}

// answer sends what a model answered: JSON, and after it what is wanted as binary data, without a copy.
func (h *httpSide) answer(c *httpCall, q *jsonRequest, passed *pipeline.Passed) error {
	a, _ := h.answers.Get().(*httpAnswer)
	if a == nil {
		a = &httpAnswer{}
	}
	defer func() {
		clear(a.blobs)
		a.blobs = a.blobs[:0]
		if cap(a.json)+cap(a.flat) <= mostKept {
			h.answers.Put(a)
		}
	}()
	size, err := a.write(c, q, passed)
	if err != nil {
		return err
	}
	header := c.Header()
	header["Content-Type"] = jsonType
	if len(a.blobs) > 0 {
		header["Content-Type"] = binaryType
		header[headerLength] = []string{strconv.Itoa(len(a.json))}
	}
	if passed.Routed != nil {
		header["X-Route"] = []string{passed.Routed.String()}
	}
	if len(passed.Timings) > 0 {
		header["Server-Timing"] = []string{serverTiming(passed.Timings)}
	}
	if kind := accepted(c.r.Header["Accept-Encoding"]); kind != "" {
		h.compress(kind, a)
		header["Content-Encoding"] = []string{kind}
		header["Content-Length"] = []string{strconv.Itoa(len(a.flat))}
		c.WriteHeader(http.StatusOK)
		_, _ = c.Write(a.flat)
		return nil
	}
	header["Content-Length"] = []string{strconv.Itoa(size)}
	c.WriteHeader(http.StatusOK)
	_, err = c.Write(a.json)
	for i := 0; err == nil && i < len(a.blobs); i++ {
		_, err = c.Write(a.blobs[i])
	}
	return nil // a caller that has gone cannot be told
}

// write fills a and gives the size of all.
func (a *httpAnswer) write(c *httpCall, q *jsonRequest, passed *pipeline.Passed) (size int, err error) {
	b := append(a.json[:0], '{')
	defer func() { a.json = b }()
	if q.id != "" {
		b = append(appendString(append(b, `"id":`...), []byte(q.id)), ',')
	}
	b = appendString(append(b, `"model_name":`...), []byte(c.model))
	b = appendString(append(b, `,"model_version":`...), []byte(passed.Version))
	if len(passed.Params) > 0 {
		b = appendObject(append(b, `,"parameters":`...), passed.Params)
	}
	b = append(b, `,"outputs":[`...)
	for i := range passed.Outputs {
		t := &passed.Outputs[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), []byte(t.Name))
		b = appendString(append(b, `,"datatype":`...), []byte(t.DType.String()))
		b = appendInts(append(b, `,"shape":`...), t.Shape)
		if q.asBinary(t.Name) {
			b = strconv.AppendInt(append(b, `,"parameters":{"binary_data_size":`...), int64(len(t.Data)), 10)
			b = append(b, "}}"...)
			if len(t.Data) > 0 {
				a.blobs = append(a.blobs, t.Data)
				size += len(t.Data)
			}
			continue
		}
		if b, err = appendData(append(b, `,"data":`...), t); err != nil {
			return 0, err
		}
		b = append(b, '}')
	}
	b = append(b, "]}"...)
	return size + len(b), nil
}

// compress fills a.flat.
func (h *httpSide) compress(kind string, a *httpAnswer) {
	a.flat = a.flat[:0]
	d := h.deflaters.get(kind, io.Writer(a))
	_, _ = d.Write(a.json) // memory does not fail
	for _, blob := range a.blobs {
		_, _ = d.Write(blob)
	}
	_ = d.Close()
	h.deflaters.put(kind, d)
}

// serverTiming writes stages as the header has them, in milliseconds.
func serverTiming(list []pipeline.Timing) string {
	var room [128]byte
	b := room[:0]
	for i, t := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, t.Stage...), ";dur="...)
		b = strconv.AppendFloat(b, float64(t.Duration)/float64(time.Millisecond), 'f', 3, 64)
	}
	return string(b)
}
