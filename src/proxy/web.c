/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/web.h"

#include "proxy/cors.h"

static struct pool *buffers(struct exchange *exchange)
{
	return loop_buffers(exchange->worker->loop);
}

/* ---- the request ---- */

static int replace_content_type(struct exchange *exchange, struct head *head, struct slice type)
{
	struct slice was = field_value(head_find(head, FIELD_CONTENT_TYPE));
	struct slice value = arena_join(&exchange->arena, type, grpc_subtype(was));

	if (!value.at)
		return ERROR_NO_MEMORY;
	head_drop_all(head, FIELD_CONTENT_TYPE);
	return head_add(head, &exchange->arena, FIELD_CONTENT_TYPE, SLICE("content-type"), value);
}

/* Of another length than was announced. */
static void forget_length(struct head *head)
{
	if (head->body != BODY_LENGTH)
		return;
	head->body = BODY_CHUNKED;
	head->body_length = 0;
	head_drop_all(head, FIELD_CONTENT_LENGTH);
}

int web_begin(struct exchange *exchange, enum grpc_kind kind)
{
	exchange->web = (uint8_t)kind;
	if (kind == GRPC_WEB_TEXT)
		forget_length(exchange->request);
	return replace_content_type(exchange, exchange->request, SLICE("application/grpc"));
}

int web_receive(struct exchange *exchange, struct piece *piece)
{
	struct slice in = { piece->at, piece->length };

	if (exchange->web != GRPC_WEB_TEXT)
		return 0;
	struct buffer *buffer = buffer_get(buffers(exchange));
	if (!buffer)
		return ERROR_NO_MEMORY;
	int length = grpc_text_decode(&exchange->web_in, &in, buffer->bytes, buffer->capacity);
	/* A piece is at most a buffer, and three bytes stand for four. */
	if (length < 0 || in.length) {
		buffer_unref(buffer);
		return ERROR_SYNTAX;
	}
	buffer->filled = (uint32_t)length;
	piece_release(piece);
	*piece = (struct piece){ buffer, buffer->bytes, (size_t)length };
	return 0;
}

bool web_is_cut(const struct exchange *exchange)
{
	return exchange->web_in.have || exchange->web_in.padded;
}

/* ---- the response ---- */

struct slice web_content_type(const struct exchange *exchange)
{
	switch ((enum grpc_kind)exchange->web) {
	case GRPC_WEB:
		return SLICE("application/grpc-web");
	case GRPC_WEB_TEXT:
		return SLICE("application/grpc-web-text");
	default:
		return SLICE("application/grpc");
	}
}

int web_write_head(struct exchange *exchange, struct head *head)
{
	int e = exchange->web ? cors_write(exchange, head) : 0;

	if (e)
		return e;
	if (!exchange->web || !head_has(head, FIELD_CONTENT_TYPE) ||
		grpc_kind(field_value(head_find(head, FIELD_CONTENT_TYPE))) != GRPC_PLAIN)
		return 0;
	exchange->web_answers = true;
	forget_length(head);
	return replace_content_type(exchange, head, web_content_type(exchange));
}

static bool send_text(struct exchange *exchange, struct piece piece, bool *take_more)
{
	struct slice in = { piece.at, piece.length };

	while (in.length) {
		struct buffer *buffer = buffer_get(buffers(exchange));

		if (!buffer) {
			piece_release(&piece);
			return false;
		}
		size_t length = grpc_text_encode(&exchange->web_out, &in, buffer->bytes, buffer->capacity);
		buffer->filled = (uint32_t)length;
		if (length)
			*take_more = side_send_body(exchange->down, (struct piece){ buffer, buffer->bytes, length }, false);
		else
			buffer_unref(buffer);
	}
	piece_release(&piece);
	return true;
}

bool web_send(struct exchange *exchange, struct piece piece, bool *take_more)
{
	if (exchange->web_answers && exchange->web == GRPC_WEB_TEXT)
		return send_text(exchange, piece, take_more);
	*take_more = side_send_body(exchange->down, piece, false);
	return true;
}

/* The last bytes of the body: a frame of trailers, and what was left of the text. */
static bool send_frame(struct exchange *exchange, struct slice frame)
{
	struct buffer *buffer = buffer_get(buffers(exchange));

	if (!buffer)
		return false;
	size_t length = frame.length;
	if (exchange->web == GRPC_WEB_TEXT) {
		length = grpc_text_encode(&exchange->web_out, &frame, buffer->bytes, buffer->capacity - 4);
		length += grpc_text_finish(&exchange->web_out, buffer->bytes + length);
	} else if (length <= buffer->capacity) {
		memcpy(buffer->bytes, frame.at, length);
		frame.length = 0;
	}
	if (frame.length) { /* trailers that don't fit into a buffer */
		buffer_unref(buffer);
		return false;
	}
	buffer->filled = (uint32_t)length;
	side_send_body(exchange->down, (struct piece){ buffer, buffer->bytes, length }, true);
	return true;
}

bool web_send_end(struct exchange *exchange, const struct fields *trailers)
{
	struct slice frame = SLICE("");

	if (!exchange->web_answers) {
		if (trailers)
			side_send_trailers(exchange->down, trailers);
		else
			side_send_body(exchange->down, (struct piece){ 0 }, true);
		return true;
	}
	if (trailers)
		frame = grpc_web_trailers(&exchange->arena, trailers);
	return frame.at && send_frame(exchange, frame);
}
