/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/utf8.h"

static bool continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* RFC 3629 section 4. */
unsigned utf8_length(struct slice bytes)
{
	if (!bytes.length)
		return 0;
	unsigned char a = (unsigned char)bytes.at[0];
	if (a < 0x80)
		return 1;
	if (a < 0xc2 || a > 0xf4)
		return 0;
	unsigned length = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
	if (bytes.length < length)
		return 0;
	unsigned char b = (unsigned char)bytes.at[1];
	unsigned char lowest = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
	unsigned char highest = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
	if (b < lowest || b > highest)
		return 0;
	for (unsigned i = 2; i < length; i++) {
		if (!continues((unsigned char)bytes.at[i]))
			return 0;
	}
	return length;
}

unsigned utf8_put(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	unsigned length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (unsigned i = length - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(leads[length] | code);
	return length;
}

size_t utf8_count(struct slice bytes)
{
	size_t count = 0;
	while (bytes.length) {
		unsigned length = utf8_length(bytes);
		bytes = slice_from(bytes, length ? length : 1);
		count++;
	}
	return count;
}
