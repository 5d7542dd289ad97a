/* SPDX-License-Identifier: Apache-2.0 */
/* Two machines, one inside the other: records give up their bytes to the message, and the message is a row of fields, each of which
 * needs a number of bytes. */
#include "wire/client_hello.h"

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_HEADER = 5,
	RECORD_MOST = 1 << 14,
	MESSAGE_HELLO = 1,
	MESSAGE_HEADER = 4,
	RANDOM = 2 + 32, /* with the version before it */
	SESSION_MOST = 32,
	EXTENSION_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_VERSIONS = 43,
	NAME_HOST = 0,
	TLS_1_0 = 0x0301,
	TLS_1_3 = 0x0304,
};

/* The fields of a message, in order. The lengths are read into body. */
enum field {
	FIELD_HEADER,
	FIELD_RANDOM,
	FIELD_SESSION_LENGTH,
	FIELD_SESSION,
	FIELD_CIPHERS_LENGTH,
	FIELD_CIPHERS,
	FIELD_COMPRESSIONS_LENGTH,
	FIELD_COMPRESSIONS,
	FIELD_EXTENSIONS_LENGTH,
	FIELD_EXTENSION_HEADER,
	FIELD_EXTENSION,
	FIELD_DONE,
};

enum seen { SEEN_NAME = 1, SEEN_ALPN = 2, SEEN_VERSIONS = 4 };

static uint32_t number(const char *at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)at[i];
	return value;
}

static void next_field(struct client_hello *hello, enum field field, uint32_t need)
{
	hello->at = (uint8_t)field;
	hello->need = need;
	hello->have = 0;
}

void client_hello_start(struct client_hello *hello)
{
	hello->server_name = hello->alpn = (struct slice){ 0 };
	hello->most_version = 0;
	hello->failed = false;
	hello->error = 0;
	hello->record_left = 0;
	hello->header_count = 0;
	hello->message_left = MESSAGE_HEADER;
	hello->extensions_left = 0;
	hello->extension = hello->seen = 0;
	next_field(hello, FIELD_HEADER, MESSAGE_HEADER);
}

/* ---- extensions ---- */

/* Takes a vector's length and says whether it is all that there is. */
static bool take_vector(struct slice *body, unsigned length_bytes)
{
	if (body->length < length_bytes || number(body->at, length_bytes) != body->length - length_bytes)
		return false;
	*body = slice_from(*body, length_bytes);
	return body->length > 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* One host name; nobody ever defined another type, nor may there be two of one. */
static int read_name(struct client_hello *hello, struct slice body)
{
	if (!take_vector(&body, 2) || body.length < 3 || body.at[0] != NAME_HOST)
		return ERROR_SYNTAX;
	body = slice_from(body, 1);
	if (!take_vector(&body, 2))
		return ERROR_SYNTAX;
	if (body.length > CLIENT_HELLO_NAME)
		return ERROR_LIMIT;
	for (size_t i = 0; i < body.length; i++) {
		if (body.at[i] <= ' ' || body.at[i] > '~')
			return ERROR_SYNTAX;
		hello->name[i] = lower(body.at[i]);
	}
	hello->server_name = slice_make(hello->name, body.length);
	return 0;
}

static int read_alpn(struct client_hello *hello, struct slice body)
{
	if (!take_vector(&body, 2))
		return ERROR_SYNTAX;
	for (struct slice rest = body; rest.length > 0;) {
		uint32_t length = number(rest.at, 1);

		if (length == 0 || length > rest.length - 1)
			return ERROR_SYNTAX;
		rest = slice_from(rest, length + 1);
	}
	memcpy(hello->protocols, body.at, body.length);
	hello->alpn = slice_make(hello->protocols, body.length);
	return 0;
}

static int read_versions(struct client_hello *hello, struct slice body)
{
	if (!take_vector(&body, 1) || body.length % 2 != 0)
		return ERROR_SYNTAX;
	hello->most_version = 0;
	for (size_t i = 0; i < body.length; i += 2) {
		uint32_t version = number(body.at + i, 2);

		if (version >= TLS_1_0 && version <= TLS_1_3 && version > hello->most_version)
			hello->most_version = (uint16_t)version;
	}
	return 0;
}

static unsigned seen_bit(uint16_t extension)
{
	switch (extension) {
	case EXTENSION_NAME:
		return SEEN_NAME;
	case EXTENSION_ALPN:
		return SEEN_ALPN;
	case EXTENSION_VERSIONS:
		return SEEN_VERSIONS;
	default:
		return 0;
	}
}

static int read_extension(struct client_hello *hello)
{
	struct slice body = slice_make(hello->body, hello->need);

	switch (hello->extension) {
	case EXTENSION_NAME:
		return read_name(hello, body);
	case EXTENSION_ALPN:
		return read_alpn(hello, body);
	case EXTENSION_VERSIONS:
		return read_versions(hello, body);
	default:
		return 0;
	}
}

/* ---- fields ---- */

static int begin_extensions(struct client_hello *hello)
{
	if (hello->extensions_left == 0)
		next_field(hello, FIELD_DONE, 0);
	else if (hello->extensions_left < 4)
		return ERROR_SYNTAX;
	else
		next_field(hello, FIELD_EXTENSION_HEADER, 4);
	return 0;
}

static int begin_extension(struct client_hello *hello)
{
	uint32_t length = number(hello->body + 2, 2);
	unsigned bit;

	hello->extension = (uint16_t)number(hello->body, 2);
	bit = seen_bit(hello->extension);
	if (length > hello->extensions_left - 4 || (hello->seen & bit))
		return ERROR_SYNTAX;
	if (bit && length > CLIENT_HELLO_LIST)
		return ERROR_LIMIT;
	hello->seen |= (uint16_t)bit;
	hello->extensions_left -= 4 + length;
	next_field(hello, FIELD_EXTENSION, length);
	return 0;
}

static int begin_message(struct client_hello *hello)
{
	uint32_t length = number(hello->body + 1, 3);

	if (hello->body[0] != MESSAGE_HELLO)
		return ERROR_SYNTAX;
	if (length > CLIENT_HELLO_MOST - MESSAGE_HEADER)
		return ERROR_LIMIT;
	hello->message_left = length;
	next_field(hello, FIELD_RANDOM, RANDOM);
	return 0;
}

static int begin_extensions_length(struct client_hello *hello)
{
	if (hello->message_left == 0) /* RFC 5246 section 7.4.1.2: there need be none */
		next_field(hello, FIELD_DONE, 0);
	else
		next_field(hello, FIELD_EXTENSIONS_LENGTH, 2);
	return 0;
}

/* The present field has all its bytes. */
static int end_field(struct client_hello *hello)
{
	uint32_t length;
	int e;

	switch ((enum field)hello->at) {
	case FIELD_HEADER:
		return begin_message(hello);
	case FIELD_RANDOM:
		hello->most_version = (uint16_t)number(hello->body, 2);
		if (hello->most_version < TLS_1_0)
			return ERROR_SYNTAX;
		next_field(hello, FIELD_SESSION_LENGTH, 1);
		return 0;
	case FIELD_SESSION_LENGTH:
		length = number(hello->body, 1);
		next_field(hello, FIELD_SESSION, length);
		return length > SESSION_MOST ? ERROR_SYNTAX : 0;
	case FIELD_SESSION:
		next_field(hello, FIELD_CIPHERS_LENGTH, 2);
		return 0;
	case FIELD_CIPHERS_LENGTH:
		length = number(hello->body, 2);
		next_field(hello, FIELD_CIPHERS, length);
		return length == 0 || length % 2 != 0 ? ERROR_SYNTAX : 0;
	case FIELD_CIPHERS:
		next_field(hello, FIELD_COMPRESSIONS_LENGTH, 1);
		return 0;
	case FIELD_COMPRESSIONS_LENGTH:
		length = number(hello->body, 1);
		next_field(hello, FIELD_COMPRESSIONS, length);
		return length == 0 ? ERROR_SYNTAX : 0;
	case FIELD_COMPRESSIONS:
		return begin_extensions_length(hello);
	case FIELD_EXTENSIONS_LENGTH:
		hello->extensions_left = number(hello->body, 2);
		return hello->extensions_left != hello->message_left ? ERROR_SYNTAX : begin_extensions(hello);
	case FIELD_EXTENSION_HEADER:
		return begin_extension(hello);
	case FIELD_EXTENSION:
		e = read_extension(hello);
		return e ? e : begin_extensions(hello);
	case FIELD_DONE:
		break;
	}
	return 0;
}

static bool is_kept(const struct client_hello *hello)
{
	return hello->at != FIELD_SESSION && hello->at != FIELD_CIPHERS && hello->at != FIELD_COMPRESSIONS &&
		(hello->at != FIELD_EXTENSION || seen_bit(hello->extension));
}

/* Bytes of the message; as many as belong to it are used. */
static int feed_message(struct client_hello *hello, struct slice bytes)
{
	while (hello->at != FIELD_DONE) {
		uint32_t want = hello->need - hello->have;
		uint32_t some = want < bytes.length ? want : (uint32_t)bytes.length;
		int e;

		if (want > hello->message_left)
			return ERROR_SYNTAX;
		if (is_kept(hello))
			memcpy(hello->body + hello->have, bytes.at, some);
		hello->have += some;
		hello->message_left -= some;
		bytes = slice_from(bytes, some);
		if (hello->have < hello->need)
			return ERROR_INCOMPLETE;
		e = end_field(hello);
		if (e)
			return e;
	}
	return 0;
}

/* ---- records ---- */

static int check_header(struct client_hello *hello)
{
	uint32_t length = (uint32_t)hello->header[3] << 8 | hello->header[4];

	hello->header_count = 0;
	hello->record_left = length;
	return hello->header[0] != RECORD_HANDSHAKE || hello->header[1] != 3 || length == 0 || length > RECORD_MOST ? ERROR_SYNTAX : 0;
}

static int feed(struct client_hello *hello, struct slice bytes)
{
	while (bytes.length > 0) {
		int e;

		if (hello->record_left == 0) {
			hello->header[hello->header_count++] = (uint8_t)bytes.at[0];
			bytes = slice_from(bytes, 1);
			e = hello->header_count == RECORD_HEADER ? check_header(hello) : 0;
			if (e)
				return e;
			continue;
		}
		size_t some = hello->record_left < bytes.length ? hello->record_left : bytes.length;
		e = feed_message(hello, slice_make(bytes.at, some));
		if (e != ERROR_INCOMPLETE)
			return e;
		hello->record_left -= (uint32_t)some;
		bytes = slice_from(bytes, some);
	}
	return ERROR_INCOMPLETE;
}

int client_hello_feed(struct client_hello *hello, struct slice bytes)
{
	int e;

	if (hello->failed)
		return hello->error;
	if (hello->at == FIELD_DONE)
		return 0;
	e = feed(hello, bytes);
	if (e && e != ERROR_INCOMPLETE) {
		hello->failed = true;
		hello->error = (int8_t)e;
	}
	return e;
}

bool client_hello_offers(const struct client_hello *hello, struct slice protocol)
{
	for (struct slice rest = hello->alpn; rest.length > 0;) {
		uint32_t length = number(rest.at, 1);

		if (slice_equal(slice_make(rest.at + 1, length), protocol))
			return true;
		rest = slice_from(rest, length + 1);
	}
	return false;
}

enum client_hello_first client_hello_first(struct slice bytes)
{
	static const unsigned char begins[] = { RECORD_HANDSHAKE, 3 };

	for (size_t i = 0; i < sizeof begins; i++) {
		if (i == bytes.length)
			return CLIENT_HELLO_MORE;
		if ((unsigned char)bytes.at[i] != begins[i])
			return CLIENT_HELLO_PLAIN;
	}
	return CLIENT_HELLO_TLS;
}
