/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/hpack_table.h"

/* Kinds of representation, by their highest bits (RFC 7541 section 6). */
enum {
	INDEXED = 0x80,
	INCREMENTAL = 0x40,
	SIZE_UPDATE = 0x20,
	NEVER_INDEXED = 0x10,
};

/* A string literal as it was sent. */
struct literal {
	struct slice bytes;
	bool huffman;
};

/* A field as it was sent: an entry of a table, or a name from a table or not, and a value. */
struct representation {
	uint64_t index; /* of the entry, or of the name; 0: the name is a literal */
	struct literal name, value;
	bool whole; /* the entry's value, too */
	bool adds;  /* to the dynamic table */
	bool never_indexed;
};

/* RFC 7541 section 5.1, of a first byte with so many bits for it. What is longer than 32 bits need, even by zeros, is refused. */
static int read_integer(const char **at, const char *end, unsigned bits, uint64_t *value)
{
	enum { MOST_SHIFT = 28 };
	unsigned mask = (1u << bits) - 1;
	const char *p = *at;
	uint64_t sum;

	if (p == end)
		return ERROR_SYNTAX;
	sum = (unsigned char)*p++ & mask;
	if (sum == mask) {
		unsigned char byte;
		unsigned shift = 0;

		do {
			if (p == end || shift > MOST_SHIFT)
				return ERROR_SYNTAX;
			byte = (unsigned char)*p++;
			sum += (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		} while (byte & 0x80);
	}
	*at = p;
	*value = sum;
	return 0;
}

/* RFC 7541 section 5.2 */
static int read_literal(const char **at, const char *end, struct literal *literal)
{
	uint64_t length;
	int e;

	if (*at == end)
		return ERROR_SYNTAX;
	literal->huffman = **at & 0x80;
	e = read_integer(at, end, 7, &length);
	if (e || length > (uint64_t)(end - *at))
		return ERROR_SYNTAX;
	literal->bytes = slice_make(*at, (size_t)length);
	*at += length;
	return 0;
}

static int read_representation(const char **at, const char *end, struct representation *r)
{
	unsigned char first = (unsigned char)**at;
	int e;

	*r = (struct representation){ 0 };
	if (first & INDEXED) {
		r->whole = true;
		e = read_integer(at, end, 7, &r->index);
		return e || r->index == 0 ? ERROR_SYNTAX : 0;
	}
	r->adds = first & INCREMENTAL;
	if (!r->adds && (first & SIZE_UPDATE))
		return ERROR_SYNTAX;
	r->never_indexed = !r->adds && (first & NEVER_INDEXED);
	e = read_integer(at, end, r->adds ? 6 : 4, &r->index);
	if (e == 0 && r->index == 0)
		e = read_literal(at, end, &r->name);
	if (e == 0)
		e = read_literal(at, end, &r->value);
	return e;
}

static size_t literal_most(const struct literal *literal)
{
	return literal->huffman ? hpack_huffman_most(literal->bytes.length) : literal->bytes.length;
}

static int put_literal(const struct literal *literal, char *out, size_t room, size_t *length)
{
	if (literal->huffman)
		return hpack_huffman_decode(literal->bytes, out, room, length);
	*length = literal->bytes.length;
	if (*length > room)
		return ERROR_LIMIT;
	if (*length > 0)
		memcpy(out, literal->bytes.at, *length);
	return 0;
}

static const char separator[2] = { ':', ' ' }, line_end[2] = { '\r', '\n' };

/* The name, of an entry or not. */
static int put_name(struct hpack_decoder *decoder, const struct representation *r, const struct hpack_entry *entry, char *out, size_t room,
	size_t *length)
{
	if (r->index == 0)
		return put_literal(&r->name, out, room, length);
	*length = entry->name_length;
	if (*length > room)
		return ERROR_LIMIT;
	if (r->index <= HPACK_STATIC_COUNT)
		memcpy(out, hpack_static[r->index].name.at, *length);
	else
		hpack_table_copy(decoder, entry->at, *length, out);
	return 0;
}

static int put_value(struct hpack_decoder *decoder, const struct representation *r, const struct hpack_entry *entry, char *out, size_t room,
	size_t *length)
{
	if (!r->whole)
		return put_literal(&r->value, out, room, length);
	*length = entry->value_length;
	if (*length > room)
		return ERROR_LIMIT;
	if (r->index <= HPACK_STATIC_COUNT)
		memcpy(out, hpack_static[r->index].value.at, *length);
	else
		hpack_table_copy(decoder, (entry->at + entry->name_length) & (HPACK_TABLE_MOST - 1), *length, out);
	return 0;
}

static int find_entry(const struct hpack_decoder *decoder, uint64_t index, struct hpack_entry *entry)
{
	if (index > HPACK_STATIC_COUNT)
		return hpack_table_find(decoder, index, entry);
	entry->name_length = (uint16_t)hpack_static[index].name.length;
	entry->value_length = (uint16_t)hpack_static[index].value.length;
	return 0;
}

int hpack_begin(struct hpack_decoder *decoder, const char **at, const char *end)
{
	uint64_t size;

	while (*at < end && ((unsigned char)**at & (INDEXED | INCREMENTAL | SIZE_UPDATE)) == SIZE_UPDATE) {
		if (read_integer(at, end, 5, &size) || size > HPACK_TABLE_MOST)
			return ERROR_SYNTAX;
		decoder->limit = (uint32_t)size;
		hpack_table_evict(decoder, decoder->limit);
	}
	return 0;
}

/* The line, when it is known that there is room for it. */
static int put_line(struct hpack_decoder *decoder, const struct representation *r, const struct hpack_entry *entry, char *out, size_t room,
	struct hpack_field *field)
{
	size_t name_length, value_length;
	char *p = out;
	int e;

	e = put_name(decoder, r, entry, p, room, &name_length);
	if (e)
		return e;
	p += name_length;
	memcpy(p, separator, sizeof separator);
	p += sizeof separator;
	e = put_value(decoder, r, entry, p, room - name_length, &value_length);
	if (e)
		return e;
	memcpy(p + value_length, line_end, sizeof line_end);
	*field = (struct hpack_field){ out, (uint32_t)name_length, (uint32_t)value_length, r->never_indexed };
	if (!r->adds)
		return 0;
	return hpack_table_add(decoder, slice_make(out, name_length), slice_make(p, value_length));
}

int hpack_decode(struct hpack_decoder *decoder, const char **at, const char *end, char *out, size_t room, struct hpack_field *field)
{
	struct representation r;
	struct hpack_entry entry;
	const char *p = *at;
	size_t most;
	int e;

	e = read_representation(&p, end, &r);
	if (e == 0)
		e = find_entry(decoder, r.index, &entry);
	if (e)
		return e;
	most = r.index ? entry.name_length : literal_most(&r.name);
	most += r.whole ? entry.value_length : literal_most(&r.value);
	if (most + sizeof separator + sizeof line_end > room)
		return ERROR_LIMIT;
	e = put_line(decoder, &r, &entry, out, room, field);
	if (e == 0)
		*at = p;
	return e;
}

/* A text that is longer than the table empties it, however much longer it is. */
static int skip_added(struct hpack_decoder *decoder, const struct representation *r, const struct hpack_entry *entry)
{
	char name[HPACK_TABLE_MOST], value[HPACK_TABLE_MOST];
	size_t name_length, value_length;
	int e;

	e = put_name(decoder, r, entry, name, sizeof name, &name_length);
	if (e == 0)
		e = put_value(decoder, r, entry, value, sizeof value, &value_length);
	if (e == ERROR_LIMIT) {
		hpack_table_evict(decoder, 0);
		return 0;
	}
	return e ? e : hpack_table_add(decoder, slice_make(name, name_length), slice_make(value, value_length));
}

int hpack_skip(struct hpack_decoder *decoder, const char **at, const char *end)
{
	struct representation r;
	struct hpack_entry entry;
	const char *p = *at;
	int e;

	e = read_representation(&p, end, &r);
	if (e == 0)
		e = find_entry(decoder, r.index, &entry);
	if (e == 0 && r.adds)
		e = skip_added(decoder, &r, &entry);
	if (e == 0)
		*at = p;
	return e;
}
