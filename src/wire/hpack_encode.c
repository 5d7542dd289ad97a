/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/hpack.h"

/* RFC 7541 section 5.1 */
static char *put_integer(char *out, unsigned kind, unsigned bits, size_t value)
{
	size_t mask = (1u << bits) - 1;

	if (value < mask) {
		*out++ = (char)(kind | value);
		return out;
	}
	*out++ = (char)(kind | mask);
	for (value -= mask; value >= 0x80; value >>= 7)
		*out++ = (char)(0x80 | (value & 0x7f));
	*out++ = (char)value;
	return out;
}

static char *put_literal(char *out, struct slice s)
{
	out = put_integer(out, 0, 7, s.length);
	if (s.length > 0)
		memcpy(out, s.at, s.length);
	return out + s.length;
}

/* Of a token: what has no case keeps its byte. */
static char *put_name(char *out, struct slice name)
{
	out = put_integer(out, 0, 7, name.length);
	for (size_t i = 0; i < name.length; i++) {
		unsigned c = (unsigned char)name.at[i];

		*out++ = (char)(c | (unsigned)(c - 'A' < 26u) << 5);
	}
	return out;
}

char *hpack_put_no_table(char *out)
{
	return put_integer(out, 0x20, 5, 0);
}

char *hpack_put_indexed(char *out, enum hpack_index index)
{
	return put_integer(out, 0x80, 7, index);
}

char *hpack_put_field(char *out, enum hpack_index index, struct slice name, struct slice value, bool never_indexed)
{
	out = put_integer(out, never_indexed ? 0x10 : 0, 4, index);
	if (index == HPACK_NONE)
		out = put_name(out, name);
	return put_literal(out, value);
}
