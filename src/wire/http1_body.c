/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: by length, until close, and chunked (RFC 9112 section 7.1):
 *
 *	SIZE → MORE_SIZE → [ extensions → ] SIZE_LF → PAYLOAD → PAYLOAD_CR → PAYLOAD_LF → SIZE ...
 *	                                            → LAST (size 0) → LAST_LF → ENDED, or → ENDED before trailers
 *
 * Extensions have to follow their grammar, are bounded, and go no further. Lines end in CR LF and in nothing else. */
#include "wire/http1.h"
#include "wire/http1_scan.h"

enum state {
	RUN,  /* not chunked: `left` bytes, or until close */
	SIZE, /* the first digit of a chunk size */
	MORE_SIZE,
	SEMICOLON, /* blanks behind a size, name or value: ";" has to follow, or "=" behind a name */
	EQUALS,
	NAME, /* the first byte of an extension's name, or blanks before it */
	MORE_NAME,
	EXTENSION, /* the first byte of an extension's value, or blanks before it */
	MORE_EXTENSION,
	QUOTED,
	ESCAPED,
	UNQUOTED, /* behind the closing quote */
	SIZE_LF,
	PAYLOAD,
	PAYLOAD_CR,
	PAYLOAD_LF,
	LAST, /* the first byte of the trailer section */
	LAST_LF,
	ENDED,
	FAILED,
};

enum {
	MOST_DIGITS = 16,
	/* How many bytes extensions may run ahead of the payload that they come with. */
	MOST_EXTENSION = 4096,
};

static const char bad_size[] = "bad chunk size";
static const char bad_end[] = "bad line end in a chunked body";
static const char bad_extension[] = "bad chunk extension";

void http1_body_init(struct http1_body *body, const struct head *head)
{
	*body = (struct http1_body){ .kind = head->body };
	switch ((enum body)head->body) {
	case BODY_NONE:
		body->state = ENDED;
		break;
	case BODY_LENGTH:
		body->left = head->body_length;
		body->state = body->left > 0 ? RUN : ENDED;
		break;
	case BODY_UNTIL_CLOSE:
		body->left = UINT64_MAX;
		body->state = RUN;
		break;
	case BODY_CHUNKED:
		body->state = SIZE;
		break;
	}
}

static int fail(struct http1_body *body, const char *reason)
{
	body->state = FAILED;
	body->reason = reason;
	return ERROR_SYNTAX;
}

static int add_digit(struct http1_body *body, char c)
{
	unsigned digit = http1_is(c, HTTP1_DIGIT) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;

	if (++body->digits > MOST_DIGITS || body->left > (uint64_t)INT64_MAX >> 4)
		return fail(body, bad_size);
	body->left = body->left << 4 | digit;
	body->state = MORE_SIZE;
	return 0;
}

/* What may follow a complete size, name or value. `other` is the state for a byte that is none of it, or FAILED. */
static enum state after(char c)
{
	switch (c) {
	case '\r':
		return SIZE_LF;
	case ';':
		return NAME;
	case ' ':
	case '\t':
		return SEMICOLON;
	default:
		return FAILED;
	}
}

/* chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) (RFC 9112 section 7.1.1) */
static enum state next_in_extension(enum state state, char c)
{
	bool token = http1_is(c, HTTP1_TOKEN);

	switch (state) {
	case SEMICOLON:
		return c == '\r' ? FAILED : after(c);
	case EQUALS:
		return http1_is_blank(c) ? EQUALS : c == '=' ? EXTENSION : c == ';' ? NAME : FAILED;
	case NAME:
		return token ? MORE_NAME : http1_is_blank(c) ? NAME : FAILED;
	case MORE_NAME:
		return token ? MORE_NAME : c == '=' ? EXTENSION : http1_is_blank(c) ? EQUALS : after(c);
	case EXTENSION:
		return token ? MORE_EXTENSION : c == '"' ? QUOTED : http1_is_blank(c) ? EXTENSION : FAILED;
	case MORE_EXTENSION:
		return token ? MORE_EXTENSION : after(c);
	case QUOTED:
		return c == '"' ? UNQUOTED : c == '\\' ? ESCAPED : http1_is(c, HTTP1_VALUE) ? QUOTED : FAILED;
	case ESCAPED:
		return http1_is(c, HTTP1_VALUE) ? QUOTED : FAILED;
	case UNQUOTED:
		return after(c);
	default:
		return FAILED;
	}
}

static int extend(struct http1_body *body, char c)
{
	if (++body->extension > MOST_EXTENSION)
		return fail(body, "chunk extensions are too long");
	body->state = (uint8_t)next_in_extension(body->state, c);
	return body->state == FAILED ? fail(body, c == '\n' ? bad_end : bad_extension) : 0;
}

/* One byte of what is around the payload: the only function that moves a chunked body between its states, but for the end of
 * the payload in take_payload and the start of trailers in http1_body_decode. */
static int step_byte(struct http1_body *body, char c)
{
	switch ((enum state)body->state) {
	case SIZE:
	case MORE_SIZE:
		if (http1_is(c, HTTP1_HEX))
			return add_digit(body, c);
		if (body->state == SIZE)
			return fail(body, bad_size);
		body->state = (uint8_t)after(c);
		if (body->state == FAILED)
			return fail(body, c == '\n' ? bad_end : bad_size);
		return 0;
	case SIZE_LF:
		body->digits = 0;
		body->state = body->left > 0 ? PAYLOAD : LAST;
		return c == '\n' ? 0 : fail(body, bad_end);
	case PAYLOAD_CR:
		body->state = PAYLOAD_LF;
		return c == '\r' ? 0 : fail(body, bad_end);
	case PAYLOAD_LF:
		body->state = SIZE;
		return c == '\n' ? 0 : fail(body, bad_end);
	case LAST:
		body->state = LAST_LF;
		return 0;
	case LAST_LF:
		body->state = ENDED;
		return c == '\n' ? 0 : fail(body, bad_end);
	default:
		return extend(body, c);
	}
}

static struct slice take_payload(struct http1_body *body, const char *at, size_t available)
{
	size_t length = available < body->left ? available : (size_t)body->left;

	if (body->kind != BODY_UNTIL_CLOSE)
		body->left -= length;
	body->extension -= length < body->extension ? (uint32_t)length : body->extension;
	if (body->left == 0)
		body->state = body->kind == BODY_CHUNKED ? PAYLOAD_CR : ENDED;
	return slice_make(at, length);
}

int http1_body_decode(struct http1_body *body, struct slice bytes, struct slice *data, size_t *consumed, enum http1_step *step)
{
	const char *p = bytes.at, *end = bytes.at + bytes.length;
	int e;

	*step = HTTP1_MORE;
	while (body->state != ENDED && p < end) {
		if (body->state == RUN || body->state == PAYLOAD) {
			*data = take_payload(body, p, (size_t)(end - p));
			*consumed = (size_t)(p - bytes.at) + data->length;
			*step = HTTP1_DATA;
			return 0;
		}
		if (body->state == LAST && *p != '\r') {
			body->state = ENDED;
			*consumed = (size_t)(p - bytes.at);
			*step = HTTP1_TRAILERS;
			return 0;
		}
		if (body->state == FAILED)
			return ERROR_SYNTAX;
		e = step_byte(body, *p++);
		if (e)
			return e;
	}
	*consumed = (size_t)(p - bytes.at);
	if (body->state == ENDED)
		*step = HTTP1_END;
	return 0;
}

bool http1_body_ended(const struct http1_body *body)
{
	return body->state == ENDED;
}

int http1_body_close(struct http1_body *body)
{
	if (body->state == RUN && body->kind == BODY_UNTIL_CLOSE)
		body->state = ENDED;
	return body->state == ENDED ? 0 : ERROR_SYNTAX;
}
