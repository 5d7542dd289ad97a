/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/protobuf.h"

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, LONGEST = PROTOBUF_HEAD / 2 };

static inline size_t encode(uint64_t value, char out[LONGEST])
{
	size_t length = 0;

	for (; value >= 0x80; value >>= 7)
		out[length++] = (char)(value | 0x80);
	out[length++] = (char)value;
	return length;
}

static size_t encode_tag(unsigned field, unsigned type, char out[LONGEST])
{
	return encode((uint64_t)field << 3 | type, out);
}

void protobuf_varint(struct text *out, unsigned field, uint64_t value)
{
	char bytes[2 * LONGEST];
	size_t length = encode_tag(field, VARINT, bytes);

	text_append(out, slice_make(bytes, length + encode(value, bytes + length)));
}

static void put64(char *out, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (char)(value >> 8 * i);
}

void protobuf_packed64(struct text *out, uint64_t value)
{
	char bytes[8];

	put64(bytes, value);
	text_append(out, slice_make(bytes, sizeof bytes));
}

static uint64_t bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

void protobuf_packed_double(struct text *out, double value)
{
	protobuf_packed64(out, bits_of(value));
}

void protobuf_fixed64(struct text *out, unsigned field, uint64_t value)
{
	char bytes[LONGEST + 8];
	size_t length = encode_tag(field, FIXED64, bytes);

	put64(bytes + length, value);
	text_append(out, slice_make(bytes, length + 8));
}

void protobuf_double(struct text *out, unsigned field, double value)
{
	protobuf_fixed64(out, field, bits_of(value));
}

void protobuf_head(struct text *out, unsigned field, size_t length)
{
	char bytes[2 * LONGEST];
	size_t tag = encode_tag(field, LENGTH, bytes);

	text_append(out, slice_make(bytes, tag + encode(length, bytes + tag)));
}

char *protobuf_put_head(char *at, unsigned field, size_t length)
{
	at += encode_tag(field, LENGTH, at);
	return at + encode(length, at);
}

char *protobuf_put_varint(char *at, unsigned field, uint64_t value)
{
	at += encode_tag(field, VARINT, at);
	return at + encode(value, at);
}

char *protobuf_put_bytes(char *at, unsigned field, struct slice bytes)
{
	at = protobuf_put_head(at, field, bytes.length);
	memcpy(at, bytes.at, bytes.length);
	return at + bytes.length;
}

void protobuf_bytes(struct text *out, unsigned field, struct slice bytes)
{
	text_wrote(out, protobuf_put_bytes(text_room(out, PROTOBUF_HEAD + bytes.length), field, bytes));
}

size_t protobuf_size(unsigned field, size_t length)
{
	char bytes[LONGEST];

	return encode_tag(field, LENGTH, bytes) + encode(length, bytes) + length;
}

/* One byte is left for the length; most messages are that short. */
size_t protobuf_begin(struct text *out, unsigned field)
{
	protobuf_head(out, field, 0);
	return out->length;
}

void protobuf_end(struct text *out, size_t begun)
{
	char bytes[LONGEST];
	size_t length = out->length - begun, more = encode(length, bytes) - 1;

	if (more) {
		text_append(out, slice_make("\0\0\0\0\0\0\0\0\0", more));
		memmove(out->bytes + begun + more, out->bytes + begun, length);
	}
	memcpy(out->bytes + begun - 1, bytes, more + 1);
}
