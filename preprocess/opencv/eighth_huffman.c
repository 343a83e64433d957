//go:build cgo && gocv_specific_modules

#include "eighth_huffman.h"

#include <string.h>

// Collects the codes that fit into TG_LOOK bits, until one ends the block.
static uint16_t several(const tg_codes *t, unsigned window) {
	int used = 0, passed = 0;
	while (used < TG_LOOK) {
		// Zeros come in from the right: a code that needs them is longer than what is left, and is not taken.
		unsigned e = t->one[(window << used) & ((1 << TG_LOOK) - 1)];
		int symbol = (int)(e >> TG_SKIP_SHIFT), run = symbol >> 4, size = symbol & 15, length = (int)(e & TG_SKIP_BITS) - size;
		if (e == 0 || used + length > TG_LOOK) break;
		if (size == 0 && run == 0) return (uint16_t)((passed + 1 + TG_SKIP_END) << TG_SKIP_SHIFT | (used + length));
		if (size == 0 && run != 15) break; // of no meaning in a baseline picture
		if (passed + run + 1 > 63) break;
		used += length + size;
		passed += run + 1;
	}
	if (passed == 0) return TG_SKIP_UNKNOWN << TG_SKIP_SHIFT;
	return (uint16_t)(passed << TG_SKIP_SHIFT | used);
}

int tg_codes_make(tg_codes *t, const JHUFF_TBL *from, int ac) {
	memset(t->one, 0, sizeof t->one);
	int32_t code = 0;
	int at = 0;
	for (int n = 1; n <= 16; n++, code <<= 1) {
		int count = from->bits[n];
		if (at + count > 256 || code + count >= 1 << n) return 0; // a code of ones only is not allowed
		t->first[n] = at - code;
		for (int i = 0; i < count; i++, at++, code++) {
			int symbol = t->symbols[at] = from->huffval[at];
			if (!ac && symbol > 15) return 0;
			if (n > TG_LOOK) continue;
			for (int k = 0; k < 1 << (TG_LOOK - n); k++) t->one[(code << (TG_LOOK - n)) + k] = (uint16_t)(symbol << TG_SKIP_SHIFT | (n + (symbol & 15)));
		}
		t->limit[n] = code;
	}
	return 1;
}

void tg_codes_make_many(tg_codes *t) {
	for (unsigned i = 0; i < 1 << TG_LOOK; i++) t->many[i] = several(t, i);
}

static void find_ff(tg_reader *r) {
	const uint8_t *ff = r->p < r->end ? memchr(r->p, 0xFF, (size_t)(r->end - r->p)) : NULL;
	r->ff = ff ? ff : r->end;
	r->plain = r->ff - r->p >= 8 ? r->ff - 8 : NULL;
}

void tg_reader_start(tg_reader *r, const uint8_t *p, const uint8_t *end) {
	r->p = p;
	r->end = end;
	r->bits = 0;
	r->n = r->zeros = 0;
	find_ff(r);
}

void tg_reader_slowly(tg_reader *r) {
	while (r->n < 56) {
		uint64_t byte = 0;
		if (r->p < r->ff) {
			byte = *r->p++;
		} else if (r->end - r->p >= 2 && r->p[1] == 0) { // p is at ff: a 0xFF that is data
			byte = 0xFF;
			r->p += 2;
			find_ff(r);
		} else {
			r->zeros += 8;
		}
		r->bits |= byte << (56 - r->n);
		r->n += 8;
	}
}

int tg_reader_at(const tg_reader *r, uint8_t marker) {
	int left = r->n - r->zeros;
	return left >= 0 && left < 8 && r->end - r->p >= 2 && r->p[0] == 0xFF && r->p[1] == marker;
}
