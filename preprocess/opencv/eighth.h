// A decoder for pictures at 1/8 of their size. It reads the Huffman codes of ordinary baseline JPEGs (ITU T.81) and builds only what so
// small a picture needs: a block's mean for most blocks, 2 x 2 pixels for chroma that is stored at half size. The pixels are those of
// libjpeg-turbo, bit for bit. It decides nothing about a file: what it does not know, or does not like, it leaves to the library.
#ifndef TRITON_GATEWAY_EIGHTH_H
#define TRITON_GATEWAY_EIGHTH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

enum {
	TG_EIGHTH_DONE = 0,     // dst is the picture, and the library would have had no complaint
	TG_EIGHTH_NOT_MINE = 1, // dst is undefined; nothing is known about the file
	TG_EIGHTH_CANCELED = 2,
};

// Decodes into dst, width * height * (gray ? 1 : 3) bytes. c has read the header and stands at the first byte of the scan; it is not
// changed. width and height are an eighth of the picture's, rounded up. *cancel is looked at for each row of blocks.
int tg_eighth(const struct jpeg_decompress_struct *c, int gray, uint8_t *dst, uint32_t width, uint32_t height, const volatile int32_t *cancel);

#endif
