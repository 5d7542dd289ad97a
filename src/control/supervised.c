/* SPDX-License-Identifier: Apache-2.0 */
#include "control/supervised.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "control/handover.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"

enum { SUPERVISED_MAGIC = 0x73757064 };

struct supervised {
	uint32_t magic;
	struct supervised_options options;
	struct packet_link *packets; /* NULL: lost */
	bool told_begin, begun;
	unsigned restarts;
	bool follows;
	struct text last;
	int door; /* -1: none */
};

static void lose(struct supervised *supervised)
{
	packet_close(supervised->packets);
	supervised->packets = NULL;
	supervised->options.lost(supervised->options.owner);
}

static void take(struct supervised *supervised, int descriptor, uint8_t role)
{
	if (role == HANDOVER_DOOR && supervised->door < 0)
		supervised->door = descriptor;
	else if (role == HANDOVER_DOOR)
		packet_drop(descriptor);
	else if (inherited_add(supervised->options.inherited, descriptor, role))
		LOG(LOG_WARN, "supervisor", "a socket that was kept doesn't listen: it is left");
}

static void begin(struct supervised *supervised, const struct handover *message)
{
	supervised->told_begin = true;
	supervised->restarts = message->restarts;
	supervised->follows = message->follows;
	text_append(&supervised->last, message->text);
	if (message->restarts)
		LOG(LOG_WARN, "supervisor", "this proxy is started again, time %u: the one before %.*s", message->restarts,
			SLICE_ARGS(message->text));
}

static void take_all(struct supervised *supervised, const struct handover *message, const int *descriptors)
{
	for (unsigned i = 0; i < message->sockets.length; i++)
		take(supervised, descriptors[i], (uint8_t)message->sockets.at[i]);
	if (message->follow)
		return;
	supervised->begun = true;
	supervised->options.began(supervised->options.owner);
}

static bool is_signal(uint8_t told)
{
	return told == PROCESS_TERMINATE || told == PROCESS_RELOAD;
}

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct supervised *supervised = owner;
	struct handover message;
	int e = handover_read(bytes, &message);

	CHECK_MAGIC(supervised, SUPERVISED_MAGIC);
	if (!e && message.kind == HANDOVER_SOCKETS && supervised->told_begin && !supervised->begun && message.sockets.length == count) {
		take_all(supervised, &message, descriptors);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		packet_drop(descriptors[i]);
	if (!e && message.kind == HANDOVER_BEGIN && !supervised->told_begin) {
		begin(supervised, &message);
	} else if (!e && message.kind == HANDOVER_TOLD && is_signal(message.told)) {
		supervised->options.told(supervised->options.owner, (enum process_signal)message.told);
	} else {
		LOG(LOG_ERROR, "supervisor", "what the supervisor says is not understood");
		lose(supervised);
	}
}

static void ended(void *owner, int error)
{
	struct supervised *supervised = owner;

	CHECK_MAGIC(supervised, SUPERVISED_MAGIC);
	LOG(LOG_ERROR, "supervisor", "the supervisor has ended%s%s: this process drains, and ends", error ? ": " : "",
		error ? error_text(error) : "");
	lose(supervised);
}

static const struct packet_events supervisor_events = { .received = received, .ended = ended };

unsigned supervised_restarts(const struct supervised *supervised)
{
	return supervised->restarts;
}

const char *supervised_last(const struct supervised *supervised)
{
	return text_slice(&supervised->last).at;
}

bool supervised_follows(const struct supervised *supervised)
{
	return supervised->follows;
}

int supervised_door(struct supervised *supervised)
{
	int door = supervised->door;

	supervised->door = -1;
	return door;
}

/* ---- saying ---- */

static void say(struct supervised *supervised, enum handover_kind kind)
{
	const struct handover message = { .kind = kind, .version = HANDOVER_NEWEST };
	char bytes[HANDOVER_BYTES];
	int e = packet_send(supervised->packets, slice_make(bytes, handover_write(&message, bytes)), NULL, 0);

	if (e)
		LOG(LOG_ERROR, "supervisor", "the supervisor can't be told: %s", error_text(e));
}

void supervised_ready(struct supervised *supervised)
{
	if (supervised->packets)
		say(supervised, HANDOVER_READY);
}

void supervised_keep(struct supervised *supervised, const struct sockets *sockets)
{
	int e = supervised->packets ? sockets_send(sockets, supervised->packets, HANDOVER_NEWEST) : 0;

	if (e)
		LOG(LOG_ERROR, "supervisor", "the supervisor doesn't keep this process's sockets: %s", error_text(e));
}

void supervised_leave(struct supervised *supervised)
{
	if (supervised->packets)
		say(supervised, HANDOVER_LEAVING);
}

/* ---- life ---- */

/* What a supervisor further up left in the environment isn't believed: the other end must be this process's parent. */
static int adopt(struct supervised *supervised)
{
	const char *number = process_environment(SUPERVISED_VARIABLE);
	struct stream_peer peer;
	uint64_t descriptor;
	int e;

	if (!number || slice_to_u64(slice_of(number), INT32_MAX, &descriptor))
		return ERROR_NOT_FOUND;
	e = packet_adopt(supervised->options.loop, (int)descriptor, &supervisor_events, supervised, &supervised->packets);
	if (!e)
		e = packet_peer(supervised->packets, &peer);
	if (e || peer.pid != process_parent()) {
		packet_close(supervised->packets);
		return ERROR_NOT_FOUND;
	}
	return 0;
}

int supervised_new(const struct supervised_options *options, struct supervised **result)
{
	struct supervised *supervised = memory_new(sizeof *supervised);
	int e;

	supervised->magic = SUPERVISED_MAGIC;
	supervised->options = *options;
	supervised->door = -1;
	e = adopt(supervised);
	if (e) {
		memory_free(supervised);
		return e;
	}
	*result = supervised;
	return 0;
}

void supervised_free(struct supervised *supervised)
{
	if (!supervised)
		return;
	CHECK_MAGIC(supervised, SUPERVISED_MAGIC);
	packet_close(supervised->packets);
	packet_drop(supervised->door);
	text_free(&supervised->last);
	supervised->magic = 0;
	memory_free(supervised);
}
