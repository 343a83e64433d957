package triton

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

var errWire = errors.New("not a valid answer")

// wireReader reads a message out of grpc's frames: all that in holds but the last after bytes, which belong to the message around it.
type wireReader struct {
	in    *mem.Reader
	after int
}

func (r wireReader) left() int { return r.in.Remaining() - r.after }

// tag reads the next field's number and type.
func (r wireReader) tag() (protowire.Number, protowire.Type, error) {
	tag, err := r.varint()
	if err != nil {
		return 0, 0, err
	}
	num, typ := protowire.DecodeTag(tag)
	if num < protowire.MinValidNumber || tag>>3 > math.MaxInt32 {
		return 0, 0, fmt.Errorf("%w: field number", errWire)
	}
	return num, typ, nil
}

// length reads the length of a value that has to lie within the message.
func (r wireReader) length() (int, error) {
	n, err := r.varint()
	if err != nil {
		return 0, err
	}
	if left := r.left(); n > uint64(left) {
		return 0, fmt.Errorf("%w: a value claims %d bytes, %d are left", errWire, n, left)
	}
	return int(n), nil
}

// bytes copies a length-delimited value out of the frames.
func (r wireReader) bytes() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	return body, r.fill(body)
}

// fill reads as many bytes as body has; the caller has checked that they are there.
func (r wireReader) fill(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if n, err := r.in.Read(body); n < len(body) { // it gives less only where there is less
		return fmt.Errorf("%w: cut short (%v)", errWire, err)
	}
	return nil
}

// nested gives a reader of a message within this one. It has to be read to its end.
func (r wireReader) nested() (wireReader, error) {
	n, err := r.length()
	return wireReader{r.in, r.in.Remaining() - n}, err
}

func (r wireReader) varint() (uint64, error) {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if r.left() <= 0 {
			return 0, fmt.Errorf("%w: cut short", errWire)
		}
		c, err := r.in.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errWire, err)
		}
		if shift == 63 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: varint overflow", errWire)
}

// skip passes over a field that is not used, or what a later protocol adds.
func (r wireReader) skip(num protowire.Number, typ protowire.Type) error {
	switch typ {
	case protowire.VarintType:
		_, err := r.varint()
		return err
	case protowire.Fixed32Type:
		return r.discard(4)
	case protowire.Fixed64Type:
		return r.discard(8)
	case protowire.BytesType:
		n, err := r.length()
		if err != nil {
			return err
		}
		return r.discard(n)
	case protowire.StartGroupType:
		return r.skipGroup(num)
	}
	return fmt.Errorf("%w: wire type %d", errWire, typ)
}

// skipGroup is a loop, not a recursion: nesting is bounded by the list, and the list by the protobuf runtime's own limit.
func (r wireReader) skipGroup(num protowire.Number) error {
	open := []protowire.Number{num}
	for len(open) > 0 {
		num, typ, err := r.tag()
		if err != nil {
			return err
		}
		switch typ {
		case protowire.StartGroupType:
			if open = append(open, num); len(open) > protowire.DefaultRecursionLimit {
				return fmt.Errorf("%w: nested too deep", errWire)
			}
		case protowire.EndGroupType:
			if open[len(open)-1] != num {
				return fmt.Errorf("%w: end of another group", errWire)
			}
			open = open[:len(open)-1]
		default:
			if err := r.skip(num, typ); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r wireReader) discard(n int) error {
	if n > r.left() {
		return fmt.Errorf("%w: cut short", errWire)
	}
	_, err := r.in.Discard(n)
	return err
}

// fields gives the fields of a message in memory to set, one after the other: the value of a length-delimited one without its length, of the
// others as it lies on the wire.
func fields(b []byte, set func(num protowire.Number, typ protowire.Type, value []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return wireError(n)
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return wireError(n)
		}
		value := b[:n]
		b = b[n:]
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := set(num, typ, value); err != nil {
			return err
		}
	}
	return nil
}

func setString(to *string, body []byte) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: text is not UTF-8", errWire)
	}
	*to = string(body)
	return nil
}

func wireError(n int) error { return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n)) }
