// Reading of Huffman codes (ITU T.81, F.2.2 and annex C) for the decoder of eighths: tables that know several codes at once, and a reader
// that never touches a byte outside of the data.
#ifndef TRITON_GATEWAY_EIGHTH_HUFFMAN_H
#define TRITON_GATEWAY_EIGHTH_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

#define TG_LOOK 13 // bits that a table is looked up with

// Fields of a table's entries: how many bits to skip, of all codes and of what follows each; above them the symbol, or, in entries for
// several AC codes, the coefficients to pass. A shift by 0..63 needs no mask on most processors.
#define TG_SKIP_BITS 63
#define TG_SKIP_SHIFT 6
#define TG_SKIP_END 128     // added to the coefficients where the last code ends the block
#define TG_SKIP_UNKNOWN 256 // in place of the coefficients: look at the codes one by one

typedef struct {
	uint16_t one[1 << TG_LOOK];  // the first code; 0: longer than TG_LOOK bits, or none
	uint16_t many[1 << TG_LOOK]; // of AC tables: all codes that these bits hold
	int32_t limit[17];           // for each length, the first code that is too large for it
	int32_t first[17];           // what to add to a code to find its symbol
	uint8_t symbols[256];
} tg_codes;

// Makes a table, all but many. Gives 0 where the library would refuse it.
int tg_codes_make(tg_codes *t, const JHUFF_TBL *from, int ac);

// Makes many, which takes a tenth of a millisecond.
void tg_codes_make_many(tg_codes *t);

// A reader of one interval between markers. Where the interval ends it goes on with zeros, and counts them.
typedef struct {
	const uint8_t *p, *end;
	const uint8_t *plain; // while p <= plain, 8 bytes can be read that hold no 0xFF
	const uint8_t *ff;    // the next 0xFF at or after p, or end
	uint64_t bits;        // the next bits, from the top
	int n;                // how many of them count
	int zeros;            // how many of those that have been loaded were made up
} tg_reader;

void tg_reader_start(tg_reader *r, const uint8_t *p, const uint8_t *end);

// Adds bytes until there are 56 bits, where bytes that need care are near.
void tg_reader_slowly(tg_reader *r);

// Tells whether all codes since the start were there, and nothing but the rest of a byte is left, and then the marker 0xFF `marker`.
int tg_reader_at(const tg_reader *r, uint8_t marker);

// Makes 56 bits or more ready.
static inline void tg_fill(tg_reader *r) {
	if (r->p <= r->plain) {
		uint64_t next;
		__builtin_memcpy(&next, r->p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		next = __builtin_bswap64(next);
#endif
		r->bits |= next >> r->n;
		r->p += (63 - r->n) >> 3;
		r->n |= 56;
	} else {
		tg_reader copy = *r; // so that the reader itself can live in registers
		tg_reader_slowly(&copy);
		*r = copy;
	}
}

static inline void tg_skip(tg_reader *r, int n) {
	r->bits <<= n;
	r->n -= n;
}

// What the next bits b stand for, n of them, 0 to 15 (T.81, F.2.2.1).
static inline int tg_value(uint64_t b, int n) {
	int v = (int)(b >> 1 >> (63 - n));
	return v + (((v - ((1 << n) >> 1)) >> 31) & (1 - (1 << n)));
}

// Reads the next code and the bits that follow it, at most 31 together. Gives the symbol, whose low 4 bits tell how many follow, or -1.
static inline int tg_code(tg_reader *r, const tg_codes *t, int *value) {
	unsigned e = t->one[r->bits >> (64 - TG_LOOK)];
	if (e) {
		int all = (int)(e & TG_SKIP_BITS), symbol = (int)(e >> TG_SKIP_SHIFT), size = symbol & 15;
		*value = tg_value(r->bits << (all - size), size);
		tg_skip(r, all);
		return symbol;
	}
	for (int n = TG_LOOK + 1; n <= 16; n++) {
		int32_t code = (int32_t)(r->bits >> (64 - n));
		if (code < t->limit[n]) {
			int symbol = t->symbols[(code + t->first[n]) & 255], size = symbol & 15;
			*value = tg_value(r->bits << n, size);
			tg_skip(r, n + size);
			return symbol;
		}
	}
	return -1;
}

#endif
