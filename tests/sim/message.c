/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

/* --- the pattern: a byte is one of 94, the seventh after the one before it, and one more every 256 bytes --- */

enum { LETTERS = 94, STEP = 7, STEPS_TO_THE_NEXT = 27 /* 7 * 27 is 1 modulo 94 */, ROW = 256 };

/* The bytes from `position` on, up to the next multiple of ROW. */
static const char *pattern(uint64_t id, enum message_salt salt, uint64_t position)
{
	static char letters[LETTERS + ROW];

	if (!letters[0]) {
		for (unsigned i = 0; i < sizeof(letters); i++)
			letters[i] = (char)('!' + i * STEP % LETTERS);
	}
	uint64_t first = (id * 131 + (uint64_t)salt * 17 + position * STEP + position / ROW) % LETTERS;
	return letters + first * STEPS_TO_THE_NEXT % LETTERS;
}

static size_t row_left(uint64_t position, size_t length)
{
	size_t left = ROW - (size_t)(position % ROW);
	return left < length ? left : length;
}

void message_write_body(char *bytes, size_t length, uint64_t id, enum message_salt salt, uint64_t position)
{
	for (size_t done = 0, most; done < length; done += most, position += most) {
		most = row_left(position, length - done);
		memcpy(bytes + done, pattern(id, salt, position), most);
	}
}

/* --- reading --- */

void message_init(struct message *message, enum message_salt salt)
{
	*message = (struct message){ .salt = salt };
}

static enum message_event bad(struct message *message, const char *problem)
{
	message->state = MESSAGE_BAD;
	message->problem = problem;
	return MESSAGE_BROKEN;
}

static void copy_text(char *to, size_t capacity, const char *from)
{
	snprintf(to, capacity, "%s", from);
}

void message_field(struct message *message, const char *name, const char *value)
{
	if (strcasecmp(name, "x-id") == 0) {
		message->id = strtoull(value, NULL, 10);
		message->has_id = true;
	} else if (strcasecmp(name, "x-length") == 0) {
		message->length = strtoull(value, NULL, 10);
		message->has_length = true;
	} else if (strcasecmp(name, "x-reply") == 0) {
		message->reply = strtoull(value, NULL, 10);
	} else if (strcasecmp(name, "x-service") == 0) {
		copy_text(message->service, sizeof(message->service), value);
	} else if (strcasecmp(name, "host") == 0) {
		copy_text(message->host, sizeof(message->host), value);
	} else if (strcasecmp(name, "content-length") == 0) {
		message->left = strtoull(value, NULL, 10);
		message->has_framing = true;
	} else if (strcasecmp(name, "transfer-encoding") == 0) {
		message->chunked = strcasecmp(value, "chunked") == 0;
		message->has_framing = true;
	} else if (strcasecmp(name, "connection") == 0) {
		message->close = strcasestr(value, "close") != NULL;
	} else if (strcasecmp(name, "expect") == 0) {
		message->expect = true;
	} else if (strcasecmp(name, "l5d-err") == 0) {
		message->from_proxy = true;
		copy_text(message->problem_told, sizeof(message->problem_told), value);
	}
}

static bool read_start(struct message *message, char *line)
{
	char version[16];
	if (message->salt == SALT_RESPONSE)
		return sscanf(line, "HTTP/1.1 %3u", &message->status) == 1;
	return sscanf(line, "%15s %127s %15s", message->method, message->target, version) == 3 &&
		(strcmp(version, "HTTP/1.1") == 0 || strcmp(version, "HTTP/1.0") == 0);
}

static void begin_body(struct message *message)
{
	bool request = message->salt == SALT_REQUEST;
	bool none = message->to_head || message->status == 204 || message->status == 304;
	message->used = 0;
	if (none || (request && !message->has_framing) || (!message->chunked && message->has_framing && message->left == 0))
		message->state = MESSAGE_COMPLETE;
	else if (message->chunked)
		message->state = MESSAGE_CHUNK_SIZE;
	else
		message->state = MESSAGE_IN_BODY;
	message->until_close = !request && !message->has_framing && !none;
}

static enum message_event read_head(struct message *message)
{
	char *line = message->head, *end;
	for (bool first = true; (end = strstr(line, "\r\n")) != NULL && end != line; line = end + 2, first = false) {
		*end = '\0';
		char *colon = strchr(line, ':');
		if (first) {
			if (!read_start(message, line))
				return bad(message, "a bad first line");
			continue;
		}
		if (!colon)
			return bad(message, "a field without a colon");
		*colon = '\0';
		message_field(message, line, colon + 1 + strspn(colon + 1, " \t"));
	}
	if (message->chunked && message->left)
		return bad(message, "both framings");
	if (message->salt == SALT_RESPONSE && message->status < 200) {
		if (message->status == 101)
			return bad(message, "an upgrade that nobody asked for");
		unsigned informational = message->informational + 1;
		bool to_head = message->to_head;
		message_init(message, SALT_RESPONSE);
		message->informational = informational;
		message->to_head = to_head;
		return MESSAGE_MORE;
	}
	begin_body(message);
	return MESSAGE_HEAD;
}

/* Gathers bytes up to and with the text `until`; true when it is there. */
static bool gather(struct message *message, const char *until, const char *bytes, size_t length, size_t *used)
{
	size_t wanted = strlen(until);
	while (*used < length && message->used < MESSAGE_HEAD_MOST - 1) {
		message->head[message->used++] = bytes[(*used)++];
		message->head[message->used] = '\0';
		if (message->used >= wanted && memcmp(message->head + message->used - wanted, until, wanted) == 0)
			return true;
	}
	return false;
}

void message_body(struct message *message, const char *bytes, size_t length)
{
	for (size_t done = 0, most; done < length; done += most, message->body += most) {
		most = row_left(message->body, length - done);
		if (!message->from_proxy && memcmp(bytes + done, pattern(message->id, message->salt, message->body), most) != 0)
			message->wrong = true;
	}
}

static void read_body(struct message *message, const char *bytes, size_t length, size_t *used)
{
	size_t most = length - *used;
	if (!message->until_close && most > message->left)
		most = (size_t)message->left;
	message_body(message, bytes + *used, most);
	*used += most;
	if (!message->until_close)
		message->left -= most;
}

static enum message_event read_size(struct message *message)
{
	char *end;
	message->left = strtoull(message->head, &end, 16);
	if (end == message->head || (*end != '\r' && *end != ';'))
		return bad(message, "a bad chunk size");
	message->used = 0;
	message->state = message->left ? MESSAGE_CHUNK : MESSAGE_TRAILERS;
	return MESSAGE_MORE;
}

static enum message_event read_trailer(struct message *message)
{
	message->state = message->used == 2 ? MESSAGE_COMPLETE : MESSAGE_TRAILERS;
	message->used = 0;
	return MESSAGE_MORE;
}

static enum message_event message_step(struct message *message, const char *bytes, size_t length, size_t *used)
{
	switch (message->state) {
	case MESSAGE_IN_HEAD:
		if (gather(message, "\r\n\r\n", bytes, length, used))
			return read_head(message);
		return message->used == MESSAGE_HEAD_MOST - 1 ? bad(message, "a head too long") : MESSAGE_MORE;
	case MESSAGE_IN_BODY:
		read_body(message, bytes, length, used);
		if (!message->until_close && message->left == 0)
			message->state = MESSAGE_COMPLETE;
		return MESSAGE_MORE;
	case MESSAGE_CHUNK_SIZE:
		return gather(message, "\r\n", bytes, length, used) ? read_size(message) : MESSAGE_MORE;
	case MESSAGE_CHUNK:
		read_body(message, bytes, length, used);
		if (message->left == 0)
			message->state = MESSAGE_CHUNK_END;
		return MESSAGE_MORE;
	case MESSAGE_CHUNK_END:
		if (!gather(message, "\r\n", bytes, length, used))
			return MESSAGE_MORE;
		if (message->used != 2)
			return bad(message, "a chunk that is longer than it says");
		message->used = 0;
		message->state = MESSAGE_CHUNK_SIZE;
		return MESSAGE_MORE;
	case MESSAGE_TRAILERS:
		return gather(message, "\r\n", bytes, length, used) ? read_trailer(message) : MESSAGE_MORE;
	case MESSAGE_COMPLETE:
		return MESSAGE_DONE;
	case MESSAGE_BAD:
		return MESSAGE_BROKEN;
	}
	return MESSAGE_BROKEN;
}

enum message_event message_feed(struct message *message, const char *bytes, size_t length, size_t *used)
{
	*used = 0;
	for (;;) {
		if (message->state == MESSAGE_COMPLETE)
			return MESSAGE_DONE;
		if (*used == length)
			return MESSAGE_MORE;
		enum message_event event = message_step(message, bytes, length, used);
		if (event != MESSAGE_MORE)
			return event;
	}
}

enum message_event message_end(struct message *message)
{
	if (message->state == MESSAGE_COMPLETE || (message->state == MESSAGE_IN_BODY && message->until_close)) {
		message->state = MESSAGE_COMPLETE;
		return MESSAGE_DONE;
	}
	return MESSAGE_BROKEN;
}

/* --- writing --- */

void sender_begin(
	struct sender *sender, enum message_salt salt, uint64_t id, uint64_t length, bool chunked, bool has_body, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int head = vsnprintf(sender->head, sizeof(sender->head), format, arguments);
	va_end(arguments);
	CHECK(head > 0 && (size_t)head < sizeof(sender->head) - 128);
	head += snprintf(
		sender->head + head, sizeof(sender->head) - (size_t)head, "X-Id: %" PRIu64 "\r\nX-Length: %" PRIu64 "\r\n", id, length);
	if (has_body && chunked)
		head += snprintf(sender->head + head, sizeof(sender->head) - (size_t)head, "Transfer-Encoding: chunked\r\n\r\n");
	else if (has_body)
		head += snprintf(sender->head + head, sizeof(sender->head) - (size_t)head, "Content-Length: %" PRIu64 "\r\n\r\n", length);
	else
		head += snprintf(sender->head + head, sizeof(sender->head) - (size_t)head, "\r\n");
	sender->head_length = (size_t)head;
	sender->salt = salt;
	sender->id = id;
	sender->length = has_body ? length : 0;
	sender->position = sender->sent = 0;
	sender->cut_at = UINT64_MAX;
	sender->chunked = chunked && has_body;
	sender->trailers = false;
	sender->head_sent = false;
	sender->end_sent = !sender->chunked;
}

static void append(struct buffer *buffer, const char *bytes, size_t length)
{
	CHECK(length <= buffer_room(buffer));
	memcpy(buffer->bytes + buffer->filled, bytes, length);
	buffer->filled += (uint32_t)length;
}

static void append_body(struct sender *sender, struct buffer *buffer)
{
	uint64_t most = buffer_room(buffer) - 64;
	if (sender->piece_most && most > sender->piece_most)
		most = 1 + random_below(sender->random, sender->piece_most);
	if (most > sender->length - sender->position)
		most = sender->length - sender->position;
	if (sender->chunked && most > 0) {
		char size[24];
		append(buffer, size, (size_t)snprintf(size, sizeof(size), "%" PRIx64 "\r\n", most));
	}
	message_write_body(buffer->bytes + buffer->filled, (size_t)most, sender->id, sender->salt, sender->position);
	buffer->filled += (uint32_t)most;
	sender->position += most;
	if (sender->chunked && most > 0)
		append(buffer, "\r\n", 2);
}

static void append_end(struct sender *sender, struct buffer *buffer)
{
	char text[48];
	const char *trailer = sender->trailers ? "X-End: yes\r\n" : "";
	append(buffer, text, (size_t)snprintf(text, sizeof(text), "0\r\n%s\r\n", trailer));
	sender->end_sent = true;
}

static bool is_complete(const struct sender *sender)
{
	return sender->head_sent && sender->position == sender->length && sender->end_sent;
}

enum sender_event sender_step(struct sender *sender)
{
	if (is_complete(sender))
		return SENDER_DONE;
	struct buffer *buffer = buffer_get(loop_buffers(sender->loop));
	if (!buffer)
		return SENDER_FAILED;
	if (!sender->head_sent) {
		append(buffer, sender->head, sender->head_length);
		sender->head_sent = true;
	}
	if (sender->position < sender->length)
		append_body(sender, buffer);
	if (sender->position == sender->length && !sender->end_sent)
		append_end(sender, buffer);
	struct piece piece = { buffer, buffer->bytes, buffer->filled };
	bool cut = sender->sent + piece.length > sender->cut_at;
	if (cut)
		piece.length = (size_t)(sender->cut_at - sender->sent);
	sender->sent += piece.length;
	size_t waiting = stream_take(sender->stream, &piece, 1);
	if (cut)
		return SENDER_CUT;
	if (is_complete(sender))
		return SENDER_DONE;
	return waiting > 0 ? SENDER_BLOCKED : SENDER_MORE;
}
