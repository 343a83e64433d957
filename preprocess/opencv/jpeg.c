//go:build cgo && gocv_specific_modules

#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "eighth.h"

// What libjpeg may allocate for one picture: the coefficients of a progressive one are 2 bytes a sample, and 50 megapixels in 4:4:4
// take 300 MB. Baseline pictures need a few rows.
#define MAX_MEMORY (512L * 1024 * 1024)

// What a whole picture at 1/8 may take, in bytes.
#define MAX_SHORT (64u << 20)

struct tg_jpeg {
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf trouble; // set by each function that calls the library, for the time of that call
	int created;
	int code;
	int max_scans;
	int gray;
	const volatile int32_t *cancel; // only during a call
	uint8_t *cmyk;                  // one row
	uint32_t width, left;           // of a row, in pixels; where in it the library's begin
	uint8_t *eighth;                // the whole picture, where it was decoded without the library
	size_t eighth_at, eighth_size;
	char reason[JMSG_LENGTH_MAX];
};

static void fail(tg_jpeg *j, int code) {
	j->code = code;
	longjmp(j->trouble, 1);
}

static void on_error(j_common_ptr c) {
	tg_jpeg *j = (tg_jpeg *)c->client_data;
	c->err->format_message(c, j->reason);
	int code = c->err->msg_code;
	fail(j, code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE || code == JERR_WIDTH_OVERFLOW ? TG_JPEG_MEMORY : TG_JPEG_CORRUPT);
}

// A warning means that pixels were made up or data left over, so it is an error here, but for those that are about labels only.
static void on_message(j_common_ptr c, int level) {
	if (level >= 0) return;
	switch (c->err->msg_code) {
	case JWRN_JFIF_MAJOR:
	case JWRN_ADOBE_XFORM:
	case JWRN_BOGUS_ICC:
		return;
	}
	on_error(c);
}

static void on_output(j_common_ptr c) { (void)c; }

static void on_progress(j_common_ptr c) {
	tg_jpeg *j = (tg_jpeg *)c->client_data;
	if (j->cancel && *j->cancel) fail(j, TG_JPEG_CANCELED);
	if (j->cinfo.input_scan_number > j->max_scans) {
		snprintf(j->reason, sizeof j->reason, "more than %d scans", j->max_scans);
		fail(j, TG_JPEG_CORRUPT);
	}
}

tg_jpeg *tg_jpeg_new(void) {
	tg_jpeg *j = calloc(1, sizeof *j);
	if (!j) return NULL;
	j->cinfo.err = jpeg_std_error(&j->errors);
	j->cinfo.client_data = j;
	j->errors.error_exit = on_error;
	j->errors.emit_message = on_message;
	j->errors.output_message = on_output;
	j->progress.progress_monitor = on_progress;
	return j;
}

// Decodes without the library where that is possible, and leaves everything as it was where it is not.
static void take_shortcut(tg_jpeg *j, uint32_t width, uint32_t height) {
	uint64_t size = (uint64_t)width * height * (j->gray ? 1 : 3);
	if (size > MAX_SHORT) return;
	j->eighth = malloc(size);
	if (!j->eighth) return;
	int code = tg_eighth(&j->cinfo, j->gray, j->eighth, width, height, j->cancel);
	j->eighth_size = size;
	if (code == TG_EIGHTH_CANCELED) fail(j, TG_JPEG_CANCELED);
	if (code == TG_EIGHTH_DONE) return;
	free(j->eighth);
	j->eighth = NULL;
}

int tg_jpeg_start(tg_jpeg *j, const uint8_t *data, size_t size, int gray, int scale_num, int shortcut, uint32_t width, uint32_t height,
                  int max_scans, const int32_t *cancel) {
	struct jpeg_decompress_struct *c = &j->cinfo;
	j->cancel = cancel;
	j->max_scans = max_scans;
	j->gray = gray;
	j->width = width;
	if (setjmp(j->trouble)) goto out;
	j->code = TG_JPEG_OK;
	jpeg_create_decompress(c);
	j->created = 1;
	c->client_data = j; // jpeg_create_decompress keeps it, by its documentation; the other hook it clears
	c->progress = &j->progress;
	c->mem->max_memory_to_use = MAX_MEMORY;
	jpeg_mem_src(c, data, size);
	jpeg_read_header(c, TRUE);
	if (c->num_components == 4) {
		c->out_color_space = JCS_CMYK;
		j->cmyk = malloc((size_t)width * 4);
		if (!j->cmyk) fail(j, TG_JPEG_MEMORY);
	} else {
		c->out_color_space = gray ? JCS_GRAYSCALE : JCS_EXT_RGB;
	}
	c->scale_num = (unsigned)scale_num;
	c->scale_denom = 8;
	jpeg_calc_output_dimensions(c);
	if (c->output_width != width || c->output_height != height) {
		snprintf(j->reason, sizeof j->reason, "two frame headers that contradict each other");
		fail(j, TG_JPEG_CORRUPT);
	}
	if (shortcut && scale_num == 1) take_shortcut(j, width, height);
	if (!j->eighth) jpeg_start_decompress(c);
out:
	j->cancel = NULL;
	return j->code;
}

int tg_jpeg_columns(tg_jpeg *j, uint32_t from, uint32_t to) {
	struct jpeg_decompress_struct *c = &j->cinfo;
	if (j->cmyk || j->eighth || from >= to || to > j->width) return j->code;
	if (setjmp(j->trouble)) return j->code;
	// Upsampling looks at the next sample of a subsampled component: one unit of blocks more on each side, and the needed columns come out
	// exactly as in a whole row.
	uint32_t unit = (uint32_t)(c->min_DCT_scaled_size * c->max_h_samp_factor);
	JDIMENSION x = from > unit ? from - unit : 0, n = (to + unit < j->width ? to + unit : j->width) - x;
	if (n + 2 * unit >= j->width) return j->code; // nothing to save
	jpeg_crop_scanline(c, &x, &n);
	j->left = x;
	return j->code;
}

// (a * b) / 255, rounded, as Pillow's MULDIV255.
static inline int muldiv255(int a, int b) {
	int t = a * b + 128;
	return ((t >> 8) + t) >> 8;
}

static inline uint8_t clip(int v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

// Pillow's way from the inverted CMYK that Adobe writes to RGB (JpegImagePlugin's CMYK;I, then cmyk2rgb of Convert.c), and to L.
static void convert_cmyk(const uint8_t *src, uint8_t *dst, uint32_t width, int gray) {
	for (uint32_t x = 0; x < width; x++, src += 4) {
		int nk = src[3];
		int r = clip(nk - muldiv255(255 - src[0], nk));
		int g = clip(nk - muldiv255(255 - src[1], nk));
		int b = clip(nk - muldiv255(255 - src[2], nk));
		if (gray) {
			*dst++ = (uint8_t)((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16);
		} else {
			*dst++ = (uint8_t)r;
			*dst++ = (uint8_t)g;
			*dst++ = (uint8_t)b;
		}
	}
}

int tg_jpeg_rows(tg_jpeg *j, uint8_t *dst, uint32_t rows, const int32_t *cancel) {
	struct jpeg_decompress_struct *c = &j->cinfo;
	size_t stride = (size_t)j->width * (j->gray ? 1 : 3), left = (size_t)j->left * (j->gray ? 1 : 3);
	j->cancel = cancel;
	if (setjmp(j->trouble)) goto out;
	j->code = TG_JPEG_OK;
	if (j->eighth && rows <= (j->eighth_size - j->eighth_at) / stride) {
		memcpy(dst, j->eighth + j->eighth_at, rows * stride);
		j->eighth_at += rows * stride;
		goto out;
	}
	while (rows > 0 && !j->eighth) {
		if (j->cmyk) {
			JSAMPROW row = j->cmyk;
			if (jpeg_read_scanlines(c, &row, 1) != 1) break;
			convert_cmyk(j->cmyk, dst, c->output_width, j->gray);
			dst += stride;
			rows--;
			continue;
		}
		JSAMPROW lines[16];
		uint32_t n = rows < 16 ? rows : 16;
		for (uint32_t i = 0; i < n; i++) lines[i] = dst + i * stride + left;
		n = jpeg_read_scanlines(c, lines, n);
		if (n == 0) break;
		dst += n * stride;
		rows -= n;
	}
	if (rows > 0) {
		snprintf(j->reason, sizeof j->reason, "%u rows are missing", rows);
		fail(j, TG_JPEG_CORRUPT);
	}
out:
	j->cancel = NULL;
	return j->code;
}

int tg_jpeg_finish(tg_jpeg *j) {
	if (setjmp(j->trouble)) return j->code;
	j->code = TG_JPEG_OK;
	if (!j->eighth) jpeg_finish_decompress(&j->cinfo);
	return j->code;
}

int tg_jpeg_was_short(const tg_jpeg *j) { return j->eighth != NULL; }

const char *tg_jpeg_reason(const tg_jpeg *j) { return j->reason; }

void tg_jpeg_free(tg_jpeg *j) {
	if (j->created) jpeg_destroy_decompress(&j->cinfo);
	free(j->cmyk);
	free(j->eighth);
	free(j);
}
