/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_line.h"

#include <stdio.h>

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

/* In steps of eight while these are plain: what is written too much by that is overwritten, and there is always room for it. */
static inline __attribute__((always_inline)) void write_value(
	struct access_line *line, struct slice value, unsigned most, enum access_escape escape, char end_byte)
{
	char *at = line->at, *end = at + most - sizeof(uint64_t);

	while (value.length && at <= end) {
		size_t length = sizeof(uint64_t);
		uint64_t eight = UINT64_MAX / 255 * 'x';
		unsigned char c = (unsigned char)value.at[0];

		if (value.length >= sizeof eight) {
			memcpy(&eight, value.at, sizeof eight);
		} else {
			length = value.length;
			memcpy(&eight, value.at, length);
		}
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
	line->at = at;
}

/* A quote is never plain, so that this costs nothing more. */
void access_line_value(struct access_line *line, struct slice value, unsigned most, enum access_escape escape)
{
	write_value(line, value, most, escape, '"');
}

void access_line_value_to(struct access_line *line, struct slice value, unsigned most, char end)
{
	write_value(line, value, most, ACCESS_ESCAPE_HEX, end);
}

/* All but the milliseconds is made once a second. */
void access_line_time(struct access_line *line, struct worker *worker, int64_t wall)
{
	int64_t ms = wall / CLOCK_MS, second = ms / 1000;
	unsigned rest = (unsigned)(ms % 1000);

	if (second != worker->access_time_second) {
		struct clock_date date;

		clock_split(second * CLOCK_SECOND, &date);
		snprintf(worker->access_time, sizeof worker->access_time, "%04u-%02u-%02uT%02u:%02u:%02u.", (unsigned)date.year % 10000,
			date.month, date.day, date.hour, date.minute, date.second);
		worker->access_time_second = second;
	}
	access_line_add(line, slice_make(worker->access_time, sizeof worker->access_time - 1));
	*line->at++ = (char)('0' + rest / 100);
	*line->at++ = (char)('0' + rest / 10 % 10);
	*line->at++ = (char)('0' + rest % 10);
	*line->at++ = 'Z';
}

/* Two digits at a time, from the last. */
void access_line_large_number(struct access_line *line, uint64_t number)
{
	char text[20];
	unsigned i = sizeof text;

	for (; number >= 100; number /= 100) {
		text[--i] = (char)('0' + number % 10);
		text[--i] = (char)('0' + number / 10 % 10);
	}
	if (number >= 10) {
		text[--i] = (char)('0' + number % 10);
		number /= 10;
	}
	text[--i] = (char)('0' + number);
	access_line_add(line, slice_make(text + i, sizeof text - i));
}

void access_line_ip(struct access_line *line, const struct address *address)
{
	char text[ADDRESS_TEXT];

	if (address->family != ADDRESS_IP4) {
		access_line_add(line, slice_make(text, (size_t)address_format_ip(address, text)));
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*line->at++ = '.';
		access_line_number(line, address->ip[i]);
	}
}
