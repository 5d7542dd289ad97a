/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks to heads (RFC 9113 sections 8.2 and 8.3). A block is always decoded to its end, whatever is wrong with the message:
 * the peer's table and ours would part ways otherwise. */
#include "wire/http2.h"

#include "base/check.h"
#include "wire/http1_parse.h"

#define BIT(id) (UINT64_C(1) << (id))

enum {
	DEFAULT_LINE_BYTES = 4096,
	DEFAULT_HEAD_BYTES = 8192,
	SEPARATOR = 2, /* ": " and CRLF */
};

enum pseudo {
	PSEUDO_NONE,
	PSEUDO_METHOD,
	PSEUDO_SCHEME,
	PSEUDO_AUTHORITY,
	PSEUDO_PATH,
	PSEUDO_PROTOCOL,
	PSEUDO_STATUS,
};

enum kind {
	REQUEST,
	RESPONSE,
	TRAILERS,
};

/* A block being read. */
struct reading {
	struct http2_reader *reader;
	struct head *head;
	enum kind kind;
	uint32_t start; /* of the head, in the buffer */
	uint32_t at;    /* where the next line is laid */
	unsigned seen;  /* pseudo fields, a bit each */
	bool in_fields; /* a field that is none of them has come */
	unsigned cookies;
	size_t cookie_bytes; /* of their values */
	struct slice host, path, status;
};

/* Fields that are looked at when they come. */
static const uint64_t noted = BIT(FIELD_CONNECTION) | BIT(FIELD_KEEP_ALIVE) | BIT(FIELD_PROXY_CONNECTION) | BIT(FIELD_TRANSFER_ENCODING) |
	BIT(FIELD_UPGRADE) | BIT(FIELD_TE) | BIT(FIELD_HOST) | BIT(FIELD_CONTENT_LENGTH) | BIT(FIELD_COOKIE) | BIT(FIELD_EXPECT);

/* Section 8.2.2 */
static const uint64_t of_connection =
	BIT(FIELD_CONNECTION) | BIT(FIELD_KEEP_ALIVE) | BIT(FIELD_PROXY_CONNECTION) | BIT(FIELD_TRANSFER_ENCODING) | BIT(FIELD_UPGRADE);

void http2_reader_init(
	struct http2_reader *reader, const struct http2_limits *limits, struct pool *tables, struct pool *buffers, struct pool *large)
{
	*reader = (struct http2_reader){ .limits = *limits, .buffers = buffers, .large = large };
	if (reader->limits.max_line_bytes == 0)
		reader->limits.max_line_bytes = DEFAULT_LINE_BYTES;
	if (reader->limits.max_head_bytes == 0)
		reader->limits.max_head_bytes = DEFAULT_HEAD_BYTES;
	if (reader->limits.max_fields == 0 || reader->limits.max_fields > HEAD_MAX_FIELDS)
		reader->limits.max_fields = HEAD_MAX_FIELDS;
	hpack_decoder_init(&reader->decoder, tables);
}

void http2_reader_fini(struct http2_reader *reader)
{
	http2_reader_rest(reader);
	hpack_decoder_fini(&reader->decoder);
}

void http2_reader_rest(struct http2_reader *reader)
{
	if (reader->lines)
		buffer_unref(reader->lines);
	reader->lines = NULL;
}

static int malformed(struct reading *r, const char *reason)
{
	r->reader->reason = reason;
	return ERROR_INVALID;
}

static int too_large(struct reading *r, unsigned status, const char *reason)
{
	r->reader->status = (uint16_t)status;
	r->reader->reason = reason;
	return ERROR_LIMIT;
}

/* ---- room ---- */

static bool is_large(const struct buffer *buffer)
{
	return buffer->capacity > BUFFER_CAPACITY;
}

static void move(struct slice *s, const char *from, const char *to)
{
	if (s->at)
		s->at = to + (s->at - from);
}

/* What was laid so far lies elsewhere now. */
static void move_head(struct reading *r, const char *from, const char *to)
{
	struct head *head = r->head;

	move(&head->method_text, from, to);
	move(&head->scheme, from, to);
	move(&head->authority, from, to);
	move(&head->protocol, from, to);
	move(&r->host, from, to);
	move(&r->path, from, to);
	move(&r->status, from, to);
	for (size_t i = 0; i < head->field_count; i++)
		head->fields[i].line = to + (head->fields[i].line - from);
}

/* The head gets a buffer of its own, and if it has one, a large one. ERROR_LIMIT: it has that. */
static int make_room(struct reading *r)
{
	struct http2_reader *reader = r->reader;
	struct buffer *fresh, *old = reader->lines;
	bool large = r->start == 0;

	if (large && (!reader->large || is_large(old)))
		return too_large(r, 431, "the fields are too long");
	fresh = buffer_get(large ? reader->large : reader->buffers);
	if (!fresh)
		return large ? too_large(r, 503, "no room for so long a head") : ERROR_NO_MEMORY;
	memcpy(fresh->bytes, old->bytes + r->start, r->at - r->start);
	move_head(r, old->bytes + r->start, fresh->bytes);
	buffer_unref(old);
	reader->lines = fresh;
	r->at -= r->start;
	r->start = 0;
	return 0;
}

/* Where the limits leave no head that needs a large buffer, none is taken to find out that this one is too large. */
static int room_for_field(struct reading *r)
{
	const struct http2_limits *limits = &r->reader->limits;

	if (r->start == 0 && limits->max_line_bytes + limits->max_head_bytes <= BUFFER_CAPACITY)
		return too_large(r, 431, "the fields are too long");
	return make_room(r);
}

static size_t room_left(const struct reading *r)
{
	return r->reader->lines->capacity - r->at;
}

static int begin(struct reading *r, struct http2_reader *reader, struct head *head, enum kind kind)
{
	*r = (struct reading){ .reader = reader, .head = head, .kind = kind };
	memset(head, 0, offsetof(struct head, fields));
	head->version = VERSION_2;
	head->is_response = kind == RESPONSE;
	if (!reader->lines)
		reader->lines = buffer_get(reader->buffers);
	if (!reader->lines)
		return ERROR_NO_MEMORY;
	if (reader->lines->references == 1)
		reader->lines->filled = 0;
	r->start = r->at = reader->lines->filled;
	return 0;
}

/* ---- fields ---- */

static bool has_upper_case(struct slice name)
{
	bool found = false;

	for (size_t i = 0; i < name.length; i++)
		found |= (unsigned char)(name.at[i] - 'A') < 26;
	return found;
}

/* RFC 9113 section 8.2.1, and what HTTP/1 doesn't allow either. */
static int check_field(struct reading *r, const struct hpack_field *decoded)
{
	const char *line = decoded->line, *end = line + decoded->name_length;
	const char *value = end + SEPARATOR, *value_end = value + decoded->value_length;

	if (decoded->name_length == 0 || http1_scan_token(line, line, end) != end || decoded->name_length > UINT16_MAX - SEPARATOR)
		return malformed(r, "bad field name");
	if (has_upper_case(slice_make(line, decoded->name_length)))
		return malformed(r, "upper case in a field's name");
	if (http1_scan_value(line, value, value_end) != value_end)
		return malformed(r, "control character in a field's value");
	if (value < value_end && (http1_is_blank(*value) || http1_is_blank(value_end[-1])))
		return malformed(r, "blanks around a field's value");
	return 0;
}

/* What is to be known of a field at once. */
static int note(struct reading *r, const struct field *field)
{
	struct head *head = r->head;
	struct slice value = field_value(field);

	switch (field->id) {
	case FIELD_TE:
		if (!slice_equal_nocase(value, SLICE("trailers")))
			return malformed(r, "TE field other than trailers");
		break;
	case FIELD_HOST:
		if (r->kind != REQUEST)
			break;
		if (head->has_host)
			return malformed(r, "more than one Host field");
		head->has_host = true;
		r->host = value;
		break;
	case FIELD_CONTENT_LENGTH:
		if (head_has(head, FIELD_CONTENT_LENGTH))
			return malformed(r, "more than one Content-Length field");
		if (!http1_decimal(value, &head->body_length))
			return malformed(r, "bad Content-Length field");
		break;
	case FIELD_COOKIE:
		r->cookies++;
		r->cookie_bytes += value.length;
		break;
	case FIELD_EXPECT:
		head->expects_continue = slice_equal_nocase(value, SLICE("100-continue"));
		break;
	default:
		return malformed(r, "a field of the connection");
	}
	return 0;
}

static int take_field(struct reading *r, const struct hpack_field *decoded)
{
	struct head *head = r->head;
	struct field *field;
	int e;

	e = check_field(r, decoded);
	if (e)
		return e;
	r->in_fields = true;
	if (head->field_count >= r->reader->limits.max_fields)
		return too_large(r, 431, "too many fields");
	field = &head->fields[head->field_count];
	*field = (struct field){
		.line = decoded->line,
		.line_length = decoded->name_length + SEPARATOR + decoded->value_length + SEPARATOR,
		.name_length = (uint16_t)decoded->name_length,
		.value_offset = (uint16_t)(decoded->name_length + SEPARATOR),
		.value_length = decoded->value_length,
		.id = (uint8_t)field_identify(slice_make(decoded->line, decoded->name_length)),
		.never_indexed = decoded->never_indexed,
	};
	if (r->kind != TRAILERS && (noted & BIT(field->id))) {
		e = note(r, field);
		if (e)
			return e;
	}
	if (r->kind == TRAILERS && (of_connection & BIT(field->id)))
		return malformed(r, "a field of the connection");
	if (r->kind == TRAILERS && http1_forbidden_in_trailers(field))
		return 0;
	head->present |= BIT(field->id);
	head->field_count++;
	r->at += field->line_length;
	return 0;
}

static enum pseudo pseudo_if(struct slice name, const char *wanted, enum pseudo pseudo)
{
	return memcmp(name.at, wanted, name.length) == 0 ? pseudo : PSEUDO_NONE;
}

static enum pseudo pseudo_identify(struct slice name)
{
	switch (name.length) {
	case 5:
		return pseudo_if(name, ":path", PSEUDO_PATH);
	case 7:
		if (name.at[1] == 'm')
			return pseudo_if(name, ":method", PSEUDO_METHOD);
		if (name.at[2] == 'c')
			return pseudo_if(name, ":scheme", PSEUDO_SCHEME);
		return pseudo_if(name, ":status", PSEUDO_STATUS);
	case 9:
		return pseudo_if(name, ":protocol", PSEUDO_PROTOCOL);
	case 10:
		return pseudo_if(name, ":authority", PSEUDO_AUTHORITY);
	default:
		return PSEUDO_NONE;
	}
}

/* RFC 9113 section 8.3: each at most once, before all other fields, and none that doesn't belong. */
static int take_pseudo(struct reading *r, const struct hpack_field *decoded)
{
	enum pseudo pseudo = pseudo_identify(slice_make(decoded->line, decoded->name_length));
	struct slice value = slice_make(decoded->line + decoded->name_length + SEPARATOR, decoded->value_length);

	if (pseudo == PSEUDO_NONE || r->kind == TRAILERS || (pseudo == PSEUDO_STATUS) != (r->kind == RESPONSE))
		return malformed(r, "unknown pseudo field");
	if (r->in_fields)
		return malformed(r, "pseudo field behind other fields");
	if (r->seen & 1u << pseudo)
		return malformed(r, "a pseudo field twice");
	r->seen |= 1u << pseudo;
	switch (pseudo) {
	case PSEUDO_METHOD:
		r->head->method_text = value;
		break;
	case PSEUDO_SCHEME:
		r->head->scheme = value;
		break;
	case PSEUDO_AUTHORITY:
		r->head->authority = value;
		break;
	case PSEUDO_PATH:
		r->path = value;
		if (value.length > r->reader->limits.max_line_bytes)
			return too_large(r, 414, "the path is too long");
		break;
	case PSEUDO_PROTOCOL:
		r->head->protocol = value;
		break;
	case PSEUDO_STATUS:
		r->status = value;
		break;
	case PSEUDO_NONE:
		break;
	}
	r->at += decoded->name_length + SEPARATOR + decoded->value_length + SEPARATOR;
	return 0;
}

static int take(struct reading *r, const struct hpack_field *decoded)
{
	int e;

	if (decoded->name_length > 0 && decoded->line[0] == ':')
		e = take_pseudo(r, decoded);
	else
		e = take_field(r, decoded);
	if (e == 0 && r->at - r->start > r->reader->limits.max_head_bytes + (uint32_t)r->path.length)
		e = too_large(r, 431, "the fields are too long");
	return e;
}

static int read_block(struct reading *r, struct slice block)
{
	struct hpack_decoder *decoder = &r->reader->decoder;
	const char *at = block.at, *end = at + block.length;
	struct hpack_field field;
	int verdict = 0, e = hpack_begin(decoder, &at, end);

	while (e == 0 && at < end) {
		if (verdict) {
			e = hpack_skip(decoder, &at, end);
			continue;
		}
		e = hpack_decode(decoder, &at, end, r->reader->lines->bytes + r->at, room_left(r), &field);
		if (e == ERROR_LIMIT) {
			e = room_for_field(r);
			if (e == ERROR_LIMIT) {
				verdict = e;
				e = 0;
			}
		} else if (e == 0) {
			verdict = take(r, &field);
		}
	}
	if (e == ERROR_SYNTAX)
		r->reader->reason = "bad header block";
	return e ? e : verdict;
}

/* The buffer up to here is the head's, if it is one. A large one is nobody else's. */
static int finish(struct reading *r, int e, struct buffer **buffer)
{
	struct buffer *lines = r->reader->lines;

	if (e == 0) {
		lines->filled = r->at;
		*buffer = buffer_ref(lines);
	}
	if (lines && is_large(lines))
		http2_reader_rest(r->reader);
	return e;
}

/* ---- whole messages ---- */

/* One line of all cookie crumbs, in the place of the first (section 8.2.3). */
static int join_cookies(struct reading *r)
{
	struct head *head = r->head;
	struct field *first = head_find(head, FIELD_COOKIE);
	size_t length = first->value_offset + r->cookie_bytes + 2u * (r->cookies - 1) + SEPARATOR;
	char *line, *p;

	while (length > room_left(r)) {
		int e = make_room(r);

		if (e)
			return e;
	}
	line = p = r->reader->lines->bytes + r->at;
	memcpy(p, first->line, first->value_offset);
	p += first->value_offset;
	for (struct field *crumb = first; crumb; crumb = head_find_next(head, crumb)) {
		struct slice value = field_value(crumb);

		if (crumb != first) {
			memcpy(p, "; ", 2);
			p += 2;
			crumb->dropped = true;
		}
		memcpy(p, value.at, value.length);
		p += value.length;
	}
	memcpy(p, "\r\n", SEPARATOR);
	first->line = line;
	first->line_length = (uint32_t)length;
	first->value_length = (uint32_t)(length - first->value_offset - SEPARATOR);
	r->at += (uint32_t)length;
	return 0;
}

int http2_head_add(struct head *head, struct buffer *buffer, struct slice name, struct slice value)
{
	size_t length = name.length + SEPARATOR + value.length + SEPARATOR;
	char *line = buffer->bytes + buffer->filled, *p = line;

	if (length > buffer_room(buffer))
		return ERROR_LIMIT;
	memcpy(p, name.at, name.length);
	p += name.length;
	memcpy(p, ": ", SEPARATOR);
	p += SEPARATOR;
	memcpy(p, value.at, value.length);
	memcpy(p + value.length, "\r\n", SEPARATOR);
	buffer->filled += (uint32_t)length;
	return head_add_line(
		head, field_identify(name), slice_make(line, length), (unsigned)name.length, (unsigned)name.length + SEPARATOR);
}

static bool is_token(struct slice s)
{
	return s.length > 0 && http1_scan_token(s.at, s.at, s.at + s.length) == s.at + s.length;
}

/* RFC 3986 section 3.1 */
static bool is_scheme(struct slice s)
{
	if (s.length == 0 || (unsigned char)((s.at[0] | 0x20) - 'a') >= 26)
		return false;
	for (size_t i = 1; i < s.length; i++) {
		char c = s.at[i];

		if ((unsigned char)((c | 0x20) - 'a') >= 26 && !http1_is(c, HTTP1_DIGIT) && c != '+' && c != '-' && c != '.')
			return false;
	}
	return true;
}

static bool is_path(const struct head *head, struct slice path)
{
	if (path.length == 1 && path.at[0] == '*')
		return head->method == METHOD_OPTIONS;
	if (path.length == 0 || path.at[0] != '/')
		return false;
	return http1_scan_target(path.at, path.at, path.at + path.length) == path.at + path.length;
}

/* :authority and Host say the same, or one of them says it (section 8.3.1). */
static int settle_authority(struct reading *r)
{
	struct head *head = r->head;

	if (head->has_host && !http1_valid_authority(r->host))
		return malformed(r, "bad Host field");
	if (head->authority.length == 0)
		head->authority = r->host;
	else if (head->has_host && !slice_equal_nocase(head->authority, r->host))
		return malformed(r, "Host field other than :authority");
	if (head->authority.length == 0)
		return malformed(r, "no authority");
	if (!http1_valid_authority(head->authority))
		return malformed(r, "bad :authority");
	return 0;
}

/* Section 8.5 */
static int settle_connect(struct reading *r, bool ends)
{
	const char *reason;

	(void)ends;
	if (r->seen & (1u << PSEUDO_SCHEME | 1u << PSEUDO_PATH))
		return malformed(r, "CONNECT with a scheme or a path");
	if (r->head->authority.length == 0)
		return malformed(r, "CONNECT without :authority");
	reason = http1_target(r->head, r->head->authority);
	if (reason)
		return malformed(r, reason);
	if (head_has(r->head, FIELD_CONTENT_LENGTH))
		return malformed(r, "CONNECT with a length");
	return settle_authority(r);
}

/* RFC 8441: what HTTP/1 says with `GET` and `Upgrade`; so it is told like that. */
static int settle_extended(struct reading *r)
{
	struct head *head = r->head;

	if (!is_token(head->protocol))
		return malformed(r, "bad :protocol");
	if (head_has(head, FIELD_CONTENT_LENGTH))
		return malformed(r, "CONNECT with a length");
	head->method = METHOD_GET;
	head->method_text = SLICE("GET");
	head->upgrades = true;
	head->body = BODY_NONE;
	return 0;
}

static int settle_request(struct reading *r, bool ends)
{
	struct head *head = r->head;
	bool extended = r->seen & 1u << PSEUDO_PROTOCOL;
	int e;

	if (!is_token(head->method_text))
		return malformed(r, "bad :method");
	head->method = (uint8_t)method_identify(head->method_text);
	if (extended && (head->method != METHOD_CONNECT || ends))
		return malformed(r, ":protocol without an open CONNECT");
	if (head->method == METHOD_CONNECT && !extended)
		return settle_connect(r, ends);
	if (!is_scheme(head->scheme))
		return malformed(r, "bad :scheme");
	if (!is_path(head, r->path))
		return malformed(r, "bad :path");
	head->target = r->path;
	e = settle_authority(r);
	if (e == 0 && r->cookies > 1)
		e = join_cookies(r);
	if (e == 0 && extended)
		return settle_extended(r);
	if (e)
		return e;
	/* join_cookies may have moved it. */
	head->target = r->path;
	if (ends && head->body_length > 0)
		return malformed(r, "shorter than its Content-Length");
	if (ends)
		head->body = BODY_NONE;
	else
		head->body = head_has(head, FIELD_CONTENT_LENGTH) ? BODY_LENGTH : BODY_CHUNKED;
	return 0;
}

int http2_read_request(struct http2_reader *reader, struct slice block, bool ends, struct head *head, struct buffer **buffer)
{
	struct reading r;
	int e = begin(&r, reader, head, REQUEST);

	if (e == 0)
		e = read_block(&r, block);
	if (e == 0)
		e = settle_request(&r, ends);
	e = finish(&r, e, buffer);
	if (e == 0 && head->protocol.length > 0 && http2_head_add(head, *buffer, SLICE("upgrade"), head->protocol)) {
		buffer_unref(*buffer);
		return too_large(&r, 431, "the fields are too long");
	}
	return e;
}

static int settle_response(struct reading *r, bool ends, enum method request_method)
{
	struct head *head = r->head;
	unsigned status = 0;

	for (size_t i = 0; i < r->status.length; i++) {
		if (!http1_is(r->status.at[i], HTTP1_DIGIT) || i == 3)
			return malformed(r, "bad :status");
		status = status * 10 + (unsigned)(r->status.at[i] - '0');
	}
	if (status < 100 || status == 101)
		return malformed(r, "bad :status");
	head->status = (uint16_t)status;
	head->expects_continue = false;
	if (ends && status < 200)
		return malformed(r, "the stream ends with an informational head");
	if (ends || status < 200 || status == 204 || status == 304 || request_method == METHOD_HEAD) {
		bool never = status < 200 || status == 204 || status == 304 || request_method == METHOD_HEAD;

		if (!never && head->body_length > 0)
			return malformed(r, "shorter than its Content-Length");
		head->body = BODY_NONE;
		head->body_length = 0;
	} else {
		head->body = head_has(head, FIELD_CONTENT_LENGTH) ? BODY_LENGTH : BODY_CHUNKED;
	}
	return 0;
}

int http2_read_response(
	struct http2_reader *reader, struct slice block, bool ends, enum method request_method, struct head *head, struct buffer **buffer)
{
	struct reading r;
	int e = begin(&r, reader, head, RESPONSE);

	if (e == 0)
		e = read_block(&r, block);
	if (e == 0)
		e = settle_response(&r, ends, request_method);
	return finish(&r, e, buffer);
}

int http2_read_trailers(struct http2_reader *reader, struct slice block, struct head *head, struct buffer **buffer)
{
	struct reading r;
	int e = begin(&r, reader, head, TRAILERS);

	if (e == 0)
		e = read_block(&r, block);
	return finish(&r, e, buffer);
}

int http2_skip_block(struct http2_reader *reader, struct slice block)
{
	const char *at = block.at, *end = at + block.length;
	int e = hpack_begin(&reader->decoder, &at, end);

	while (e == 0 && at < end)
		e = hpack_skip(&reader->decoder, &at, end);
	return e;
}
