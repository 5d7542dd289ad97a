/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/request.h"

#include <stdio.h>

#include "admin/server.h"
#include "base/check.h"
#include "base/memory.h"

static void request_free(struct request *request)
{
	list_remove(&request->link);
	text_free(&request->path);
	text_free(&request->query);
	text_free(&request->body);
	text_free(&request->content_type);
	request->magic = 0;
	memory_free(request);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding; with `form`, "+" is a blank. A broken escape stays as it is. */
static void decode(struct text *out, struct slice s, bool form)
{
	for (size_t i = 0; i < s.length; i++) {
		char c = s.at[i];

		if (c == '%' && i + 2 < s.length && hex(s.at[i + 1]) >= 0 && hex(s.at[i + 2]) >= 0) {
			c = (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
			i += 2;
		} else if (form && c == '+') {
			c = ' ';
		}
		text_append(out, slice_make(&c, 1));
	}
}

static bool find_parameter(struct slice all, const char *name, struct text *value)
{
	struct slice part, key;

	while (slice_split(&all, '&', &part)) {
		struct text decoded = { 0 };
		bool found;

		size_t equals = slice_find(part, '=');
		key = slice_make(part.at, equals);
		decode(&decoded, key, true);
		found = slice_equal(text_slice(&decoded), slice_of(name));
		text_free(&decoded);
		if (found) {
			decode(value, equals < part.length ? slice_from(part, equals + 1) : SLICE(""), true);
			return true;
		}
	}
	return false;
}

bool request_parameter(const struct request *request, const char *name, struct text *value)
{
	return find_parameter(text_slice(&request->query), name, value) ||
		(slice_starts(text_slice(&request->content_type), SLICE("application/x-www-form-urlencoded")) &&
			find_parameter(text_slice(&request->body), name, value));
}

bool request_is_ours(const struct request *request)
{
	struct head *head = request->side ? request->side->head : NULL;
	struct field *site = head ? head_find_name(head, SLICE("Sec-Fetch-Site")) : NULL;
	struct field *origin = head ? head_find_name(head, SLICE("Origin")) : NULL;
	struct slice value;

	if (site)
		return slice_equal(field_value(site), SLICE("same-origin")) || slice_equal(field_value(site), SLICE("none"));
	if (!origin)
		return true;
	value = field_value(origin);
	if (slice_starts(value, SLICE("https://")))
		value = slice_from(value, 8);
	else if (slice_starts(value, SLICE("http://")))
		value = slice_from(value, 7);
	return slice_equal_nocase(value, head->authority);
}

/* ---- answers ---- */

static const struct request_header never_stored = { "Cache-Control", "no-store" };

/* False: there is no memory for it. */
static bool send_head(struct request *request, struct head *head, const char *content_type, const struct request_header *headers,
	unsigned header_count, bool end)
{
	struct arena arena;
	bool made;

	arena_init(&arena, NULL, 0);
	made = head_add(head, &arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), slice_of(content_type)) == 0;
	for (unsigned i = 0; made && i < header_count; i++)
		made = head_add(head, &arena, FIELD_OTHER, slice_of(headers[i].name), slice_of(headers[i].value)) == 0;
	if (made)
		side_send_head(request->side, head, end);
	arena_reset(&arena);
	return made;
}

void request_answer_with(struct request *request, unsigned status, const char *content_type, struct slice body,
	const struct request_header *headers, unsigned header_count)
{
	struct head *head = memory_new(sizeof *head);
	bool bodiless = body.length == 0 || request->method == METHOD_HEAD, sent = false;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	CHECK(!request->answered);
	request->answered = true;
	head->is_response = true;
	head->status = (uint16_t)status;
	head->version = VERSION_1_1;
	head->body = BODY_LENGTH;
	head->body_length = body.length;
	if (request->side && send_head(request, head, content_type, headers, header_count, bodiless))
		sent = bodiless || side_send_copy(request->side, body, true, &request->stalled);
	if (request->side)
		side_release(request->side, sent ? RESET_NONE : RESET_OVERLOAD);
	memory_free(head);
	request_free(request);
}

void request_answer(struct request *request, unsigned status, const char *content_type, struct slice body)
{
	request_answer_with(request, status, content_type, body, &never_stored, 1);
}

static bool send_status(struct request *request, enum grpc_status status)
{
	char value[4];
	struct head *head = memory_new(sizeof *head);
	struct arena arena;
	bool made;

	arena_init(&arena, NULL, 0);
	(void)snprintf(value, sizeof value, "%u", (unsigned)status);
	made = head_add(head, &arena, FIELD_GRPC_STATUS, SLICE("grpc-status"), slice_of(value)) == 0;
	if (made)
		side_send_trailers(request->side, &(struct fields){ .count = head->field_count, .at = head->fields });
	arena_reset(&arena);
	memory_free(head);
	return made;
}

void request_answer_rpc(struct request *request, enum grpc_status status, struct slice body)
{
	bool sent;

	request_stream_begin(request, "application/grpc");
	sent = request->side && side_send_copy(request->side, body, false, &request->stalled) && send_status(request, status);
	if (request->side)
		side_release(request->side, sent ? RESET_NONE : RESET_OVERLOAD);
	request_free(request);
}

void request_stream_begin(struct request *request, const char *content_type)
{
	struct head *head = memory_new(sizeof *head);

	CHECK_MAGIC(request, REQUEST_MAGIC);
	CHECK(!request->answered);
	request->answered = true;
	head->is_response = true;
	head->status = 200;
	head->version = VERSION_1_1;
	head->body = BODY_CHUNKED;
	if (request->side && !send_head(request, head, content_type, &never_stored, 1, false)) {
		side_release(request->side, RESET_OVERLOAD);
		request->side = NULL;
	}
	memory_free(head);
}

void request_stream(struct request *request, struct slice bytes)
{
	CHECK_MAGIC(request, REQUEST_MAGIC);
	/* A line that is sent in part would be worse than none. */
	if (request->side && !side_send_copy(request->side, bytes, false, &request->stalled)) {
		side_release(request->side, RESET_OVERLOAD);
		request->side = NULL;
	}
}

void request_answer_error(struct request *request, unsigned status, const char *message)
{
	struct text text = { 0 };

	text_format(&text, "%s\n", message);
	request_answer(request, status, "text/plain;charset=UTF-8", text_slice(&text));
	text_free(&text);
}

void request_abandon(struct request *request)
{
	if (request->side)
		side_release(request->side, RESET_SHUTDOWN);
	request->side = NULL;
	request_free(request);
}

/* ---- what the client sends ---- */

static void body(struct side *side, struct piece piece)
{
	struct request *request = side->exchange;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	if (request->body.length + piece.length <= REQUEST_MAX_BODY)
		text_append(&request->body, slice_make(piece.at, piece.length));
	else
		request->too_large = true;
	piece_release(&piece);
}

static void end(struct side *side)
{
	struct request *request = side->exchange;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	if (request->complete)
		return;
	request->complete = true;
	if (request->too_large)
		request_answer_error(request, 413, "the request's body is too large");
	else
		request->show(request);
}

static void trailers(struct side *side, const struct fields *fields)
{
	(void)fields;
	end(side);
}

static void reset(struct side *side, enum reset why, int error)
{
	struct request *request = side->exchange;

	(void)why;
	(void)error;
	CHECK_MAGIC(request, REQUEST_MAGIC);
	side_release(side, RESET_CANCEL);
	request->side = NULL;
	if (!request->complete)
		request_free(request); /* else the page that works on it answers nobody */
}

static void writable(struct side *side)
{
	struct request *request = side->exchange;

	request->stalled = false;
}

static const struct side_events request_events = {
	.body = body,
	.trailers = trailers,
	.end = end,
	.reset = reset,
	.writable = writable,
};

void request_open(struct list *among, struct admin *admin, struct site *site, struct side *side, void (*show)(struct request *request))
{
	struct request *request = memory_new(sizeof *request);
	struct head *head = side->head;
	size_t query = slice_find(head->target, '?');
	struct field *type = head_find(head, FIELD_CONTENT_TYPE);

	request->magic = REQUEST_MAGIC;
	request->admin = admin;
	request->site = site;
	request->side = side;
	request->show = show;
	request->method = (enum method)head->method;
	decode(&request->path, slice_make(head->target.at, query), false);
	if (query < head->target.length)
		text_append(&request->query, slice_from(head->target, query + 1));
	if (type)
		text_append(&request->content_type, field_value(type));
	list_append(among, &request->link);
	side_own(side, &request_events, request);
	/* A request without a body is answered now; its `end` is never told then. */
	if (head->body == BODY_NONE) {
		request->complete = true;
		request->show(request);
	}
}
