package sqs

import (
	"encoding/binary"
	"fmt"
	"math"

	"triton-gateway/gateway/jobs"
)

// Results lie in segments: for each one its index, twice, plus one for a bad one; the length of its body; its body. Numbers are of variable length, as
// encoding/binary writes them.

// pack adds results to a segment.
func pack(b []byte, list []jobs.Result) []byte {
	for _, r := range list {
		n := uint64(r.Index) << 1
		if r.Bad {
			n |= 1
		}
		b = binary.AppendUvarint(b, n)
		b = binary.AppendUvarint(b, uint64(len(r.Body)))
		b = append(b, r.Body...)
	}
	return b
}

// unpack reads a segment of a job of that many items. Bodies are parts of b.
func unpack(b []byte, total int) (list []jobs.Result, err error) {
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 || head>>1 >= uint64(min(total, math.MaxInt32)) {
			return nil, damaged(fmt.Errorf("%w: an index of a result", errItem))
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return nil, damaged(fmt.Errorf("%w: the length of a result", errItem))
		}
		end := n + m + int(size)
		list = append(list, jobs.Result{Index: int(head >> 1), Bad: head&1 == 1, Body: b[n+m : end : end]})
		b = b[end:]
	}
	return list, nil
}

// set is which items have results.
type set []uint64

func (s set) has(n int) bool { return s[n/64]>>(n%64)&1 == 1 }

func (s set) add(n int) { s[n/64] |= 1 << (n % 64) }

func newSet(total int) set { return make(set, (total+63)/64) }
