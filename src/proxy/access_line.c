/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_line.h"

#include "doc/utf8.h"

static const char digits[] = "0123456789abcdef";

/* Whether all of eight bytes are printable and need no backslash: a bit is set in the byte of each that isn't (and perhaps in those above
 * it, which changes nothing). */
static bool is_plain(uint64_t bytes)
{
	const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
	uint64_t quote = bytes ^ ones * '"', slash = bytes ^ ones * '\\', delete = bytes ^ ones * 0x7f;

	return !((bytes | (bytes - ones * ' ') | (quote - ones) | (slash - ones) | (delete - ones)) & high);
}

static bool is_plain_byte(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
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
void access_line_value(struct access_line *line, struct slice value, unsigned most, enum access_escape escape)
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
		if (is_plain(eight)) {
			memcpy(at, &eight, sizeof eight);
			at += length;
		} else {
			length = 1;
			if (is_plain_byte(c))
				*at++ = (char)c;
			else
				at = escape == ACCESS_ESCAPE_JSON ? escape_json(at, value, &length) : escape_hex(at, c);
		}
		value = slice_from(value, length);
	}
	line->at = at;
}

void access_line_number(struct access_line *line, uint64_t number)
{
	char text[20];
	unsigned i = sizeof text;

	do
		text[--i] = (char)('0' + number % 10);
	while (number /= 10);
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
