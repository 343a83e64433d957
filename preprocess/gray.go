package preprocess

// pilGray is Pillow's convert("L"): ITU-R 601-2 luma in 16-bit fixed point (Pillow, src/libImaging/Convert.c, L24).
func pilGray(dst, src []byte) {
	for i := range dst {
		p := (*[3]byte)(src[3*i:])
		dst[i] = byte((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 0x8000) >> 16)
	}
}

// Luma turns RGB into gray by Pillow's convert("L"): len(rgb) = 3*len(gray).
func Luma(gray, rgb []byte) { pilGray(gray, rgb) }

// cv2Gray is OpenCV's cvtColor(RGB2GRAY): the same weights in 15-bit fixed point (OpenCV 4.6, color_rgb.simd.hpp).
func cv2Gray(dst, src []byte) {
	for i := range dst {
		p := (*[3]byte)(src[3*i:])
		dst[i] = byte((uint32(p[0])*9798 + uint32(p[1])*19235 + uint32(p[2])*3735 + 1<<14) >> 15)
	}
}
