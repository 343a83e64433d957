#include "textflag.h"

// Takes 4 pixels of 3 bytes apart into pairs of 16-bit values, in each half: r r g g b b 0 0. The low half gets pixels 0 and 1, the high
// half 2 and 3.
DATA pairs<>+0(SB)/8, $0x8004800180038000
DATA pairs<>+8(SB)/8, $0x8080808080058002
DATA pairs<>+16(SB)/8, $0x800a800780098006
DATA pairs<>+24(SB)/8, $0x80808080800b8008
GLOBL pairs<>(SB), RODATA|NOPTR, $32

DATA rounding<>+0(SB)/4, $0x00200000
GLOBL rounding<>(SB), RODATA|NOPTR, $4

// func rowAVX2(dst, src *byte, offsets *int32, coefs *int16, n, blocks int)
TEXT ·rowAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ offsets+16(FP), R8
	MOVQ coefs+24(FP), R9
	MOVQ n+32(FP), R10
	MOVQ blocks+40(FP), R11
	VMOVDQU pairs<>(SB), Y7
	VPBROADCASTD rounding<>(SB), X6

output:
	MOVLQSX (R8), AX
	ADDQ $4, R8
	ADDQ SI, AX
	MOVQ R11, CX
	VPXOR Y0, Y0, Y0 // sums of the coefficients' high parts
	VPXOR Y1, Y1, Y1 // and of their low 11 bits

block:
	VBROADCASTI128 (AX), Y2
	VPSHUFB Y7, Y2, Y2
	VPMADDWD (R9), Y2, Y3
	VPMADDWD 32(R9), Y2, Y4
	VPADDD Y3, Y0, Y0
	VPADDD Y4, Y1, Y1
	ADDQ $12, AX
	ADDQ $64, R9
	DECQ CX
	JNZ block

	VPSLLD $11, Y0, Y0
	VPADDD Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD X1, X0, X0
	VPADDD X6, X0, X0
	VPSRAD $22, X0, X0
	VPACKSSDW X0, X0, X0
	VPACKUSWB X0, X0, X0
	VMOVD X0, AX
	MOVW AX, (DI)
	SHRL $16, AX
	MOVB AX, 2(DI)
	ADDQ $3, DI
	DECQ R10
	JNZ output
	VZEROUPPER
	RET
