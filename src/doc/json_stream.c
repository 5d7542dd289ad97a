/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/json_stream.h"

/* A text that was larger than this gives its memory back: one large object must not be paid for ever after. */
enum { KEPT_BYTES = 16 * 1024 };

/* What may come next. Of the list's object:                           { "kind" : "PodList" , "items" : [ {} , {} ] } */
enum state {
	START,        /* its opening brace */
	FIRST_KEY,    /* a key, or its closing brace */
	KEY,          /* a key: behind a comma */
	IN_KEY,       /* more of a key's text */
	COLON,        /* the colon behind a key */
	VALUE,        /* the first byte of a member's value */
	IN_VALUE,     /* more of a value's text */
	BEHIND_VALUE, /* a comma, or its closing brace */
	FIRST_ITEM,   /* an element, or the closing bracket */
	ITEM,         /* an element: behind a comma */
	IN_ITEM,      /* more of an element's text */
	BEHIND_ITEM,  /* a comma, or the closing bracket */
	DONE,         /* blanks */
	/* of objects */
	OBJECT,    /* the opening brace of one */
	IN_OBJECT, /* more of its text */
};

void json_stream_init(struct json_stream *stream, const char *list, size_t max_text, const struct json_stream_events *events, void *owner)
{
	*stream = (struct json_stream){
		.events = events,
		.owner = owner,
		.list = list,
		.max_text = max_text,
		.state = list ? START : OBJECT,
	};
}

void json_stream_fini(struct json_stream *stream)
{
	text_free(&stream->held);
	text_free(&stream->key);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ---- a text, to its end ---- */

/* True: the text ends with this byte, or, plain ones, before it (*taken is then false). */
static bool ends_with(struct json_stream *stream, char c, bool *taken)
{
	*taken = true;
	if (stream->in_string) {
		if (stream->escaped)
			stream->escaped = false;
		else if (c == '\\')
			stream->escaped = true;
		else if (c == '"')
			stream->in_string = false;
		return !stream->in_string && stream->depth == 0;
	}
	if (stream->plain) {
		*taken = !(is_blank(c) || strchr(",:[]{}\"", c));
		return !*taken;
	}
	if (c == '"')
		stream->in_string = true;
	else if (c == '{' || c == '[')
		stream->depth++;
	else if (c == '}' || c == ']')
		stream->depth--; /* one is open: else the text had ended */
	return !stream->in_string && stream->depth == 0;
}

static void begin_text(struct json_stream *stream, enum state state, char first)
{
	stream->state = (uint8_t)state;
	stream->depth = 0;
	stream->in_string = false;
	stream->escaped = false;
	stream->plain = first != '{' && first != '[' && first != '"';
}

static int end_key(struct json_stream *stream, struct slice text)
{
	struct slice key = slice_make(text.at + 1, text.length - 2);

	if (slice_find(key, '\\') < key.length)
		return ERROR_SYNTAX;
	text_clear(&stream->key);
	text_append(&stream->key, key);
	stream->state = COLON;
	return 0;
}

static int end_value(struct json_stream *stream, struct slice text)
{
	struct slice key = text_slice(&stream->key);

	stream->state = BEHIND_VALUE;
	if (slice_equal(key, slice_of(stream->list)))
		return slice_equal(text, SLICE("null")) ? 0 : ERROR_SYNTAX; /* as Go writes a list that it never made */
	return stream->events->member(stream->owner, key, text);
}

static int end_text(struct json_stream *stream, struct slice text)
{
	switch (stream->state) {
	case IN_KEY:
		return end_key(stream, text);
	case IN_VALUE:
		return end_value(stream, text);
	default:
		stream->state = stream->state == IN_ITEM ? BEHIND_ITEM : OBJECT;
		return stream->events->item(stream->owner, text);
	}
}

static void forget_held(struct json_stream *stream)
{
	if (stream->held.capacity > KEPT_BYTES)
		text_free(&stream->held);
	else
		text_clear(&stream->held);
}

static int read_text(struct json_stream *stream, struct slice *bytes)
{
	size_t length = 0;
	bool ends = false;
	int e;

	while (length < bytes->length && !ends) {
		bool taken;
		ends = ends_with(stream, bytes->at[length], &taken);
		length += taken;
	}
	if (length > stream->max_text - stream->held.length)
		return ERROR_LIMIT;

	struct slice text = slice_make(bytes->at, length);
	*bytes = slice_from(*bytes, length);
	stream->offset += length;
	if (ends && !stream->held.length)
		return end_text(stream, text);
	text_append(&stream->held, text);
	if (!ends)
		return 0;
	e = end_text(stream, text_slice(&stream->held));
	forget_held(stream);
	return e;
}

/* ---- what is between ---- */

static bool begins_value(char c)
{
	return c == '{' || c == '[' || c == '"' || c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n';
}

/* The first byte of a member's value. *taken: it is no part of a text. */
static int begin_value(struct json_stream *stream, char c, bool *taken)
{
	bool is_list = slice_equal(text_slice(&stream->key), slice_of(stream->list));

	if (!begins_value(c) || (is_list && (stream->listed || (c != '[' && c != 'n'))))
		return ERROR_SYNTAX;
	stream->listed |= is_list;
	*taken = is_list && c == '[';
	if (*taken)
		stream->state = FIRST_ITEM;
	else
		begin_text(stream, IN_VALUE, c);
	return 0;
}

static int begin_other(struct json_stream *stream, enum state state, bool allowed, char c)
{
	if (!allowed)
		return ERROR_SYNTAX;
	begin_text(stream, state, c);
	return 0;
}

/* One byte that is no blank; *taken: it is no part of a text. */
static int step(struct json_stream *stream, char c, bool *taken)
{
	*taken = true;
	switch ((enum state)stream->state) {
	case START:
		stream->state = FIRST_KEY;
		return c == '{' ? 0 : ERROR_SYNTAX;
	case FIRST_KEY:
	case KEY:
		if (c == '}' && stream->state == FIRST_KEY) {
			stream->state = DONE;
			return 0;
		}
		*taken = false;
		return begin_other(stream, IN_KEY, c == '"', c);
	case COLON:
		stream->state = VALUE;
		return c == ':' ? 0 : ERROR_SYNTAX;
	case VALUE:
		return begin_value(stream, c, taken);
	case BEHIND_VALUE:
		stream->state = c == ',' ? KEY : DONE;
		return c == ',' || c == '}' ? 0 : ERROR_SYNTAX;
	case FIRST_ITEM:
	case ITEM:
		if (c == ']' && stream->state == FIRST_ITEM) {
			stream->state = BEHIND_VALUE;
			return 0;
		}
		*taken = false;
		return begin_other(stream, IN_ITEM, begins_value(c), c);
	case BEHIND_ITEM:
		stream->state = c == ',' ? ITEM : BEHIND_VALUE;
		return c == ',' || c == ']' ? 0 : ERROR_SYNTAX;
	case OBJECT:
		*taken = false;
		return begin_other(stream, IN_OBJECT, c == '{', c);
	case DONE:
	case IN_KEY:
	case IN_VALUE:
	case IN_ITEM:
	case IN_OBJECT:
		break;
	}
	return ERROR_SYNTAX;
}

static int read_between(struct json_stream *stream, struct slice *bytes)
{
	bool taken = true;
	int e = is_blank(*bytes->at) ? 0 : step(stream, *bytes->at, &taken);

	if (!e && taken) {
		*bytes = slice_from(*bytes, 1);
		stream->offset++;
	}
	return e;
}

static bool is_in_text(const struct json_stream *stream)
{
	return stream->state == IN_KEY || stream->state == IN_VALUE || stream->state == IN_ITEM || stream->state == IN_OBJECT;
}

int json_stream_feed(struct json_stream *stream, struct slice bytes)
{
	while (bytes.length && !stream->failed)
		stream->failed = is_in_text(stream) ? read_text(stream, &bytes) : read_between(stream, &bytes);
	return stream->failed;
}

int json_stream_end(struct json_stream *stream)
{
	if (!stream->failed && stream->state != DONE && stream->state != OBJECT)
		stream->failed = ERROR_INCOMPLETE;
	return stream->failed;
}
