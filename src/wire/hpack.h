/* SPDX-License-Identifier: Apache-2.0 */
/* wire/hpack.h: compression of header fields for HTTP/2 (RFC 7541), decoder and encoder. Pure; one thread.
 *
 * The decoder lays each field as a line, `name: value CRLF`, into the caller's memory, since struct field (wire/head.h) wants
 * it so. Its dynamic table comes from a pool when the peer first adds to it: a connection whose peer does not costs nothing.
 * A field that finds no room changes nothing, and can be decoded again with more of it, or be skipped.
 *
 * The encoder is stateless: what it writes are entries of the static table and literals that are not to be indexed. It tells
 * the peer so at the beginning of a connection, with a table size update to 0.
 *
 *	hpack_decoder_init(&decoder, &tables);
 *	e = hpack_begin(&decoder, &at, end);
 *	while (!e && at < end)
 *		e = hpack_decode(&decoder, &at, end, room, sizeof room, &field);
 *	hpack_decoder_fini(&decoder);
 */
#ifndef WIRE_HPACK_H
#define WIRE_HPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "base/slice.h"

enum {
	HPACK_TABLE_MOST = 4096,   /* bytes as RFC 7541 section 4.1 counts them: SETTINGS_HEADER_TABLE_SIZE, its default */
	HPACK_ENTRY_OVERHEAD = 32, /* of each entry, as counted */
	HPACK_STATIC_COUNT = 61,
};

struct hpack_table;

/* Embedded in the connection. */
struct hpack_decoder {
	struct pool *tables;       /* of hpack_table_size() bytes each */
	struct hpack_table *table; /* NULL: nothing was added yet */
	uint32_t limit;            /* what the peer has chosen to use, at most HPACK_TABLE_MOST */
	uint32_t used;             /* as counted */
	uint32_t at;               /* where the next entry is written */
	uint16_t count;            /* entries */
	uint16_t next;             /* place of the next entry */
};

struct hpack_field {
	const char *line; /* name, ": ", value, CRLF */
	uint32_t name_length, value_length;
	bool never_indexed; /* the sender wants it never to be in a table (RFC 7541 section 7.1.3) */
};

size_t hpack_table_size(void);

void hpack_decoder_init(struct hpack_decoder *decoder, struct pool *tables);
/* Gives the table back. */
void hpack_decoder_fini(struct hpack_decoder *decoder);

/* At the start of a header block: the table size updates that are allowed only there. ERROR_SYNTAX. */
MUST_CHECK int hpack_begin(struct hpack_decoder *decoder, const char **at, const char *end);

/* Decodes one field at *at, which is < end, and moves *at behind it. Errors: ERROR_SYNTAX (the connection can't go on);
 * ERROR_LIMIT: `room` may not be enough, nothing has changed; ERROR_NO_MEMORY: no table, the connection can't go on. */
MUST_CHECK int hpack_decode(
	struct hpack_decoder *decoder, const char **at, const char *end, char *out, size_t room, struct hpack_field *field);

/* The same, but nobody wants the field: only the table follows. ERROR_SYNTAX, ERROR_NO_MEMORY. */
MUST_CHECK int hpack_skip(struct hpack_decoder *decoder, const char **at, const char *end);

/* ---- Huffman code (RFC 7541 section 5.2 and appendix B) ---- */

/* Bytes that so many encoded ones decode to at most: the shortest code has 5 bits. */
static inline size_t hpack_huffman_most(size_t encoded)
{
	return encoded * 8 / 5;
}

/* ERROR_SYNTAX: padding of 8 bits or more, or not of ones; the end-of-string symbol. ERROR_LIMIT: it is more than `room`. */
MUST_CHECK int hpack_huffman_decode(struct slice encoded, char *out, size_t room, size_t *length);

/* ---- encoding: each writes at `out`, which has room for it, and answers where it ends ---- */

enum { HPACK_INTEGER_ROOM = 6 };

/* Indices into the static table, of entries that the encoder uses (RFC 7541 appendix A). */
enum hpack_index {
	HPACK_NONE,
	HPACK_AUTHORITY = 1,
	HPACK_METHOD_GET = 2,
	HPACK_METHOD_POST = 3,
	HPACK_PATH = 4,
	HPACK_SCHEME_HTTP = 6,
	HPACK_SCHEME_HTTPS = 7,
	HPACK_STATUS_200 = 8,
	HPACK_STATUS_500 = 14,
	HPACK_ACCEPT_ENCODING = 16,
	HPACK_CONTENT_LENGTH = 28,
	HPACK_CONTENT_TYPE = 31,
	HPACK_COOKIE = 32,
	HPACK_DATE = 33,
	HPACK_EXPECT = 35,
	HPACK_HOST = 38,
	HPACK_LOCATION = 46,
	HPACK_MAX_FORWARDS = 47,
	HPACK_PROXY_AUTHENTICATE = 48,
	HPACK_PROXY_AUTHORIZATION = 49,
	HPACK_REFERER = 51,
	HPACK_RETRY_AFTER = 53,
	HPACK_SERVER = 54,
	HPACK_USER_AGENT = 58,
	HPACK_VIA = 60,
};

/* What a field takes at most. */
static inline size_t hpack_field_room(size_t name_length, size_t value_length)
{
	return 1 + 2 * (size_t)HPACK_INTEGER_ROOM + name_length + value_length;
}

/* "We use no table": at the start of a connection's first block. */
char *hpack_put_no_table(char *out);
/* An entry of the static table, name and value. */
char *hpack_put_indexed(char *out, enum hpack_index index);
/* A literal whose name is that entry's; or, HPACK_NONE, `name`, which is put in lower case. */
char *hpack_put_field(char *out, enum hpack_index index, struct slice name, struct slice value, bool never_indexed);

#endif
