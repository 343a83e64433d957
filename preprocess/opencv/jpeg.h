// A small face of libjpeg-turbo for Go. Every function returns: errors of the library end in a code and a text, never in exit() or in a
// jump out of C. One decoder is used by one thread at a time.
#ifndef TRITON_GATEWAY_JPEG_H
#define TRITON_GATEWAY_JPEG_H

#include <stddef.h>
#include <stdint.h>

typedef struct tg_jpeg tg_jpeg;

enum {
	TG_JPEG_OK = 0,
	TG_JPEG_CORRUPT = 1,  // cut, corrupt, or not decodable; tg_jpeg_reason tells
	TG_JPEG_CANCELED = 2, // *cancel became non-zero
	TG_JPEG_MEMORY = 3,   // the library is out of memory, or would use more than it may
};

// Gives NULL when memory is out.
tg_jpeg *tg_jpeg_new(void);

// Reads the header and begins to decode. data must stay where it is until tg_jpeg_free. The picture is width x height pixels, at
// scale_num/8 of the size, or the call fails. A progressive picture is read here as a whole, at most max_scans scans; so is an ordinary
// one at 1/8, where shortcut allows to do it without the library (eighth.h). *cancel is looked at in between.
int tg_jpeg_start(tg_jpeg *j, const uint8_t *data, size_t size, int gray, int scale_num, int shortcut, uint32_t width, uint32_t height,
                  int max_scans, const int32_t *cancel);

// Says, before the first row, that only the columns from <= x < to are needed: the others of each row are left as they are or get anything.
int tg_jpeg_columns(tg_jpeg *j, uint32_t from, uint32_t to);

// Tells whether tg_jpeg_start went without the library.
int tg_jpeg_was_short(const tg_jpeg *j);

// Decodes the next rows into dst, without padding: rows * width * (gray ? 1 : 3) bytes.
int tg_jpeg_rows(tg_jpeg *j, uint8_t *dst, uint32_t rows, const int32_t *cancel);

// Reads to the end marker, after the last row.
int tg_jpeg_finish(tg_jpeg *j);

// The library's text for the last failure.
const char *tg_jpeg_reason(const tg_jpeg *j);

void tg_jpeg_free(tg_jpeg *j);

#endif
