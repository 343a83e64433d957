//go:build cgo && gocv_specific_modules

#include "eighth.h"

#include <stdlib.h>

#include "eighth_huffman.h"

// What this decoder takes: everything above comes from no encoder, and the library's ways to overflow need not be repeated.
#define MAX_COEFFICIENT 2048
#define TG_INLINE static inline __attribute__((always_inline))
#define MAX_SAMPLE 511 // before the level shift

// Weights of a coefficient in a column's (or row's) half, 13 bits after the point: the mean over four of eight samples of the basis
// function u, sqrt(2) / (2 sin(u * pi / 16)) but for the sign. The even ones but the first are 0.
static const int32_t half_weights[8] = {1 << 15, 29692, 0, -10426, 0, 6967, 0, -5906};

// Where the coefficients come in a block (T.81, figure A.6): 8 * row + column.
static const uint8_t zigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                   41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                   30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

typedef struct {
	const tg_codes *dc, *ac;
	const UINT16 *quant; // row by row
	int h, v;            // blocks of an MCU
	int pair;            // each block gives 2 x 2 samples instead of 1
	int last;            // the DC before
	uint8_t *rows;       // the samples of a row of MCUs
	size_t stride;
} component;

typedef struct {
	tg_codes dc[NUM_HUFF_TBLS], ac[NUM_HUFF_TBLS];
	int made_dc[NUM_HUFF_TBLS], made_ac[NUM_HUFF_TBLS], made_many[NUM_HUFF_TBLS];
	component comp[3];
	int32_t red_of_cr[256], blue_of_cb[256], green_of_cr[256], green_of_cb[256];
	uint8_t samples[]; // the rows of all components
} decoder;

static inline uint8_t level(int v) {
	v += 128;
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

// Reads the DC of a block, dequantised. Gives 0 where something is wrong. Takes 31 bits at most.
TG_INLINE int read_dc(tg_reader *r, component *c, int *out) {
	int difference;
	int size = tg_code(r, c->dc, &difference);
	if (size < 0 || size > 11) return 0;
	c->last += difference;
	if (c->last < -MAX_COEFFICIENT || c->last > MAX_COEFFICIENT) return 0;
	*out = c->last * c->quant[0];
	return 1;
}

// Passes over the AC coefficients of a block, right after its DC. A look-up takes 28 bits at most, so that two go with one filling, and
// so do the DC, of which 27 bits are good, and the first.
TG_INLINE int skip_ac(tg_reader *r, const tg_codes *t) {
	int k = 1;
	for (;;) {
		unsigned e = t->many[r->bits >> (64 - TG_LOOK)];
		int next = k + (int)(e >> TG_SKIP_SHIFT);
		if (next < 64) {
			tg_skip(r, (int)(e & TG_SKIP_BITS));
			k = next;
			tg_fill(r);
			e = t->many[r->bits >> (64 - TG_LOOK)];
			next = k + (int)(e >> TG_SKIP_SHIFT);
			if (next < 64) {
				tg_skip(r, (int)(e & TG_SKIP_BITS));
				k = next;
				continue;
			}
		}
		if (next == 64 || (next > TG_SKIP_END && next <= TG_SKIP_END + 64)) {
			tg_skip(r, (int)(e & TG_SKIP_BITS));
			return 1;
		}
		tg_fill(r); // the codes after the block's last one are not its own: one by one
		int value, symbol = tg_code(r, t, &value);
		if (symbol == 0) return 1;
		if (symbol < 0 || ((symbol & 15) == 0 && symbol != 0xF0)) return 0;
		k += (symbol >> 4) + 1;
		if (k >= 64) return k == 64;
		tg_fill(r);
	}
}

// (v + half) / 2^n, rounded down.
static inline int32_t descale(int32_t v, int n) { return (v + (1 << (n - 1))) >> n; }

// Reads a block, and writes its 2 x 2 samples: the inverse DCT of size 2 of the library's "islow", columns before rows.
TG_INLINE int read_pair(tg_reader *r, component *c, int dc, uint8_t *out) {
	int32_t even[8] = {dc}, odd[8] = {0}; // per column: row 0, and the rows that tell the upper half from the lower
	const tg_codes *t = c->ac;
	int any = 0;
	for (int k = 1; k < 64; k++) {
		tg_fill(r);
		int value, symbol = tg_code(r, t, &value), size = symbol & 15;
		if (symbol == 0) break;
		if (symbol < 0 || (size == 0 && symbol != 0xF0)) return 0;
		k += symbol >> 4;
		if (k > 63) return 0;
		if (size == 0) continue;
		int at = zigzag[k];
		any = 1;
		int v = value * c->quant[at];
		if (v < -MAX_COEFFICIENT || v > MAX_COEFFICIENT) return 0;
		if (at < 8)
			even[at] = v;
		else
			odd[at & 7] += v * half_weights[at >> 3];
	}
	if (!any) {
		int sample = descale(dc, 3);
		if (sample < -MAX_SAMPLE || sample > MAX_SAMPLE) return 0;
		out[0] = out[1] = out[c->stride] = out[c->stride + 1] = level(sample);
		return 1;
	}
	for (int y = 0; y < 2; y++) {
		int32_t sum = 0, first = 0;
		for (int u = 0; u < 8; u = u == 0 ? 1 : u + 2) {
			int32_t column = descale(even[u] * half_weights[0] + (y ? -odd[u] : odd[u]), 13);
			if (u == 0)
				first = column * half_weights[0];
			else
				sum += column * half_weights[u];
		}
		int left = descale(first + sum, 20), right = descale(first - sum, 20);
		if (left < -MAX_SAMPLE || left > MAX_SAMPLE || right < -MAX_SAMPLE || right > MAX_SAMPLE) return 0;
		out[0] = level(left);
		out[1] = level(right);
		out += c->stride;
	}
	return 1;
}

// Reads an MCU, the x-th of its row. A component without rows is passed over.
TG_INLINE int read_mcu(tg_reader *reader, component *comps, int n, size_t x) {
	tg_reader local = *reader, *r = &local; // lives in registers
	for (int i = 0; i < n; i++) {
		component *c = &comps[i];
		for (int v = 0; v < c->v; v++) {
			for (int h = 0; h < c->h; h++) {
				int dc;
				tg_fill(r);
				if (!read_dc(r, c, &dc)) return 0;
				if (c->pair) {
					if (dc < -MAX_COEFFICIENT || dc > MAX_COEFFICIENT) return 0;
					if (!read_pair(r, c, dc, c->rows + x * 2)) return 0;
					continue;
				}
				int sample = descale(dc, 3);
				if (sample < -MAX_SAMPLE || sample > MAX_SAMPLE || !skip_ac(r, c->ac)) return 0;
				if (c->rows) c->rows[(size_t)v * c->stride + x * (size_t)c->h + (size_t)h] = level(sample);
			}
		}
	}
	*reader = local;
	return 1;
}

static inline uint8_t clip(int v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

// JFIF's conversion, with 16 bits after the point.
static void make_colours(decoder *d) {
	for (int i = 0; i < 256; i++) {
		int x = i - 128;
		d->red_of_cr[i] = (91881 * x + 32768) >> 16;   // 1.402
		d->blue_of_cb[i] = (116130 * x + 32768) >> 16; // 1.772
		d->green_of_cr[i] = -46802 * x;                // 0.71414
		d->green_of_cb[i] = -22554 * x + 32768;        // 0.34414
	}
}

// Writes row y of the row of MCUs.
static void write_row(const decoder *d, int n, int gray, int y, uint8_t *dst, uint32_t width) {
	const component *c = d->comp;
	const uint8_t *luma = c[0].rows + (size_t)y * c[0].stride;
	if (gray || n == 1) {
		for (uint32_t x = 0; x < width; x++) {
			*dst++ = luma[x];
			if (!gray) *dst++ = luma[x], *dst++ = luma[x];
		}
		return;
	}
	int wide = !c[1].pair && c[0].h == 2; // each chroma sample is for two pixels side by side
	size_t line = (size_t)(c[1].pair || c[0].v == 1 ? y : 0);
	const uint8_t *cb = c[1].rows + line * c[1].stride, *cr = c[2].rows + line * c[2].stride;
	for (uint32_t x = 0; x < width; x++) {
		int u = cb[x >> wide], v = cr[x >> wide];
		*dst++ = clip(luma[x] + d->red_of_cr[v]);
		*dst++ = clip(luma[x] + ((d->green_of_cb[u] + d->green_of_cr[v]) >> 16));
		*dst++ = clip(luma[x] + d->blue_of_cb[u]);
	}
}

static int read_scan(const struct jpeg_decompress_struct *c, decoder *d, int gray, uint32_t columns, uint8_t *dst, uint32_t width,
                     uint32_t height, const volatile int32_t *cancel) {
	const uint8_t *p = c->src->next_input_byte, *end = p + c->src->bytes_in_buffer;
	int n = c->num_components;
	size_t stride = (size_t)width * (gray ? 1 : 3);
	unsigned left = c->restart_interval, restarts = 0;
	tg_reader r;
	tg_reader_start(&r, p, end);
	for (uint32_t y = 0; y < height;) {
		if (cancel && *cancel) return TG_EIGHTH_CANCELED;
		for (uint32_t x = 0; x < columns; x++) {
			if (c->restart_interval > 0 && left-- == 0) {
				if (!tg_reader_at(&r, (uint8_t)(0xD0 + restarts++ % 8))) return TG_EIGHTH_NOT_MINE;
				tg_reader_start(&r, r.p + 2, end);
				for (int i = 0; i < n; i++) d->comp[i].last = 0;
				left = c->restart_interval - 1;
			}
			if (!read_mcu(&r, d->comp, n, x)) return TG_EIGHTH_NOT_MINE;
		}
		if (r.n < r.zeros) return TG_EIGHTH_NOT_MINE; // the data ended before
		for (int i = 0; i < d->comp[0].v && y < height; i++, y++) write_row(d, n, gray, i, dst + y * stride, width);
	}
	return tg_reader_at(&r, 0xD9) ? TG_EIGHTH_DONE : TG_EIGHTH_NOT_MINE;
}

// Tells whether the scan is one that this decoder knows. For these the library does what is done here: it makes chroma of half the size
// both ways twice as large by its inverse DCT, and repeats samples of chroma of half the width only.
static int known(const struct jpeg_decompress_struct *c) {
	int n = c->num_components;
	if (c->progressive_mode || c->arith_code || c->data_precision != 8 || c->comps_in_scan != n || c->Ss != 0 || c->Se != 63 || c->Ah != 0 ||
	    c->Al != 0 || c->dct_method != JDCT_ISLOW || !c->do_fancy_upsampling || c->unread_marker != 0)
		return 0;
	if (n != (c->jpeg_color_space == JCS_GRAYSCALE ? 1 : c->jpeg_color_space == JCS_YCbCr ? 3 : 0)) return 0;
	for (int i = 0; i < n; i++) {
		const jpeg_component_info *p = &c->comp_info[i];
		if (c->cur_comp_info[i] != p) return 0;
		if (p->quant_tbl_no < 0 || p->quant_tbl_no >= NUM_QUANT_TBLS || !c->quant_tbl_ptrs[p->quant_tbl_no]) return 0;
		if (p->dc_tbl_no < 0 || p->dc_tbl_no >= NUM_HUFF_TBLS || !c->dc_huff_tbl_ptrs[p->dc_tbl_no]) return 0;
		if (p->ac_tbl_no < 0 || p->ac_tbl_no >= NUM_HUFF_TBLS || !c->ac_huff_tbl_ptrs[p->ac_tbl_no]) return 0;
		if (i > 0 && (p->h_samp_factor != 1 || p->v_samp_factor != 1)) return 0;
	}
	int h = c->comp_info[0].h_samp_factor, v = c->comp_info[0].v_samp_factor;
	return n == 1 || (h == 1 && v == 1) || (h == 2 && (v == 1 || v == 2)); // with one component the factors say nothing
}

int tg_eighth(const struct jpeg_decompress_struct *c, int gray, uint8_t *dst, uint32_t width, uint32_t height, const volatile int32_t *cancel) {
	if (!known(c)) return TG_EIGHTH_NOT_MINE;
	int n = c->num_components;
	int h = n == 1 ? 1 : c->comp_info[0].h_samp_factor, v = n == 1 ? 1 : c->comp_info[0].v_samp_factor;
	if ((c->image_width + 7) / 8 != width || (c->image_height + 7) / 8 != height) return TG_EIGHTH_NOT_MINE;
	uint32_t columns = (width + (uint32_t)h - 1) / (uint32_t)h;
	size_t stride = (size_t)columns * (size_t)h, area = stride * (size_t)v; // samples of one component, at most
	decoder *d = malloc(sizeof *d + 3 * area);
	if (!d) return TG_EIGHTH_NOT_MINE;
	for (int i = 0; i < NUM_HUFF_TBLS; i++) d->made_dc[i] = d->made_ac[i] = d->made_many[i] = 0;
	int ok = TG_EIGHTH_NOT_MINE;
	for (int i = 0; i < n; i++) {
		const jpeg_component_info *p = &c->comp_info[i];
		int dc = p->dc_tbl_no, ac = p->ac_tbl_no;
		if (!d->made_dc[dc] && !tg_codes_make(&d->dc[dc], c->dc_huff_tbl_ptrs[dc], 0)) goto out;
		if (!d->made_ac[ac] && !tg_codes_make(&d->ac[ac], c->ac_huff_tbl_ptrs[ac], 1)) goto out;
		d->made_dc[dc] = d->made_ac[ac] = 1;
		int pair = i > 0 && v == 2 && !gray;
		if (!pair && !d->made_many[ac]) tg_codes_make_many(&d->ac[ac]);
		d->made_many[ac] |= !pair;
		d->comp[i] = (component){.dc = &d->dc[dc], .ac = &d->ac[ac], .quant = c->quant_tbl_ptrs[p->quant_tbl_no]->quantval,
		                         .h = i == 0 ? h : 1, .v = i == 0 ? v : 1, .pair = pair, .stride = stride};
		if (i == 0 || !gray) d->comp[i].rows = d->samples + (size_t)i * area;
	}
	make_colours(d);
	ok = read_scan(c, d, gray, columns, dst, width, height, cancel);
out:
	free(d);
	return ok;
}
