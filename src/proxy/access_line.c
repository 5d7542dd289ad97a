/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_line.h"

#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "doc/utf8.h"

static const char digits[] = "0123456789abcdef";

/* Whether all of eight bytes are printable and need no backslash: a bit is set in the byte of each that isn't (and perhaps in those above
 * it, which changes nothing). */
static inline bool is_plain(uint64_t bytes, char end)
{
	const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
	uint64_t quote = bytes ^ ones * '"', slash = bytes ^ ones * '\\', delete = bytes ^ ones * 0x7f,
		 last = bytes ^ ones * (unsigned char)end;

	return !((bytes | (bytes - ones * ' ') | (quote - ones) | (slash - ones) | (delete - ones) | (last - ones)) & high);
}

/* Sixteen: eight from each place, which may overlap. */
#ifdef __SSE2__
static inline bool copy_sixteen(char *at, char *at2, const char *from, const char *from2, char end)
{
	__m128i x = _mm_unpacklo_epi64(
		_mm_loadl_epi64((const __m128i *)(const void *)from), _mm_loadl_epi64((const __m128i *)(const void *)from2));
	/* Signed: what is above 0x7f is negative and no more printable than a control. */
	__m128i control = _mm_cmplt_epi8(x, _mm_set1_epi8(' ')), delete = _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f));
	__m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
	__m128i last = _mm_cmpeq_epi8(x, _mm_set1_epi8(end));

	_mm_storel_epi64((__m128i *)(void *)at, x);
	_mm_storel_epi64((__m128i *)(void *)at2, _mm_unpackhi_epi64(x, x));
	return !_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_or_si128(control, delete), _mm_or_si128(quote, slash)), last));
}
#else
static inline bool copy_sixteen(char *at, char *at2, const char *from, const char *from2, char end)
{
	uint64_t a, b;

	memcpy(&a, from, 8);
	memcpy(&b, from2, 8);
	memcpy(at, &a, 8);
	memcpy(at2, &b, 8);
	return is_plain(a, end) && is_plain(b, end);
}
#endif

static inline bool is_plain_byte(unsigned char c, char end)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != (unsigned char)end;
}

static char *escape_hex(char *at, unsigned char c)
{
	*at++ = '\\';
	if (c == '"' || c == '\\') {
		*at++ = (char)c;
		return at;
	}
	*at++ = 'x';
	*at++ = digits[c >> 4];
	*at++ = digits[c & 15];
	return at;
}

/* One character, of which *length bytes were read (RFC 8259 section 7). What is no UTF-8 becomes U+FFFD, byte by byte. */
static char *escape_json(char *at, struct slice value, size_t *length)
{
	unsigned char c = (unsigned char)value.at[0];

	*length = 1;
	if (c >= 0x80) {
		unsigned n = utf8_length(value);

		*length = n ? n : 1;
		memcpy(at, n ? value.at : "\xef\xbf\xbd", n ? n : 3);
		return at + (n ? n : 3);
	}
	if (c >= ' ') {
		if (c != 0x7f)
			*at++ = '\\';
		*at++ = (char)c;
		return at;
	}
	memcpy(at, "\\u00", 4);
	at[4] = digits[c >> 4];
	at[5] = digits[c & 15];
	return at + 6;
}

/* Fewer than eight, of which some may be copied twice. */
static inline bool copy_few(char *at, struct slice value, char end)
{
	size_t length = value.length;
	uint32_t first, last;

	if (length >= 4) {
		memcpy(&first, value.at, 4);
		memcpy(&last, value.at + length - 4, 4);
		memcpy(at, &first, 4);
		memcpy(at + length - 4, &last, 4);
		return is_plain((uint64_t)last << 32 | first, end);
	}
	for (size_t i = 0; i < length; i++) {
		at[i] = value.at[i];
		if (!is_plain_byte((unsigned char)value.at[i], end))
			return false;
	}
	return true;
}

/* Copies all of it, and says whether it was right to: it is plain. */
static inline bool copy_plain(char *at, struct slice value, char end)
{
	const char *from = value.at;
	size_t length = value.length;
	bool plain = true;

	if (length < 8)
		return copy_few(at, value, end);
	for (size_t i = 0; i + 16 < length; i += 16)
		plain &= copy_sixteen(at + i, at + i + 8, from + i, from + i + 8, end);
	size_t half = length < 16 ? 0 : length - 16;

	return copy_sixteen(at + half, at + length - 8, from + half, from + length - 8, end) && plain;
}

/* In steps of eight while these are plain: what is written too much by that is overwritten, and there is always room for it. */
static char *write_any(char *at, struct slice value, unsigned most, enum access_escape escape, char end_byte)
{
	char *end = at + most - sizeof(uint64_t);

	while (value.length && at <= end) {
		size_t length = value.length < sizeof(uint64_t) ? value.length : sizeof(uint64_t);
		uint64_t eight = UINT64_MAX / 255 * 'x';
		unsigned char c = (unsigned char)value.at[0];

		memcpy(&eight, value.at, length);
		if (is_plain(eight, end_byte)) {
			memcpy(at, &eight, sizeof eight);
			at += length;
		} else {
			length = 1;
			if (is_plain_byte(c, end_byte))
				*at++ = (char)c;
			else
				at = escape == ACCESS_ESCAPE_JSON ? escape_json(at, value, &length) : escape_hex(at, c);
		}
		value = slice_from(value, length);
	}
	return at;
}

static inline char *write_value(char *at, struct slice value, unsigned most, enum access_escape escape, char end)
{
	size_t length = value.length < most ? value.length : most;

	if (copy_plain(at, slice_make(value.at, length), end))
		return at + length;
	return write_any(at, value, most, escape, end);
}

/* A quote is never plain, so that this costs nothing more. */
char *access_line_value(char *at, struct slice value, unsigned most, enum access_escape escape)
{
	return write_value(at, value, most, escape, '"');
}

char *access_line_value_to(char *at, struct slice value, unsigned most, char end)
{
	return write_value(at, value, most, ACCESS_ESCAPE_HEX, end);
}

/* Made once a millisecond, and all but the milliseconds once a second. */
char *access_line_time(char *at, struct worker *worker, int64_t wall)
{
	int64_t ms = wall / CLOCK_MS;
	struct access_time *time = &worker->access_time;

	if (ms != time->ms) {
		unsigned rest = (unsigned)(ms % 1000);

		if (ms / 1000 != time->ms / 1000) {
			struct clock_date date;

			clock_split(ms / 1000 * CLOCK_SECOND, &date);
			snprintf(time->text, sizeof time->text, "%04u-%02u-%02uT%02u:%02u:%02u.000Z", (unsigned)date.year % 10000,
				date.month, date.day, date.hour, date.minute, date.second);
		}
		for (unsigned i = 0; i < 3; i++, rest /= 10)
			time->text[sizeof "2026-11-26T18:22:19.123" - 2 - i] = (char)('0' + rest % 10);
		time->ms = ms;
	}
	return access_line_add(at, slice_make(time->text, sizeof time->text - 1));
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354"
			    "55565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
			    "9899";

static inline char *put_pair(char *at, unsigned number)
{
	memcpy(at, pairs + (size_t)number * 2, 2);
	return at + 2;
}

/* Below 1000. */
static inline char *put_small(char *at, unsigned number)
{
	if (number >= 100) {
		*at++ = (char)('0' + number / 100);
		return put_pair(at, number % 100);
	}
	if (number >= 10)
		return put_pair(at, number);
	*at++ = (char)('0' + number);
	return at;
}

/* Most are statuses, ports, microseconds. */
char *access_line_number(char *at, uint64_t number)
{
	if (number < 1000)
		return put_small(at, (unsigned)number);
	if (number < 100000)
		return put_pair(put_small(at, (unsigned)number / 100), (unsigned)number % 100);
	return put_pair(access_line_number(at, number / 100), (unsigned)(number % 100));
}

/* A byte of an address with the dot behind it. */
struct octet {
	char text[3];
	uint8_t length;
};

#define DIGIT(n) (char)('0' + (n) % 10)
#define OCTET(n) \
	{ \
		{ (n) >= 100                ? DIGIT((n) / 100) \
				: (n) >= 10 ? DIGIT((n) / 10) \
					    : DIGIT(n), \
			(n) >= 100 ? DIGIT((n) / 10) : DIGIT(n), DIGIT(n) }, \
			(n) >= 100  ? 3 \
			: (n) >= 10 ? 2 \
				    : 1 \
	}
#define FOUR(n) OCTET(n), OCTET((n) + 1), OCTET((n) + 2), OCTET((n) + 3)
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
#define SIXTY_FOUR(n) SIXTEEN(n), SIXTEEN((n) + 16), SIXTEEN((n) + 32), SIXTEEN((n) + 48)

static const struct octet octets[] = { SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192) };

/* What is behind its digits is overwritten. */
static inline char *put_octet(char *at, uint8_t byte)
{
	memcpy(at, &octets[byte], sizeof octets[byte]);
	at += octets[byte].length;
	*at = '.';
	return at + 1;
}

char *access_line_ip(char *at, const struct address *address)
{
	if (address->family != ADDRESS_IP4) {
		char text[ADDRESS_TEXT];

		return access_line_add(at, slice_make(text, (size_t)address_format_ip(address, text)));
	}
	at = put_octet(at, address->ip[0]);
	at = put_octet(at, address->ip[1]);
	at = put_octet(at, address->ip[2]);
	at = put_octet(at, address->ip[3]);
	return at - 1;
}
