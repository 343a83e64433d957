package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// decodeBase64 decodes a JSON string of base64 in place: the result lies in text's own memory, which it overwrites. Both alphabets,
// missing padding, line breaks, and a data: URL's head are taken.
func decodeBase64(text []byte) ([]byte, error) {
	text = text[1 : len(text)-1]
	if bytes.HasPrefix(text, []byte("data:")) {
		_, after, ok := bytes.Cut(text, []byte(";base64,"))
		if !ok {
			return nil, errors.New("a data: URL is to say ;base64,")
		}
		text = after
	}
	if bytes.IndexByte(text, '\\') >= 0 {
		var err error
		if text, err = unescapeBase64(text); err != nil {
			return nil, err
		}
	}
	text = bytes.TrimRight(text, "=\r\n")
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	// The decoder writes at most 8 bytes for the 8 characters that it has just read, and never gets ahead of them.
	n, err := encoding.Decode(text, text)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	if n == 0 {
		return nil, errors.New("base64 of nothing")
	}
	return text[:n:n], nil
}

// unescapeBase64 resolves in place the only escapes that occur in base64: a slash, and line breaks, which are dropped.
func unescapeBase64(text []byte) ([]byte, error) {
	out := text[:0]
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case '/':
			out = append(out, '/')
		case 'n', 'r':
		default:
			return nil, errors.New("not base64: it has escapes")
		}
	}
	return out, nil
}
