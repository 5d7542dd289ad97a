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

/* Eight bytes of a token, which has ASCII only: what has no case keeps its byte. */
static void put_lower(char *out, const char *at)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t v, upper;

	memcpy(&v, at, sizeof v);
	upper = (v + ones * (128 - 'A')) & ~(v + ones * (128 - 'Z' - 1)) & ones * 128;
	v |= upper >> 2;
	memcpy(out, &v, sizeof v);
}

static char *put_name(char *out, struct slice name)
{
	out = put_integer(out, 0, 7, name.length);
	if (name.length >= 8) {
		for (size_t i = 0; i + 8 < name.length; i += 8)
			put_lower(out + i, name.at + i);
		put_lower(out + name.length - 8, name.at + name.length - 8);
		return out + name.length;
	}
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
