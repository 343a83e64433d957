package preprocess

import "golang.org/x/sys/cpu"

// fastRows tells whether this processor can run rowAVX2.
func fastRows() bool { return cpu.X86.HasAVX2 }

// rowAVX2 makes n outputs of 3 channels. Output i reads blocks*12+4 bytes from src+offsets[i], and blocks*32 coefficients, see newVector.
//
//go:noescape
func rowAVX2(dst, src *byte, offsets *int32, coefs *int16, n, blocks int)
