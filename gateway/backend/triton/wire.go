package triton

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var errWire = errors.New("not a valid answer")

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
