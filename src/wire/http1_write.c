/* SPDX-License-Identifier: Apache-2.0 */
/* Heads are written in one pass: neighbouring lines that are forwarded as they came are copied in one piece. */
#include "wire/http1_parse.h"

#define BIT(id) (UINT64_C(1) << (id))

enum {
	DECIMAL_ROOM = 20,
	/* Version, status, Host's name, framing and connection lines and blanks: what is not in the head's slices. */
	OWN_ROOM = 160,
};

/* Fields that are about the connection, or that the codec writes itself. */
static const uint64_t own_fields =
	BIT(FIELD_CONNECTION) | BIT(FIELD_KEEP_ALIVE) | BIT(FIELD_PROXY_CONNECTION) | BIT(FIELD_TRANSFER_ENCODING) | BIT(FIELD_UPGRADE);

/* Which Content-Length field line is forwarded as it came. */
enum keep_length {
	KEEP_NONE,
	KEEP_EQUAL, /* one that says what will be sent */
	KEEP_ANY,   /* what it says is not about bytes that follow */
};

struct output {
	char *at, *end;
	bool full;
};

static void put(struct output *out, const char *bytes, size_t length)
{
	if ((size_t)(out->end - out->at) < length) {
		out->full = true;
		return;
	}
	memcpy(out->at, bytes, length);
	out->at += length;
}

static void put_slice(struct output *out, struct slice s)
{
	if (s.length > 0)
		put(out, s.at, s.length);
}

#define PUT(out, literal) put(out, "" literal, sizeof(literal) - 1)

static struct slice decimal(uint64_t value, char room[DECIMAL_ROOM])
{
	char *p = room + DECIMAL_ROOM;

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return slice_make(p, (size_t)(room + DECIMAL_ROOM - p));
}

/* Whether this Content-Length line may be forwarded. `length`: as it has to be written. */
static bool keeps(enum keep_length keep, const struct field *field, struct slice length)
{
	uint64_t value;

	if (keep == KEEP_EQUAL)
		return slice_equal(field_value(field), length);
	return keep == KEEP_ANY && http1_decimal(field_value(field), &value);
}

/* All fields that are forwarded. Answers whether a Content-Length field was among them. */
static bool put_fields(struct output *out, const struct head *head, uint64_t skip, enum keep_length keep, struct slice length)
{
	const char *run = NULL, *run_end = NULL;
	bool kept = false;

	for (size_t i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->dropped || (skip & BIT(field->id)))
			continue;
		if (field->id == FIELD_CONTENT_LENGTH) {
			if (kept || !keeps(keep, field, length))
				continue;
			kept = true;
		}
		if (field->line != run_end) {
			put_slice(out, slice_make(run, (size_t)(run_end - run)));
			run = field->line;
		}
		run_end = field->line + field->line_length;
	}
	put_slice(out, slice_make(run, (size_t)(run_end - run)));
	return kept;
}

static void put_length(struct output *out, struct slice length)
{
	PUT(out, "Content-Length: ");
	put_slice(out, length);
	PUT(out, "\r\n");
}

static void put_connection(struct output *out, enum http1_connection connection)
{
	switch (connection) {
	case HTTP1_CONNECTION_DEFAULT:
		break;
	case HTTP1_CONNECTION_CLOSE:
		PUT(out, "Connection: close\r\n");
		break;
	case HTTP1_CONNECTION_KEEP_ALIVE:
		PUT(out, "Connection: keep-alive\r\n");
		break;
	case HTTP1_CONNECTION_UPGRADE:
		PUT(out, "Connection: upgrade\r\n");
		break;
	}
}

static uint64_t skipped(enum http1_connection connection)
{
	return connection == HTTP1_CONNECTION_UPGRADE ? own_fields & ~BIT(FIELD_UPGRADE) : own_fields;
}

static size_t written(const struct output *out, const char *start)
{
	return out->full ? 0 : (size_t)(out->at - start);
}

size_t http1_head_room(const struct head *head)
{
	size_t room = OWN_ROOM + head->method_text.length + head->target.length + head->authority.length + head->reason.length;

	for (size_t i = 0; i < head->field_count; i++)
		room += head->fields[i].dropped ? 0 : head->fields[i].line_length;
	return room;
}

size_t http1_write_request(char *out, size_t room, const struct head *head, enum http1_connection connection)
{
	struct output output = { .at = out, .end = out + room };
	enum keep_length keep = head->body == BODY_CHUNKED ? KEEP_NONE : KEEP_EQUAL;
	char digits[DECIMAL_ROOM];
	struct slice length = decimal(head->body == BODY_LENGTH ? head->body_length : 0, digits);
	bool kept;

	put_slice(&output, head->method_text);
	PUT(&output, " ");
	put_slice(&output, head->target);
	PUT(&output, " HTTP/1.1\r\nHost: ");
	put_slice(&output, head->authority);
	PUT(&output, "\r\n");
	kept = put_fields(&output, head, skipped(connection) | BIT(FIELD_HOST), keep, length);
	if (head->body == BODY_CHUNKED)
		PUT(&output, "Transfer-Encoding: chunked\r\n");
	else if (head->body == BODY_LENGTH && !kept)
		put_length(&output, length);
	put_connection(&output, connection);
	PUT(&output, "\r\n");
	return written(&output, out);
}

enum body http1_response_framing(const struct head *head, enum version client)
{
	if (head->body == BODY_NONE || head->body == BODY_LENGTH)
		return head->body;
	return client == VERSION_1_0 ? BODY_UNTIL_CLOSE : BODY_CHUNKED;
}

/* Fields, and the framing of what follows (RFC 9112 section 6, RFC 9110 section 8.6). */
static void put_response_fields(
	struct output *out, const struct head *head, enum method request_method, enum body framing, enum http1_connection connection)
{
	bool never = head->status < 200 || head->status == 204 || (request_method == METHOD_CONNECT && head->status < 300);
	bool only_told = request_method == METHOD_HEAD || head->status == 304;
	enum keep_length keep = KEEP_NONE;
	char digits[DECIMAL_ROOM];
	struct slice length = decimal(framing == BODY_LENGTH ? head->body_length : 0, digits);
	bool kept;

	if (!never && only_told)
		keep = KEEP_ANY;
	else if (!never && (framing == BODY_NONE || framing == BODY_LENGTH))
		keep = KEEP_EQUAL;
	kept = put_fields(out, head, skipped(connection), keep, length);
	if (never || kept)
		return;
	if (framing == BODY_LENGTH || (framing == BODY_NONE && !only_told))
		put_length(out, length);
	else if (framing == BODY_CHUNKED && !only_told)
		PUT(out, "Transfer-Encoding: chunked\r\n");
}

size_t http1_write_response(
	char *out, size_t room, const struct head *head, enum method request_method, enum body framing, enum http1_connection connection)
{
	struct output output = { .at = out, .end = out + room };
	char digits[DECIMAL_ROOM];

	PUT(&output, "HTTP/1.1 ");
	put_slice(&output, decimal(head->status, digits));
	PUT(&output, " ");
	put_slice(&output, head->reason.at ? head->reason : status_reason(head->status));
	PUT(&output, "\r\n");
	put_response_fields(&output, head, request_method, framing, connection);
	put_connection(&output, connection);
	PUT(&output, "\r\n");
	return written(&output, out);
}

size_t http1_write_chunk_head(char out[HTTP1_CHUNK_HEAD_ROOM], uint64_t size, bool first)
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;
	int shift = 60;

	if (!first) {
		*p++ = '\r';
		*p++ = '\n';
	}
	while (shift > 0 && size >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = digits[size >> shift & 15];
	*p++ = '\r';
	*p++ = '\n';
	return (size_t)(p - out);
}

size_t http1_write_last_chunk(char out[HTTP1_LAST_CHUNK_ROOM], bool first)
{
	static const char last[] = "\r\n0\r\n\r\n";
	size_t skip = first ? 2 : 0;

	memcpy(out, last + skip, sizeof last - 1 - skip);
	return sizeof last - 1 - skip;
}

size_t http1_trailers_room(const struct fields *trailers)
{
	size_t room = HTTP1_LAST_CHUNK_ROOM;

	for (size_t i = 0; i < trailers->count; i++)
		room += trailers->at[i].line_length;
	return room;
}

size_t http1_write_trailers(char *out, size_t room, const struct fields *trailers, bool first)
{
	struct output output = { .at = out, .end = out + room };

	if (!first)
		PUT(&output, "\r\n");
	PUT(&output, "0\r\n");
	for (size_t i = 0; i < trailers->count; i++) {
		if (!trailers->at[i].dropped)
			put(&output, trailers->at[i].line, trailers->at[i].line_length);
	}
	PUT(&output, "\r\n");
	return written(&output, out);
}
