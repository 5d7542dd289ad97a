/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"

#include "wire/http1_scan.h"

enum { LONGEST_NAME = 23, SLOTS = 128 };

/* One cache line holds two. */
static const struct name {
	char text[31];
	uint8_t length;
} names[FIELD_COUNT] = {
#define X(id, name) [FIELD_##id] = { name, sizeof(name) - 1 },
	FIELD_TABLE(X)
#undef X
};

/* A perfect hash: two names on one slot are an overridden initialiser, which the compiler reports. A name that is missing
 * here is found by the unit test. The factors came from trying them out. */
#define SLOT(length, first, middle, last) (((length) + 4 * (first) + 3 * (middle) + 9 * (last)) % SLOTS)

static const uint8_t slots[SLOTS] = {
	[SLOT(15, 'a', 'e', 'g')] = FIELD_ACCEPT_ENCODING,
	[SLOT(2, 'b', '3', '3')] = FIELD_B3,
	[SLOT(10, 'c', 'c', 'n')] = FIELD_CONNECTION,
	[SLOT(14, 'c', '-', 'h')] = FIELD_CONTENT_LENGTH,
	[SLOT(12, 'c', 't', 'e')] = FIELD_CONTENT_TYPE,
	[SLOT(6, 'c', 'k', 'e')] = FIELD_COOKIE,
	[SLOT(4, 'd', 't', 'e')] = FIELD_DATE,
	[SLOT(6, 'e', 'e', 't')] = FIELD_EXPECT,
	[SLOT(9, 'f', 'a', 'd')] = FIELD_FORWARDED,
	[SLOT(12, 'g', 'e', 'e')] = FIELD_GRPC_MESSAGE,
	[SLOT(11, 'g', 's', 's')] = FIELD_GRPC_STATUS,
	[SLOT(12, 'g', 'i', 't')] = FIELD_GRPC_TIMEOUT,
	[SLOT(4, 'h', 's', 't')] = FIELD_HOST,
	[SLOT(14, 'h', 'e', 's')] = FIELD_HTTP2_SETTINGS,
	[SLOT(10, 'k', 'a', 'e')] = FIELD_KEEP_ALIVE,
	[SLOT(8, 'l', 't', 'n')] = FIELD_LOCATION,
	[SLOT(12, 'm', 'r', 's')] = FIELD_MAX_FORWARDS,
	[SLOT(18, 'p', 'h', 'e')] = FIELD_PROXY_AUTHENTICATE,
	[SLOT(19, 'p', 'h', 'n')] = FIELD_PROXY_AUTHORIZATION,
	[SLOT(16, 'p', 'n', 'n')] = FIELD_PROXY_CONNECTION,
	[SLOT(7, 'r', 'e', 'r')] = FIELD_REFERER,
	[SLOT(11, 'r', '-', 'r')] = FIELD_RETRY_AFTER,
	[SLOT(6, 's', 'v', 'r')] = FIELD_SERVER,
	[SLOT(2, 't', 'e', 'e')] = FIELD_TE,
	[SLOT(11, 't', 'p', 't')] = FIELD_TRACEPARENT,
	[SLOT(7, 't', 'i', 'r')] = FIELD_TRAILER,
	[SLOT(17, 't', '-', 'g')] = FIELD_TRANSFER_ENCODING,
	[SLOT(7, 'u', 'r', 'e')] = FIELD_UPGRADE,
	[SLOT(10, 'u', 'a', 't')] = FIELD_USER_AGENT,
	[SLOT(3, 'v', 'i', 'a')] = FIELD_VIA,
	[SLOT(12, 'x', 'r', 'd')] = FIELD_X_B3_TRACEID,
	[SLOT(23, 'x', '-', 't')] = FIELD_X_FORWARDED_CLIENT_CERT,
	[SLOT(15, 'x', 'r', 'r')] = FIELD_X_FORWARDED_FOR,
	[SLOT(17, 'x', 'd', 'o')] = FIELD_X_FORWARDED_PROTO,
	[SLOT(12, 'x', 'e', 'd')] = FIELD_X_REQUEST_ID,
	[SLOT(15, 'l', '-', 't')] = FIELD_L5D_ADD_CONTEXT,
	[SLOT(16, 'l', 'd', 'e')] = FIELD_L5D_CTX_DEADLINE,
	[SLOT(12, 'l', 'x', 'b')] = FIELD_L5D_CTX_DTAB,
	[SLOT(13, 'l', 'x', 'e')] = FIELD_L5D_CTX_TRACE,
	[SLOT(14, 'l', '-', 't')] = FIELD_L5D_DST_CLIENT,
	[SLOT(16, 'l', 'r', 'l')] = FIELD_L5D_DST_RESIDUAL,
	[SLOT(15, 'l', '-', 'e')] = FIELD_L5D_DST_SERVICE,
	[SLOT(8, 'l', 'd', 'b')] = FIELD_L5D_DTAB,
	[SLOT(7, 'l', '-', 'r')] = FIELD_L5D_ERR,
	[SLOT(8, 'l', 'n', 'e')] = FIELD_L5D_NAME,
	[SLOT(9, 'l', 'r', 'd')] = FIELD_L5D_REQID,
	[SLOT(13, 'l', 't', 'e')] = FIELD_L5D_RETRYABLE,
	[SLOT(10, 'l', 'a', 'e')] = FIELD_L5D_SAMPLE,
	[SLOT(17, 'l', 'e', 's')] = FIELD_L5D_SUCCESS_CLASS,
};

static uint64_t load64(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

static uint32_t load32(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

/* Case is ignored only where the lower-case name has a letter, so that no other byte passes for one of its own. */
static bool words_differ(uint64_t received, uint64_t lower)
{
	return (received | (lower & UINT64_C(0x4040404040404040)) >> 1) != lower;
}

static bool is_name(struct slice name, const char *lower)
{
	size_t at;

	if (name.length >= 8) {
		for (at = 0; at + 8 < name.length; at += 8) {
			if (words_differ(load64(name.at + at), load64(lower + at)))
				return false;
		}
		at = name.length - 8;
		return !words_differ(load64(name.at + at), load64(lower + at));
	}
	if (name.length >= 4) {
		at = name.length - 4;
		return !words_differ(load32(name.at), load32(lower)) && !words_differ(load32(name.at + at), load32(lower + at));
	}
	for (at = 0; at < name.length; at++) {
		if (words_differ((unsigned char)name.at[at], (unsigned char)lower[at]))
			return false;
	}
	return true;
}

enum field_id field_identify(struct slice name)
{
	enum { LOWER = 0x20 };
	enum field_id id;

	if (name.length - 1 >= LONGEST_NAME)
		return FIELD_OTHER;
	id = slots[SLOT(name.length, (unsigned char)name.at[0] | LOWER, (unsigned char)name.at[name.length / 2] | LOWER,
		(unsigned char)name.at[name.length - 1] | LOWER)];
	if (names[id].length != name.length || !is_name(name, names[id].text))
		return FIELD_OTHER;
	return id;
}

struct slice field_canonical(enum field_id id)
{
	return slice_make(names[id].text, names[id].length);
}

static enum method method_if(struct slice text, const char *name, enum method method)
{
	return memcmp(text.at, name, text.length) == 0 ? method : METHOD_OTHER;
}

enum method method_identify(struct slice text)
{
	switch (text.length) {
	case 3:
		return text.at[0] == 'G' ? method_if(text, "GET", METHOD_GET) : method_if(text, "PUT", METHOD_PUT);
	case 4:
		return text.at[0] == 'H' ? method_if(text, "HEAD", METHOD_HEAD) : method_if(text, "POST", METHOD_POST);
	case 5:
		return text.at[0] == 'T' ? method_if(text, "TRACE", METHOD_TRACE) : method_if(text, "PATCH", METHOD_PATCH);
	case 6:
		return method_if(text, "DELETE", METHOD_DELETE);
	case 7:
		return text.at[0] == 'C' ? method_if(text, "CONNECT", METHOD_CONNECT) : method_if(text, "OPTIONS", METHOD_OPTIONS);
	default:
		return METHOD_OTHER;
	}
}

static struct field *find_from(struct head *head, size_t from, enum field_id id)
{
	for (size_t i = from; i < head->field_count; i++) {
		if (head->fields[i].id == id && !head->fields[i].dropped)
			return &head->fields[i];
	}
	return NULL;
}

struct field *head_find(struct head *head, enum field_id id)
{
	if (id != FIELD_OTHER && !head_has(head, id))
		return NULL;
	return find_from(head, 0, id);
}

struct field *head_find_next(struct head *head, const struct field *after)
{
	return find_from(head, (size_t)(after - head->fields) + 1, after->id);
}

struct field *head_find_name(struct head *head, struct slice name)
{
	enum field_id id = field_identify(name);

	if (id != FIELD_OTHER)
		return head_find(head, id);
	for (struct field *field = find_from(head, 0, id); field; field = head_find_next(head, field)) {
		if (slice_equal_nocase(field_name(field), name))
			return field;
	}
	return NULL;
}

void head_drop(struct head *head, struct field *field)
{
	field->dropped = true;
	if (field->id != FIELD_OTHER && !find_from(head, 0, field->id))
		head->present &= ~(UINT64_C(1) << field->id);
}

void head_drop_all(struct head *head, enum field_id id)
{
	if (!head_has(head, id))
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == id)
			head->fields[i].dropped = true;
	}
	head->present &= ~(UINT64_C(1) << id);
}

int head_add_line(struct head *head, enum field_id id, struct slice line, unsigned name_length, unsigned value_offset)
{
	size_t value_end = line.length - 2;

	if (head_is_full(head))
		return ERROR_LIMIT;
	if (line.length > UINT32_MAX || value_offset > UINT16_MAX)
		return ERROR_INVALID;
	while (value_end > value_offset && http1_is_blank(line.at[value_end - 1]))
		value_end--;
	head->fields[head->field_count++] = (struct field){
		.line = line.at,
		.line_length = (uint32_t)line.length,
		.name_length = (uint16_t)name_length,
		.value_offset = (uint16_t)value_offset,
		.value_length = (uint32_t)(value_end - value_offset),
		.id = (uint8_t)id,
	};
	head->present |= (UINT64_C(1) << id) & ~UINT64_C(1);
	return 0;
}

int head_add(struct head *head, struct arena *arena, enum field_id id, struct slice name, struct slice value)
{
	size_t length = name.length + 2 + value.length + 2;
	const char *name_end = name.at + name.length, *value_end = value.at + value.length;
	char *line;

	if (name.length == 0 || name.length > UINT16_MAX - 2 || value.length > UINT32_MAX / 2)
		return ERROR_INVALID;
	if (http1_scan_token(name.at, name.at, name_end) != name_end || http1_scan_value(value.at, value.at, value_end) != value_end)
		return ERROR_INVALID;
	if (head_is_full(head))
		return ERROR_LIMIT;
	line = arena_get(arena, length);
	if (!line)
		return ERROR_NO_MEMORY;
	memcpy(line, name.at, name.length);
	memcpy(line + name.length, ": ", 2);
	if (value.length > 0)
		memcpy(line + name.length + 2, value.at, value.length);
	memcpy(line + length - 2, "\r\n", 2);
	if (id == FIELD_OTHER)
		id = field_identify(name);
	return head_add_line(head, id, slice_make(line, length), (unsigned)name.length, (unsigned)name.length + 2);
}

/* What a Connection field names, and is there. Not the Connection fields: each has to be read. */
static void drop_named(struct head *head, struct slice list, bool keep_upgrade)
{
	struct slice name;
	struct field *field;

	while (slice_split(&list, ',', &name)) {
		name = slice_trim(name);
		while (name.length > 0 && (field = head_find_name(head, name)) && field->id != FIELD_CONNECTION &&
			!(keep_upgrade && field->id == FIELD_UPGRADE))
			head_drop(head, field);
	}
}

void head_drop_hop_by_hop(struct head *head, bool keep_upgrade)
{
	static const uint8_t always[] = { FIELD_CONNECTION, FIELD_KEEP_ALIVE, FIELD_PROXY_AUTHENTICATE, FIELD_PROXY_AUTHORIZATION,
		FIELD_PROXY_CONNECTION, FIELD_TE, FIELD_TRAILER, FIELD_TRANSFER_ENCODING };
	uint64_t mask = UINT64_C(1) << FIELD_UPGRADE;

	for (size_t i = 0; i < sizeof always; i++)
		mask |= UINT64_C(1) << always[i];
	if (!(head->present & mask))
		return;
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id == FIELD_CONNECTION && !head->fields[i].dropped)
			drop_named(head, field_value(&head->fields[i]), keep_upgrade);
	}
	for (size_t i = 0; i < sizeof always; i++)
		head_drop_all(head, always[i]);
	if (!keep_upgrade)
		head_drop_all(head, FIELD_UPGRADE);
}

/* RFC 9110 section 15, and RFC 6585. */
struct slice status_reason(unsigned status)
{
	switch (status) {
#define STATUS(number, text) \
	case number: \
		return SLICE(text);
		STATUS(100, "Continue")
		STATUS(101, "Switching Protocols")
		STATUS(103, "Early Hints")
		STATUS(200, "OK")
		STATUS(201, "Created")
		STATUS(202, "Accepted")
		STATUS(203, "Non-Authoritative Information")
		STATUS(204, "No Content")
		STATUS(205, "Reset Content")
		STATUS(206, "Partial Content")
		STATUS(300, "Multiple Choices")
		STATUS(301, "Moved Permanently")
		STATUS(302, "Found")
		STATUS(303, "See Other")
		STATUS(304, "Not Modified")
		STATUS(305, "Use Proxy")
		STATUS(307, "Temporary Redirect")
		STATUS(308, "Permanent Redirect")
		STATUS(400, "Bad Request")
		STATUS(401, "Unauthorized")
		STATUS(402, "Payment Required")
		STATUS(403, "Forbidden")
		STATUS(404, "Not Found")
		STATUS(405, "Method Not Allowed")
		STATUS(406, "Not Acceptable")
		STATUS(407, "Proxy Authentication Required")
		STATUS(408, "Request Timeout")
		STATUS(409, "Conflict")
		STATUS(410, "Gone")
		STATUS(411, "Length Required")
		STATUS(412, "Precondition Failed")
		STATUS(413, "Content Too Large")
		STATUS(414, "URI Too Long")
		STATUS(415, "Unsupported Media Type")
		STATUS(416, "Range Not Satisfiable")
		STATUS(417, "Expectation Failed")
		STATUS(421, "Misdirected Request")
		STATUS(422, "Unprocessable Content")
		STATUS(425, "Too Early")
		STATUS(426, "Upgrade Required")
		STATUS(428, "Precondition Required")
		STATUS(429, "Too Many Requests")
		STATUS(431, "Request Header Fields Too Large")
		STATUS(500, "Internal Server Error")
		STATUS(501, "Not Implemented")
		STATUS(502, "Bad Gateway")
		STATUS(503, "Service Unavailable")
		STATUS(504, "Gateway Timeout")
		STATUS(505, "HTTP Version Not Supported")
		STATUS(511, "Network Authentication Required")
#undef STATUS
	default:
		return SLICE("");
	}
}
