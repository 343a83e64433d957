package parts

import (
	"bytes"
	"os"
	"sync"
)

// lineLimit is the most that is kept of a line while its end has not come: no readiness line is nearly as long.
const lineLimit = 64 << 10

// output takes what a program writes: it goes to a file, and line by line to the readiness check until that says yes.
// The file stays behind when the test process is killed, so that it can be read afterwards.
type output struct {
	file    *os.File
	ready   chan struct{}
	isReady func(line string) bool // nil once it said yes

	mu   sync.Mutex // guards isReady and line; os/exec writes from one goroutine, but nothing promises that
	line []byte
}

func newOutput(isReady func(string) bool) (*output, error) {
	file, err := os.CreateTemp("", "triton-gateway-part-*.log")
	if err != nil {
		return nil, err
	}
	o := &output{file: file, ready: make(chan struct{}), isReady: isReady}
	if isReady == nil {
		close(o.ready)
	}
	return o, nil
}

func (o *output) Write(data []byte) (int, error) {
	n, err := o.file.Write(data)
	o.watch(data[:n])
	return n, err
}

func (o *output) watch(data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.isReady != nil && len(data) > 0 {
		part, rest, ended := bytes.Cut(data, []byte("\n"))
		if len(o.line)+len(part) <= lineLimit {
			o.line = append(o.line, part...)
		}
		if !ended {
			return
		}
		if o.isReady(string(bytes.TrimSuffix(o.line, []byte("\r")))) {
			o.isReady, o.line = nil, nil
			close(o.ready)
			return
		}
		o.line, data = o.line[:0], rest
	}
}

// tail is the end of the log, cut at a line.
func (o *output) tail() string {
	text, err := os.ReadFile(o.file.Name())
	if err != nil {
		return err.Error()
	}
	if len(text) > logTail {
		text = text[len(text)-logTail:]
		if _, rest, cut := bytes.Cut(text, []byte("\n")); cut {
			text = rest
		}
	}
	return string(text)
}

func (o *output) remove() {
	_ = o.file.Close()
	_ = os.Remove(o.file.Name())
}
