/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1_parse.h"
#include "wire/http2.h"

#define BIT(id) (UINT64_C(1) << (id))

enum {
	DECIMAL_ROOM = 20,
	/* The table size update, and pseudo fields and a Content-Length beyond the head's slices. */
	OWN_ROOM = 160,
};

/* Fields that HTTP/2 doesn't know, or that the codec says in another way (RFC 9113 section 8.2.2). TE: see put_te. */
static const uint64_t own_fields = BIT(FIELD_CONNECTION) | BIT(FIELD_KEEP_ALIVE) | BIT(FIELD_PROXY_CONNECTION) |
	BIT(FIELD_TRANSFER_ENCODING) | BIT(FIELD_UPGRADE) | BIT(FIELD_HTTP2_SETTINGS) | BIT(FIELD_TE);

/* Whose names are in the static table. */
static const uint8_t names[FIELD_COUNT] = {
	[FIELD_ACCEPT_ENCODING] = HPACK_ACCEPT_ENCODING,
	[FIELD_CONTENT_LENGTH] = HPACK_CONTENT_LENGTH,
	[FIELD_CONTENT_TYPE] = HPACK_CONTENT_TYPE,
	[FIELD_COOKIE] = HPACK_COOKIE,
	[FIELD_DATE] = HPACK_DATE,
	[FIELD_EXPECT] = HPACK_EXPECT,
	[FIELD_HOST] = HPACK_HOST,
	[FIELD_LOCATION] = HPACK_LOCATION,
	[FIELD_MAX_FORWARDS] = HPACK_MAX_FORWARDS,
	[FIELD_PROXY_AUTHENTICATE] = HPACK_PROXY_AUTHENTICATE,
	[FIELD_PROXY_AUTHORIZATION] = HPACK_PROXY_AUTHORIZATION,
	[FIELD_REFERER] = HPACK_REFERER,
	[FIELD_RETRY_AFTER] = HPACK_RETRY_AFTER,
	[FIELD_SERVER] = HPACK_SERVER,
	[FIELD_USER_AGENT] = HPACK_USER_AGENT,
	[FIELD_VIA] = HPACK_VIA,
};

/* Which Content-Length field is sent as it came. */
enum keep_length {
	KEEP_NONE,
	KEEP_EQUAL, /* one that says what will be sent */
	KEEP_ANY,   /* what it says is not about bytes that follow */
};

static struct slice decimal(uint64_t value, char room[DECIMAL_ROOM])
{
	char *p = room + DECIMAL_ROOM;

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return slice_make(p, (size_t)(room + DECIMAL_ROOM - p));
}

static char *put_field(char *out, const struct field *field)
{
	return hpack_put_field(out, names[field->id], field_name(field), field_value(field), field->never_indexed);
}

static bool keeps(enum keep_length keep, const struct field *field, struct slice length)
{
	uint64_t value;

	if (keep == KEEP_EQUAL)
		return slice_equal(field_value(field), length);
	return keep == KEEP_ANY && http1_decimal(field_value(field), &value);
}

/* Of a websocket's handshake, what HTTP/2 doesn't need (RFC 8441 section 5). */
static bool is_handshake(const struct field *field)
{
	struct slice name = field_name(field);

	return field->id == FIELD_OTHER && name.length >= 17 &&
		(slice_equal_nocase(name, SLICE("sec-websocket-key")) || slice_equal_nocase(name, SLICE("sec-websocket-accept")));
}

static char *put_fields(char *out, const struct head *head, uint64_t skip, bool extended, enum keep_length keep, struct slice length)
{
	bool kept = keep != KEEP_EQUAL || head->body != BODY_LENGTH;

	for (size_t i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->dropped || (skip & BIT(field->id)) || (extended && is_handshake(field)))
			continue;
		if (field->id == FIELD_CONTENT_LENGTH) {
			if (!keeps(keep, field, length))
				continue;
			kept = true;
			keep = KEEP_NONE;
		}
		out = put_field(out, field);
	}
	if (!kept)
		out = hpack_put_field(out, HPACK_CONTENT_LENGTH, SLICE(""), length, false);
	return out;
}

/* The one that HTTP/2 has: trailers are welcome. The codec carries them, whatever it is that dropped the field as one of the
 * connection's. */
static char *put_te(char *out, const struct head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = field_value(&head->fields[i]), coding;

		while (head->fields[i].id == FIELD_TE && slice_split(&list, ',', &coding)) {
			if (slice_equal_nocase(slice_trim(coding), SLICE("trailers")))
				return hpack_put_field(out, HPACK_NONE, SLICE("te"), SLICE("trailers"), false);
		}
	}
	return out;
}

size_t http2_head_room(const struct head *head)
{
	size_t room = OWN_ROOM + head->method_text.length + head->target.length + head->authority.length + head->scheme.length;

	for (size_t i = 0; i < head->field_count; i++)
		room += hpack_field_room(head->fields[i].name_length, head->fields[i].value_length);
	return room;
}

static char *put_method(char *out, const struct head *head)
{
	if (head->method == METHOD_GET)
		return hpack_put_indexed(out, HPACK_METHOD_GET);
	if (head->method == METHOD_POST)
		return hpack_put_indexed(out, HPACK_METHOD_POST);
	return hpack_put_field(out, HPACK_METHOD_GET, SLICE(""), head->method_text, false);
}

static char *put_scheme(char *out, struct slice scheme)
{
	if (slice_equal(scheme, SLICE("http")))
		return hpack_put_indexed(out, HPACK_SCHEME_HTTP);
	if (slice_equal(scheme, SLICE("https")))
		return hpack_put_indexed(out, HPACK_SCHEME_HTTPS);
	return hpack_put_field(out, HPACK_SCHEME_HTTP, SLICE(""), scheme, false);
}

static char *put_upgrade_as_protocol(char *out, const struct head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->id == FIELD_UPGRADE && !field->dropped)
			return hpack_put_field(out, HPACK_NONE, SLICE(":protocol"), field_value(field), false);
	}
	return out;
}

static char *put_target(char *out, const struct head *head, struct slice scheme, bool extended)
{
	if (extended)
		out = hpack_put_field(out, HPACK_METHOD_GET, SLICE(""), SLICE("CONNECT"), false);
	else
		out = put_method(out, head);
	if (head->authority.length > 0)
		out = hpack_put_field(out, HPACK_AUTHORITY, SLICE(""), head->authority, false);
	if (head->method == METHOD_CONNECT)
		return out;
	out = put_scheme(out, head->scheme.length > 0 ? head->scheme : scheme);
	out = hpack_put_field(out, HPACK_PATH, SLICE(""), head->target, false);
	return extended ? put_upgrade_as_protocol(out, head) : out;
}

char *http2_write_request(char *out, const struct head *head, struct slice scheme, bool extended)
{
	enum keep_length keep = head->body == BODY_CHUNKED ? KEEP_NONE : KEEP_EQUAL;
	char digits[DECIMAL_ROOM];
	struct slice length = decimal(head->body == BODY_LENGTH ? head->body_length : 0, digits);

	if (extended)
		keep = KEEP_NONE;
	out = put_target(out, head, scheme, extended);
	out = put_fields(out, head, own_fields | BIT(FIELD_HOST), extended, keep, length);
	return put_te(out, head);
}

static char *put_status(char *out, unsigned status)
{
	static const uint16_t in_table[] = { 200, 204, 206, 304, 400, 404, 500 };
	char digits[DECIMAL_ROOM];

	for (unsigned i = 0; i < sizeof in_table / sizeof *in_table; i++) {
		if (status == in_table[i])
			return hpack_put_indexed(out, HPACK_STATUS_200 + i);
	}
	return hpack_put_field(out, HPACK_STATUS_200, SLICE(""), decimal(status, digits), false);
}

char *http2_write_response(char *out, const struct head *head, enum method request_method, unsigned status)
{
	bool upgraded = head->status == 101;
	bool never = head->status < 200 || head->status == 204 || (request_method == METHOD_CONNECT && head->status < 300);
	bool only_told = request_method == METHOD_HEAD || head->status == 304;
	enum keep_length keep = KEEP_NONE;
	char digits[DECIMAL_ROOM];
	struct slice length = decimal(head->body == BODY_LENGTH ? head->body_length : 0, digits);

	if (!never && only_told)
		keep = KEEP_ANY;
	else if (!never && (head->body == BODY_NONE || head->body == BODY_LENGTH))
		keep = KEEP_EQUAL;
	out = put_status(out, status ? status : head->status);
	return put_fields(out, head, own_fields, upgraded, keep, length);
}

size_t http2_trailers_room(const struct fields *trailers)
{
	size_t room = 1;

	for (size_t i = 0; i < trailers->count; i++)
		room += hpack_field_room(trailers->at[i].name_length, trailers->at[i].value_length);
	return room;
}

char *http2_write_trailers(char *out, const struct fields *trailers)
{
	for (size_t i = 0; i < trailers->count; i++) {
		if (!trailers->at[i].dropped)
			out = put_field(out, &trailers->at[i]);
	}
	return out;
}
