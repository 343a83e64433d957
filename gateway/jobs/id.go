package jobs

import (
	"crypto/rand"
	"time"
)

// alphabet is Crockford's Base32, https://www.crockford.com/base32.html: its letters sort as their values do.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	idTime  = 10               // characters of 48 bits of milliseconds
	idChars = idTime + 26      // and of 128 random bits
	mostID  = int64(1)<<48 - 1 // the year 10889
)

// newID makes an id that nobody can guess, and that sorts by time: 36 characters.
func newID(now time.Time) string {
	var (
		text   [idChars]byte
		random [16]byte
	)
	_, _ = rand.Read(random[:]) // never fails
	ms := uint64(min(max(now.UnixMilli(), 0), mostID))
	for i := idTime - 1; i >= 0; i-- {
		text[i] = alphabet[ms&31]
		ms >>= 5
	}
	var bits, have uint
	at := idTime
	for _, b := range random {
		bits, have = bits<<8|uint(b), have+8
		for have >= 5 {
			have -= 5
			text[at] = alphabet[bits>>have&31]
			at++
		}
		bits &= 1<<have - 1
	}
	text[at] = alphabet[bits<<(5-have)&31]
	return string(text[:])
}
