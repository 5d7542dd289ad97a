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
		message->text = slice_make(body.at, body.length < HANDOVER_MOST_TEXT ? body.length : HANDOVER_MOST_TEXT);
		return 0;
	}
	if (message->version < HANDOVER_OLDEST || message->version > HANDOVER_NEWEST)
		return ERROR_UNSUPPORTED;
	if (message->kind == HANDOVER_SOCKETS)
		return read_sockets(body, message);
	return (message->kind == HANDOVER_READY || message->kind == HANDOVER_LEAVING) && body.length == 0 ? 0 : ERROR_SYNTAX;
}

uint16_t handover_version(const struct handover *ask)
{
	uint16_t version = ask->version < HANDOVER_NEWEST ? ask->version : HANDOVER_NEWEST;

	return version >= ask->oldest && version >= HANDOVER_OLDEST ? version : 0;
}
