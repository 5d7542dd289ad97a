/* SPDX-License-Identifier: Apache-2.0 */
#include "control/giver.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "control/handover.h"
#include "control/sockets.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"
#include "io/process.h"

enum { GIVER_MAGIC = 0x67697665, CALLERS_MOST = 8 };

#define ASK_PATIENCE (5 * CLOCK_SECOND)
#define READY_PATIENCE CLOCK_MINUTE

/* A process that has connected. It asks, gets the sockets (then it is giver->chosen), and says that it is ready. */
struct caller {
	struct list link; /* giver->callers */
	struct giver *giver;
	struct packet_link *packets;
	struct timer patience;
	uint32_t pid;
};

struct giver {
	uint32_t magic;
	struct giver_options options;
	struct packet_door *door;
	struct list callers;
	unsigned caller_count;
	struct caller *chosen; /* has the sockets, isn't ready */
	bool given;
};

/* ---- callers ---- */

static void caller_free(struct caller *caller)
{
	struct giver *giver = caller->giver;

	timer_cancel(giver->options.loop, &caller->patience);
	packet_close(caller->packets);
	list_remove(&caller->link);
	giver->caller_count--;
	memory_free(caller);
}

/* Gone, or sent away. */
static void forget(struct caller *caller)
{
	struct giver *giver = caller->giver;
	bool chosen = giver->chosen == caller;

	caller_free(caller);
	if (!chosen)
		return;
	giver->chosen = NULL;
	if (!giver->given)
		giver->options.failed(giver->options.owner);
}

static int say(struct caller *caller, const struct handover *message)
{
	char bytes[HANDOVER_BYTES];

	return packet_send(caller->packets, slice_make(bytes, handover_write(message, bytes)), NULL, 0);
}

/* A refusal that can't be sent is one for a process that has gone or doesn't read: it finds the connection closed. */
static void refuse(struct caller *caller, const char *why)
{
	const struct handover message = { .kind = HANDOVER_REFUSED, .version = HANDOVER_NEWEST, .text = slice_of(why) };

	LOG(LOG_WARN, "handover", "process %u is refused: %s", caller->pid, why);
	(void)!say(caller, &message);
	forget(caller);
}

static void out_of_patience(void *owner)
{
	struct caller *caller = owner;

	CHECK_MAGIC(caller->giver, GIVER_MAGIC);
	refuse(caller, caller->giver->chosen == caller ? "it was not ready within a minute" : "it asked for nothing within 5 seconds");
}

/* ---- giving ---- */

static void give(struct caller *caller, uint16_t version)
{
	struct giver *giver = caller->giver;
	struct sockets sockets = { 0 };
	int door = packet_door_descriptor(giver->door), e;

	LOG(LOG_INFO, "handover", "process %u asks for the listening sockets", caller->pid);
	giver->chosen = caller;
	giver->options.begins(giver->options.owner);
	sockets_add(&sockets, &door, 1, HANDOVER_DOOR);
	giver->options.collect(giver->options.owner, &sockets);
	e = sockets_send(&sockets, caller->packets, version);
	sockets_fini(&sockets);
	if (e) {
		LOG(LOG_WARN, "handover", "the sockets can't be given: %s", error_text(e));
		refuse(caller, "the sockets could not be sent");
		return;
	}
	timer_set(giver->options.loop, &caller->patience, loop_now(giver->options.loop) + READY_PATIENCE);
}

static void asked(struct caller *caller, const struct handover *ask)
{
	struct giver *giver = caller->giver;
	uint16_t version = handover_version(ask);
	struct text why = { 0 };

	if (giver->chosen == caller)
		text_format(&why, "it asks twice");
	else if (giver->chosen)
		text_format(&why, "process %u is taking over already", giver->chosen->pid);
	else if (!version)
		text_format(&why, "it speaks versions %u to %u of the handover, the running process %u to %u", ask->oldest, ask->version,
			HANDOVER_OLDEST, HANDOVER_NEWEST);
	if (why.length)
		refuse(caller, why.bytes);
	else
		give(caller, version);
	text_free(&why);
}

/* The others find another process at the door when they try again. */
static void leave(struct giver *giver)
{
	struct caller *chosen = giver->chosen;
	const struct handover message = { .kind = HANDOVER_LEAVING, .version = HANDOVER_NEWEST };

	giver->given = true;
	/* If it doesn't hear this, it sees that the connection ends, and means the same. */
	(void)!say(chosen, &message);
	packet_door_close(giver->door, true);
	giver->door = NULL;
	forget(chosen);
	LIST_EACH_SAFE(&giver->callers, link, after)
		refuse(LIST_OF(link, struct caller, link), "another process has just taken over: try again");
}

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct caller *caller = owner;
	struct giver *giver = caller->giver;
	struct handover message;
	int e = handover_read(bytes, &message);

	CHECK_MAGIC(giver, GIVER_MAGIC);
	for (unsigned i = 0; i < count; i++)
		packet_drop(descriptors[i]); /* nobody asked for any */
	if (!e && message.kind == HANDOVER_ASK) {
		asked(caller, &message);
	} else if (!e && message.kind == HANDOVER_READY && giver->chosen == caller) {
		LOG(LOG_INFO, "handover", "process %u has taken over", caller->pid);
		leave(giver);
		giver->options.given(giver->options.owner);
	} else {
		refuse(caller, "what it says is not understood");
	}
}

static void ended(void *owner, int error)
{
	struct caller *caller = owner;

	if (caller->giver->chosen == caller)
		LOG(LOG_WARN, "handover", "process %u has gone before it was ready (%s): this one goes on", caller->pid,
			error ? error_text(error) : "it has closed");
	forget(caller);
}

static const struct packet_events caller_events = { .received = received, .ended = ended };

static void came(void *owner, struct packet_link *packets)
{
	struct giver *giver = owner;
	struct stream_peer peer;

	CHECK_MAGIC(giver, GIVER_MAGIC);
	if (packet_peer(packets, &peer) || peer.uid != process_user()) {
		LOG(LOG_WARN, "handover", "a process of another user has asked for the listening sockets: it is not answered");
		packet_close(packets);
		return;
	}
	if (giver->caller_count == CALLERS_MOST) {
		LOG(LOG_WARN, "handover", "%u processes ask already: one more is not answered", CALLERS_MOST);
		packet_close(packets);
		return;
	}
	struct caller *caller = memory_new(sizeof *caller);
	caller->giver = giver;
	caller->packets = packets;
	caller->pid = peer.pid;
	list_append(&giver->callers, &caller->link);
	giver->caller_count++;
	timer_init(&caller->patience, out_of_patience, caller);
	timer_set(giver->options.loop, &caller->patience, loop_now(giver->options.loop) + ASK_PATIENCE);
	packet_own(packets, &caller_events, caller);
}

/* ---- life ---- */

int giver_new(const struct giver_options *options, struct packet_door *door, struct giver **result)
{
	struct giver *giver = memory_new(sizeof *giver);
	int e;

	giver->magic = GIVER_MAGIC;
	giver->options = *options;
	giver->door = door;
	list_init(&giver->callers);
	e = packet_door_start(door, options->loop, came, giver);
	if (e) {
		packet_door_close(door, false);
		memory_free(giver);
		return e;
	}
	*result = giver;
	return 0;
}

int giver_door(const struct giver *giver)
{
	return packet_door_descriptor(giver->door);
}

bool giver_free(struct giver *giver)
{
	bool given;

	if (!giver)
		return false;
	CHECK_MAGIC(giver, GIVER_MAGIC);
	if (giver->chosen)
		leave(giver);
	while (!list_empty(&giver->callers))
		refuse(LIST_OF(giver->callers.next, struct caller, link), "the running process is ending");
	packet_door_close(giver->door, false);
	given = giver->given;
	giver->magic = 0;
	memory_free(giver);
	return given;
}
