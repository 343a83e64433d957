//go:build !amd64

package preprocess

func fastRows() bool { return false }

func rowAVX2(dst, src *byte, offsets *int32, coefs *int16, n, blocks int) {
	panic("not on this processor")
}
