/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trace.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { NARROW = 32, WIDE = 40 }; /* bytes before base64 */
enum { NARROW_TEXT = 44, WIDE_TEXT = 56 };

_Static_assert((int)TRACE_TEXT == (int)WIDE_TEXT, "the header says how long it may be");

static uint64_t new_id(struct random *random)
{
	uint64_t id;

	do
		id = random_u64(random);
	while (!id);
	return id;
}

void trace_begin(struct trace *trace, struct random *random)
{
	uint64_t id = new_id(random);

	*trace = (struct trace){ .span = id, .parent = id, .id = id };
}

void trace_begin_wide(struct trace *trace, struct random *random)
{
	trace_begin(trace, random);
	trace->id_high = new_id(random);
	trace->wide = true;
}

void trace_child(struct trace *trace, struct random *random)
{
	trace->parent = trace->span;
	trace->span = new_id(random);
}

/* The steps of splitmix64, by which neighbours become as different as random numbers. */
void trace_attempt(struct trace *trace, unsigned n)
{
	uint64_t id = trace->span + n * UINT64_C(0x9e3779b97f4a7c15);

	id = (id ^ id >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	id = (id ^ id >> 27) * UINT64_C(0x94d049bb133111eb);
	id ^= id >> 31;
	trace->parent = trace->span;
	trace->span = id ? id : 1;
}

/* The value of a base64 digit (RFC 4648 section 4), or -1. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded base64 of at most WIDE bytes. Returns how many, or 0 when it is something else. */
static unsigned decode(struct slice text, uint8_t bytes[WIDE])
{
	unsigned padding = 0, length = 0, bits = 0;
	uint32_t held = 0;

	if (text.length % 4 != 0 || text.length / 4 * 3 > WIDE + 2)
		return 0;
	while (padding < 2 && text.length && text.at[text.length - 1] == '=') {
		padding++;
		text.length--;
	}
	for (size_t i = 0; i < text.length; i++) {
		int value = digit_value(text.at[i]);

		if (value < 0)
			return 0;
		held = held << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (length == WIDE)
				return 0;
			bytes[length++] = (uint8_t)(held >> bits);
		}
	}
	return (held & ((1u << bits) - 1)) == 0 ? length : 0;
}

static uint64_t read_u64(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void write_u64(uint8_t *bytes, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	memcpy(bytes, &value, sizeof value);
}

bool trace_decode(struct slice text, struct trace *trace)
{
	uint8_t bytes[WIDE];
	unsigned length = decode(text, bytes);

	if (length != NARROW && length != WIDE)
		return false;
	*trace = (struct trace){
		.span = read_u64(bytes),
		.parent = read_u64(bytes + 8),
		.id = read_u64(bytes + 16),
		.flags = read_u64(bytes + 24),
		.id_high = length == WIDE ? read_u64(bytes + 32) : 0,
		.wide = length == WIDE,
	};
	return true;
}

typedef uint64_t two_words __attribute__((vector_size(16)));
typedef uint8_t bytes_16 __attribute__((vector_size(16)));
typedef int8_t signed_16 __attribute__((vector_size(16)));

/* Six bytes each, in the lower ones of two words, as sixteen digits at once: each six bits are moved into a byte of their own, and that
 * to its letter, digit or sign. */
static inline __attribute__((always_inline)) void put_twelve(char out[16], uint64_t first, uint64_t second)
{
	two_words v = { first, second };

	v = (v << 8 & UINT64_C(0x00ffffff00000000)) | (v & UINT64_C(0x0000000000ffffff));
	v = (v << 4 & UINT64_C(0x0fff00000fff0000)) | (v & UINT64_C(0x00000fff00000fff));
	v = (v << 2 & UINT64_C(0x3f003f003f003f00)) | (v & UINT64_C(0x003f003f003f003f));
	signed_16 six = (signed_16)v;
	bytes_16 digit = (bytes_16)v + 'A';

	digit += (bytes_16)(six >= 26) & ('a' - 26 - 'A');
	digit -= (bytes_16)(six >= 52) & ('a' - 26 - ('0' - 52));
	digit -= (bytes_16)(six >= 62) & ('0' - 52 - ('+' - 62));
	digit += (bytes_16)(six >= 63) & ('/' - 63 - ('+' - 62));
	v = (two_words)digit;
	write_u64((uint8_t *)out, v[0]);
	write_u64((uint8_t *)out + 8, v[1]);
}

unsigned trace_encode(const struct trace *trace, char text[TRACE_ROOM])
{
	uint64_t last = trace->wide ? trace->id_high : 0;

	put_twelve(text, trace->span >> 16, trace->span << 32 | trace->parent >> 32);
	put_twelve(text + 16, trace->parent << 16 | trace->id >> 48, trace->id);
	put_twelve(text + 32, trace->flags >> 16, trace->flags << 32 | last >> 32);
	if (!trace->wide) {
		text[NARROW_TEXT - 1] = '=';
		return NARROW_TEXT;
	}
	put_twelve(text + 48, last << 16, 0);
	memset(text + WIDE_TEXT - 2, '=', 2);
	return WIDE_TEXT;
}

/* Each half byte is moved into a byte of its own, and those above 9 to the letters. */
#ifdef __SSE2__
void trace_hex(uint64_t id, char text[16])
{
	__m128i bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(id)), half = _mm_set1_epi8(0x0f);
	__m128i digits16 = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), half), _mm_and_si128(bytes, half));
	__m128i letters = _mm_and_si128(_mm_cmpgt_epi8(digits16, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));

	_mm_storeu_si128((__m128i *)(void *)text, _mm_add_epi8(_mm_add_epi8(digits16, _mm_set1_epi8('0')), letters));
}
#else
static uint64_t eight_digits(uint32_t half)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t v = half;

	v = (v << 16 | v) & UINT64_C(0x0000ffff0000ffff);
	v = (v << 8 | v) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v << 4 | v) & (ones * 0x0f);
	return v + ones * '0' + ((v + ones * 6) >> 4 & ones) * ('a' - '0' - 10);
}

void trace_hex(uint64_t id, char text[16])
{
	write_u64((uint8_t *)text, eight_digits((uint32_t)(id >> 32)));
	write_u64((uint8_t *)text + 8, eight_digits((uint32_t)id));
}
#endif

bool trace_unhex(struct slice text, uint64_t *id)
{
	*id = 0;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (unsigned)((c | 32) - 'a') + 10;
		else
			return false;
		*id = *id << 4 | digit;
	}
	return text.length == 16;
}
