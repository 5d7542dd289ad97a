/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/grpc.h"

/* ---- content types ---- */

#define TYPE "application/grpc"

/* Whether `name` begins the type and is not followed by more of a name; *behind: what follows. */
static bool is_type(struct slice type, struct slice name, struct slice *behind)
{
	if (type.length < name.length || !slice_equal_nocase(slice_make(type.at, name.length), name))
		return false;
	*behind = slice_from(type, name.length);
	return behind->length == 0 || behind->at[0] == '+' || behind->at[0] == ';' || behind->at[0] == ' ' || behind->at[0] == '\t';
}

static enum grpc_kind kind_of(struct slice type, struct slice *behind)
{
	if (is_type(type, SLICE(TYPE), behind))
		return GRPC_PLAIN;
	if (is_type(type, SLICE(TYPE "-web-text"), behind))
		return GRPC_WEB_TEXT;
	if (is_type(type, SLICE(TYPE "-web"), behind))
		return GRPC_WEB;
	return GRPC_NOT;
}

enum grpc_kind grpc_kind(struct slice content_type)
{
	struct slice behind;

	return kind_of(content_type, &behind);
}

struct slice grpc_subtype(struct slice content_type)
{
	struct slice behind = { 0 };

	(void)kind_of(content_type, &behind);
	return behind;
}

/* ---- statuses ---- */

static const char *const names[GRPC_STATUSES] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

enum grpc_status grpc_status_parse(struct slice value)
{
	uint64_t status;

	if (slice_to_u64(value, GRPC_STATUSES - 1, &status))
		return GRPC_UNKNOWN;
	return (enum grpc_status)status;
}

const char *grpc_status_name(enum grpc_status status)
{
	return status < GRPC_STATUSES ? names[status] : "none";
}

enum grpc_status grpc_status_of_http(unsigned status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

/* ---- timeouts ---- */

static const struct unit {
	char letter;
	int64_t ns;
} units[] = {
	{ 'n', 1 },
	{ 'u', 1000 },
	{ 'm', 1000 * 1000 },
	{ 'S', 1000 * 1000 * 1000 },
	{ 'M', INT64_C(60) * 1000 * 1000 * 1000 },
	{ 'H', INT64_C(3600) * 1000 * 1000 * 1000 },
};

enum { UNITS = sizeof units / sizeof *units, MOST_DIGITS = 8, MOST_VALUE = 99999999 };

int grpc_timeout_parse(struct slice value, int64_t *ns)
{
	uint64_t n;

	if (value.length < 2 || value.length > MOST_DIGITS + 1)
		return ERROR_SYNTAX;
	if (slice_to_u64(slice_make(value.at, value.length - 1), MOST_VALUE, &n))
		return ERROR_SYNTAX;
	for (unsigned i = 0; i < UNITS; i++) {
		if (units[i].letter != value.at[value.length - 1])
			continue;
		if (__builtin_mul_overflow((int64_t)n, units[i].ns, ns))
			*ns = INT64_MAX;
		return 0;
	}
	return ERROR_SYNTAX;
}

unsigned grpc_timeout_format(int64_t ns, char text[GRPC_TIMEOUT_TEXT])
{
	unsigned i = 0;
	int64_t n = ns > 0 ? ns : 0;

	while (i + 1 < UNITS && n > MOST_VALUE) {
		i++;
		n = ns / units[i].ns + (ns % units[i].ns != 0);
	}
	if (n > MOST_VALUE)
		n = MOST_VALUE;
	char digits[MOST_DIGITS];
	unsigned count = 0, length = 0;
	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (count)
		text[length++] = digits[--count];
	text[length++] = units[i].letter;
	return length;
}

/* ---- messages of statuses ---- */

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e && c != '%';
}

struct slice grpc_message_encode(struct arena *arena, struct slice message, size_t most)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t room = message.length * 3 < most ? message.length * 3 : most, length = 0;
	char *out = arena_get(arena, room ? room : 1);

	if (!out)
		return (struct slice){ 0 };
	for (size_t i = 0; i < message.length; i++) {
		unsigned char c = (unsigned char)message.at[i];

		if (length + (is_plain(c) ? 1 : 3) > room)
			break;
		if (is_plain(c)) {
			out[length++] = (char)c;
			continue;
		}
		out[length++] = '%';
		out[length++] = digits[c >> 4];
		out[length++] = digits[c & 15];
	}
	/* Blanks at the ends of a field's value would be lost on the way. */
	while (length && out[length - 1] == ' ')
		length--;
	return slice_make(out, length);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct slice grpc_message_decode(struct arena *arena, struct slice value)
{
	char *out = arena_get(arena, value.length ? value.length : 1);
	size_t length = 0;

	if (!out)
		return (struct slice){ 0 };
	for (size_t i = 0; i < value.length; i++) {
		bool escape = value.at[i] == '%' && i + 2 < value.length && hex(value.at[i + 1]) >= 0 && hex(value.at[i + 2]) >= 0;

		out[length++] = escape ? (char)(hex(value.at[i + 1]) << 4 | hex(value.at[i + 2])) : value.at[i];
		if (escape)
			i += 2;
	}
	return slice_make(out, length);
}

/* ---- frames ---- */

enum { FRAME_PREFIX = 5, FRAME_TRAILERS = 0x80 };

static void begin_frame(struct grpc_frames *frames)
{
	frames->left = (uint32_t)frames->prefix[1] << 24 | (uint32_t)frames->prefix[2] << 16 | (uint32_t)frames->prefix[3] << 8 |
		frames->prefix[4];
	frames->trailers = frames->prefix[0] & FRAME_TRAILERS;
	frames->have = 0;
	if (!frames->trailers)
		frames->messages++;
}

void grpc_frames_count(struct grpc_frames *frames, struct slice bytes)
{
	while (bytes.length) {
		size_t skip = frames->left < bytes.length ? frames->left : bytes.length;

		frames->left -= (uint32_t)skip;
		bytes = slice_from(bytes, skip);
		while (bytes.length && frames->left == 0 && frames->have < FRAME_PREFIX) {
			frames->prefix[frames->have++] = (uint8_t)bytes.at[0];
			bytes = slice_from(bytes, 1);
		}
		if (frames->have == FRAME_PREFIX)
			begin_frame(frames);
	}
}

/* ---- gRPC-Web ---- */

static size_t line_length(const struct field *field)
{
	return field->name_length + 2 + field->value_length + 2;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

struct slice grpc_web_trailers(struct arena *arena, const struct fields *trailers)
{
	size_t length = 0;

	for (unsigned i = 0; i < trailers->count; i++)
		length += trailers->at[i].dropped ? 0 : line_length(&trailers->at[i]);

	char *out = arena_get(arena, FRAME_PREFIX + length), *at = out;

	if (!out)
		return (struct slice){ 0 };
	*at++ = (char)FRAME_TRAILERS;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (char)(length >> shift & 0xff);
	for (unsigned i = 0; i < trailers->count; i++) {
		const struct field *field = &trailers->at[i];
		struct slice name = field_name(field), value = field_value(field);

		if (field->dropped)
			continue;
		for (size_t k = 0; k < name.length; k++)
			*at++ = lower(name.at[k]);
		*at++ = ':';
		*at++ = ' ';
		memcpy(at, value.at, value.length);
		at += value.length;
		*at++ = '\r';
		*at++ = '\n';
	}
	return slice_make(out, (size_t)(at - out));
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* A group of four characters, of which `have` are there and the rest is padding. */
static unsigned decode_group(const uint8_t *kept, unsigned last, unsigned have, char *out)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < 4; i++)
		bits = bits << 6 | (i < have ? i < 3 ? kept[i] : last : 0);
	for (unsigned i = 0; i + 1 < have; i++)
		out[i] = (char)(bits >> (16 - 8 * i));
	return have - 1;
}

int grpc_text_decode(struct grpc_text *text, struct slice *in, char *out, size_t room)
{
	size_t length = 0;

	while (in->length && room - length >= 3) {
		char c = in->at[0];
		int value = base64_value(c);

		*in = slice_from(*in, 1);
		if (c == '=') {
			/* Two or three characters were there; the second '=' of "xx==" follows the group's end. */
			if (text->have >= 2 && !text->padded) {
				length += decode_group(text->kept, 0, text->have, out + length);
				text->padded = text->have == 2;
				text->have = 0;
			} else if (text->padded && text->have == 0) {
				text->padded = false;
			} else {
				return ERROR_SYNTAX;
			}
			continue;
		}
		if (value < 0 || text->padded)
			return ERROR_SYNTAX;
		if (text->have < 3) {
			text->kept[text->have++] = (uint8_t)value;
			continue;
		}
		length += decode_group(text->kept, (unsigned)value, 4, out + length);
		text->have = 0;
	}
	return (int)length;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const uint8_t bytes[3], char out[4])
{
	uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

	for (unsigned i = 0; i < 4; i++)
		out[i] = alphabet[bits >> (18 - 6 * i) & 63];
}

size_t grpc_text_encode(struct grpc_text *text, struct slice *in, char *out, size_t room)
{
	size_t length = 0;

	while (in->length && room - length >= 4) {
		text->kept[text->have++] = (uint8_t)in->at[0];
		*in = slice_from(*in, 1);
		if (text->have < 3)
			continue;
		encode_group(text->kept, out + length);
		length += 4;
		text->have = 0;
	}
	return length;
}

unsigned grpc_text_finish(struct grpc_text *text, char out[4])
{
	uint8_t bytes[3] = { text->have > 0 ? text->kept[0] : 0, text->have > 1 ? text->kept[1] : 0, 0 };
	unsigned have = text->have;

	text->have = 0;
	if (have == 0)
		return 0;
	encode_group(bytes, out);
	memset(out + have + 1, '=', 3 - have);
	return 4;
}
