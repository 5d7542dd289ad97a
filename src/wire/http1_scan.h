/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http1_scan.h: what kinds of bytes HTTP knows, and how far a run of one kind goes. Any thread.
 *
 * The http1_scan_* functions look at 16 bytes at once where there is SSE2, and read nothing before `from` nor at or behind
 * `end`; http1_scan_plain says the same byte by byte, for shorter texts and for other processors.
 *
 *	const char *stop = http1_scan_value(from, p, end);   // the first byte that no field value may contain, or end
 */
#ifndef WIRE_HTTP1_SCAN_H
#define WIRE_HTTP1_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum http1_kind {
	HTTP1_TOKEN = 1,  /* RFC 9110 section 5.6.2: tchar */
	HTTP1_VALUE = 2,  /* RFC 9110 section 5.5: field-vchar, SP, HTAB */
	HTTP1_TARGET = 4, /* visible ASCII but '#': more than RFC 3986 has, but nothing that delimits anything */
	HTTP1_HOST = 8,   /* RFC 3986 section 3.2.2: reg-name, without '%' */
	HTTP1_HEX = 16,
	HTTP1_DIGIT = 32,
};

extern const uint8_t http1_kinds[256];

static inline bool http1_is(char c, enum http1_kind kind)
{
	return http1_kinds[(unsigned char)c] & kind;
}

static inline bool http1_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline const char *http1_scan_plain(const char *p, const char *end, enum http1_kind kind)
{
	while (p < end && http1_is(*p, kind))
		p++;
	return p;
}

#ifdef __SSE2__
/* Each answers a bit for every one of the 16 bytes at which a scan has to stop. */
static inline unsigned http1_value_stops(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
	__m128i tab = _mm_cmpeq_epi8(x, _mm_set1_epi8('\t'));
	__m128i del = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}

static inline unsigned http1_target_stops(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* Signed: what is above 0x7f is negative and no more visible than a control. */
	__m128i visible = _mm_cmpgt_epi8(x, _mm_set1_epi8(' '));
	__m128i other = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)), _mm_cmpeq_epi8(x, _mm_set1_epi8('#')));

	return (unsigned)_mm_movemask_epi8(_mm_andnot_si128(other, visible)) ^ 0xffff;
}

/* Stops also at the token's rarer bytes: only letters, digits, '-', '.' and '_' go on. */
static inline unsigned http1_token_stops(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	__m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0'));
	__m128i known = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
		_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit));
	/* '-' and '.' are neighbours. */
	__m128i dash = _mm_sub_epi8(x, _mm_set1_epi8('-'));
	__m128i other = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(dash, _mm_set1_epi8(1)), dash), _mm_cmpeq_epi8(x, _mm_set1_epi8('_')));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(known, other)) ^ 0xffff;
}

/* From p on; `from` <= p is where the readable bytes begin, so that the last few can be looked at together with some before
 * them. */
static inline const char *http1_scan_wide(const char *from, const char *p, const char *end, unsigned (*stops)(const char *))
{
	unsigned found;

	for (; end - p >= 16; p += 16) {
		found = stops(p);
		if (found)
			return p + __builtin_ctz(found);
	}
	if (end - from < 16)
		return NULL;
	found = stops(end - 16) >> (16 - (end - p));
	return found ? p + __builtin_ctz(found) : end;
}
#else
#define http1_scan_wide(from, p, end, stops) ((void)(from), (const char *)NULL)
#endif

static inline const char *http1_scan_value(const char *from, const char *p, const char *end)
{
	const char *stop = http1_scan_wide(from, p, end, http1_value_stops);

	return stop ? stop : http1_scan_plain(p, end, HTTP1_VALUE);
}

static inline const char *http1_scan_target(const char *from, const char *p, const char *end)
{
	const char *stop = http1_scan_wide(from, p, end, http1_target_stops);

	return stop ? stop : http1_scan_plain(p, end, HTTP1_TARGET);
}

static inline const char *http1_scan_token(const char *from, const char *p, const char *end)
{
	const char *stop = http1_scan_wide(from, p, end, http1_token_stops);

	return http1_scan_plain(stop ? stop : p, end, HTTP1_TOKEN);
}

#endif
