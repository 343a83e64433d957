package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"triton-gateway/internal/fault"
)

// genesis is what the first line has as the hash of the line before.
var genesis = strings.Repeat("0", 2*sha256.Size)

// chain is where a log ends.
type chain struct {
	seq  uint64 // of the last line; 0: there is none
	prev string // its hash
}

const (
	hashHead = `,"hash":"`
	hashTail = `"}`
	hashSize = len(hashHead) + 2*sha256.Size + len(hashTail)
	mostLine = 16 << 10 // bytes, far above what mostText allows
)

// add makes the next line, with its newline, and the chain that ends in it. The hash of a line is the SHA-256 of its bytes without the member hash, which is the
// last one; they hold the hash of the line before.
func (c chain) add(e Entry) (line []byte, next chain, err error) {
	e.Seq, e.Prev = c.seq+1, c.prev
	body, err := json.Marshal(e)
	if err != nil {
		return nil, c, err
	}
	next = chain{e.Seq, hashOf(body)}
	line = append(body[:len(body)-1], hashHead...)
	line = append(append(line, next.prev...), hashTail+"\n"...)
	return line, next, nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// read takes a line, without its newline, apart and checks it by itself.
func read(line []byte) (e Entry, hash string, err error) {
	at := len(line) - hashSize
	if at < 1 || !bytes.HasPrefix(line[at:], []byte(hashHead)) || !bytes.HasSuffix(line, []byte(hashTail)) {
		return e, "", errors.New("it does not end in a hash")
	}
	body := append(bytes.Clone(line[:at]), '}')
	hash = string(line[at+len(hashHead) : len(line)-len(hashTail)])
	if hashOf(body) != hash {
		return e, "", errors.New("its hash is not that of its text: it was changed")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, "", errors.New("it is no line of an audit log")
	}
	return e, hash, nil
}

// Summary is what is known of a log whose lines hang together.
type Summary struct {
	Lines uint64
	Last  string // the hash of the last line: whoever noted it elsewhere sees whether lines were cut off at the end
	Open  uint64 // asked lines without an ended one: what a crash, or a full disk, has left
}

// Verify reads a log from its beginning. The error names the first line that does not fit.
func Verify(r io.Reader) (Summary, error) {
	c := chain{prev: genesis}
	open := map[uint64]bool{}
	in := bufio.NewReaderSize(r, mostLine)
	for n := uint64(1); ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return Summary{Lines: c.seq, Last: c.prev, Open: uint64(len(open))}, nil
		case errors.Is(err, io.EOF):
			return Summary{}, fmt.Errorf("line %d: it has no end: it was torn, as by a crash, or cut", n)
		case errors.Is(err, bufio.ErrBufferFull):
			return Summary{}, fmt.Errorf("line %d: it is longer than %d bytes", n, mostLine)
		case err != nil:
			return Summary{}, err
		}
		e, hash, err := read(line[:len(line)-1])
		switch {
		case err != nil:
			return Summary{}, fmt.Errorf("line %d: %w", n, err)
		case e.Seq != c.seq+1:
			return Summary{}, fmt.Errorf("line %d: its number is %d, not %d: lines are missing, doubled or in another order", n, e.Seq, c.seq+1)
		case e.Prev != c.prev:
			return Summary{}, fmt.Errorf("line %d: it does not follow on the line before: lines were changed or taken out", n)
		}
		c = chain{e.Seq, hash}
		switch e.Stage {
		case Asked:
			open[e.Seq] = true
		case Ended:
			delete(open, e.Begun)
		}
	}
}

// codeOf is the stable code of a failure.
func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Code != "" {
		return f.Code
	}
	return "failed"
}
