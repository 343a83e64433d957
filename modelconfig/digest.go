package modelconfig

import (
	"crypto/sha256"
	"encoding/binary"
)

// completed derives the digest of a completed config from the written one's and from what was added.
func completed(c *Config) [32]byte {
	b := append([]byte("completed\x00"), c.Digest[:]...)
	number := func(n int64) { b = binary.AppendVarint(b, n) }
	text := func(s string) { number(int64(len(s))); b = append(b, s...) }
	shape := func(dims []int64) {
		number(int64(len(dims)))
		for _, d := range dims {
			number(d)
		}
	}
	text(c.Name)
	text(c.Backend)
	number(int64(c.MaxBatchSize))
	for _, list := range [][]IO{c.Inputs, c.Outputs} {
		number(int64(len(list)))
		for i := range list {
			text(list[i].Name)
			number(int64(list[i].DType))
			shape(list[i].Dims)
			if list[i].Reshape != nil {
				text("reshape")
				shape(list[i].Reshape)
			}
		}
	}
	return sha256.Sum256(b)
}
