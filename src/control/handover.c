/* SPDX-License-Identifier: Apache-2.0 */
#include "control/handover.h"

#include "base/check.h"

#define MAGIC SLICE("WEFTSOCK")

enum { VERSION_AT = 8, KIND_AT = 10, BODY_AT = 11, NUMBER = 2 };

static void put(char *at, uint16_t value)
{
	at[0] = (char)(value >> 8);
	at[1] = (char)value;
}

static uint16_t get(const char *at)
{
	return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static size_t put_slice(char *at, struct slice s, size_t most)
{
	size_t length = s.length < most ? s.length : most;

	if (length)
		memcpy(at, s.at, length);
	return length;
}

size_t handover_write(const struct handover *message, char bytes[HANDOVER_BYTES])
{
	size_t length = BODY_AT;

	memcpy(bytes, MAGIC.at, MAGIC.length);
	put(bytes + VERSION_AT, message->version);
	bytes[KIND_AT] = (char)message->kind;
	switch (message->kind) {
	case HANDOVER_ASK:
		put(bytes + length, message->oldest);
		return length + NUMBER;
	case HANDOVER_SOCKETS:
		CHECK(message->sockets.length <= HANDOVER_MOST_SOCKETS);
		put(bytes + length, message->follow);
		length += NUMBER;
		return length + put_slice(bytes + length, message->sockets, HANDOVER_MOST_SOCKETS);
	case HANDOVER_REFUSED:
		return length + put_slice(bytes + length, message->text, HANDOVER_MOST_TEXT);
	case HANDOVER_BEGIN:
		put(bytes + length, message->restarts);
		length += NUMBER;
		bytes[length++] = (char)message->follows;
		return length + put_slice(bytes + length, message->text, HANDOVER_MOST_TEXT);
	case HANDOVER_TOLD:
		bytes[length++] = (char)message->told;
		break;
	case HANDOVER_READY:
	case HANDOVER_LEAVING:
		break;
	}
	return length;
}

static int read_sockets(struct slice body, struct handover *message)
{
	if (body.length < NUMBER || body.length - NUMBER > HANDOVER_MOST_SOCKETS)
		return ERROR_SYNTAX;
	message->follow = get(body.at);
	message->sockets = slice_from(body, NUMBER);
	return 0;
}

/* What a later version may say behind it isn't for us. */
static int read_ask(struct slice body, struct handover *message)
{
	if (body.length < NUMBER)
		return ERROR_SYNTAX;
	message->oldest = get(body.at);
	return message->oldest <= message->version ? 0 : ERROR_SYNTAX;
}

static struct slice text_of(struct slice body)
{
	return slice_make(body.at, body.length < HANDOVER_MOST_TEXT ? body.length : HANDOVER_MOST_TEXT);
}

static int read_begin(struct slice body, struct handover *message)
{
	if (body.length <= NUMBER || (unsigned char)body.at[NUMBER] > 1)
		return ERROR_SYNTAX;
	message->restarts = get(body.at);
	message->follows = (uint8_t)body.at[NUMBER];
	message->text = text_of(slice_from(body, NUMBER + 1));
	return 0;
}

/* What only both ends of one version say. */
static int read_rest(struct slice body, struct handover *message)
{
	switch (message->kind) {
	case HANDOVER_SOCKETS:
		return read_sockets(body, message);
	case HANDOVER_BEGIN:
		return read_begin(body, message);
	case HANDOVER_TOLD:
		message->told = body.length == 1 ? (uint8_t)body.at[0] : 0;
		return body.length == 1 ? 0 : ERROR_SYNTAX;
	case HANDOVER_READY:
	case HANDOVER_LEAVING:
		return body.length == 0 ? 0 : ERROR_SYNTAX;
	default:
		return ERROR_SYNTAX;
	}
}

int handover_read(struct slice bytes, struct handover *message)
{
	struct slice body;

	if (bytes.length < BODY_AT || bytes.length > HANDOVER_BYTES || !slice_starts(bytes, MAGIC))
		return ERROR_SYNTAX;
	body = slice_from(bytes, BODY_AT);
	*message = (struct handover){ .kind = (enum handover_kind)(unsigned char)bytes.at[KIND_AT], .version = get(bytes.at + VERSION_AT) };
	if (message->kind == HANDOVER_ASK)
		return read_ask(body, message);
	if (message->kind == HANDOVER_REFUSED) {
		message->text = text_of(body);
		return 0;
	}
	if (message->version < HANDOVER_OLDEST || message->version > HANDOVER_NEWEST)
		return ERROR_UNSUPPORTED;
	return read_rest(body, message);
}

uint16_t handover_version(const struct handover *ask)
{
	uint16_t version = ask->version < HANDOVER_NEWEST ? ask->version : HANDOVER_NEWEST;

	return version >= ask->oldest && version >= HANDOVER_OLDEST ? version : 0;
}
