/* SPDX-License-Identifier: Apache-2.0 */
#include "control/supervisor.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/handover.h"
#include "control/restarts.h"
#include "control/sockets.h"
#include "control/supervised.h"
#include "io/children.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"

enum { SUPERVISOR_MAGIC = 0x73757065, CANNOT_FORK = 71 /* EX_OSERR */ };

/* What is kept, or is being received. */
struct keep {
	struct inherited *inherited; /* NULL: nothing */
	int door;                    /* -1: none */
};

/* | the process       |                                                                                          | ends by                |
 * | runs              | `pid`, and `packets`; judged once both have told its end: the link may still hold words | its end                |
 * | is due            | `again` is set                                                                           | that, or being told to end |
 * | isn't to be again | `waits`                                                                                  | being told to end      | */
struct supervisor {
	uint32_t magic;
	struct supervisor_options options;
	struct children *children;
	struct restarts restarts;
	struct timer again;
	struct text last; /* how the last process ended */
	bool told, notified;
	bool waits;
	int code; /* to end with, while it waits */
	/* The process that runs: */
	uint32_t pid;                /* 0: reaped, or not started */
	struct packet_link *packets; /* NULL: it has closed it */
	int64_t began;
	struct life life;
	/* Of any: */
	struct keep kept, coming;
	bool follows; /* `kept` is what a process wanted kept */
	int follow;   /* packets that are still to come with what is `coming`; -1: none has come */
};

/* ---- what is kept ---- */

static void drop(struct keep *keep)
{
	inherited_free(keep->inherited);
	packet_drop(keep->door);
	*keep = (struct keep){ .door = -1 };
}

static void keep_nothing(struct supervisor *supervisor)
{
	drop(&supervisor->kept);
	drop(&supervisor->coming);
	supervisor->follow = -1;
	supervisor->follows = false;
}

static void take(struct keep *coming, int descriptor, uint8_t role)
{
	if (role == HANDOVER_DOOR) {
		packet_drop(coming->door);
		coming->door = descriptor;
	} else if (inherited_add(coming->inherited, descriptor, role)) {
		LOG(LOG_WARN, "supervisor", "a socket that is to be kept doesn't listen");
	}
}

/* Packets that don't continue those before begin anew. */
static void take_all(struct supervisor *supervisor, const struct handover *message, const int *descriptors)
{
	if (supervisor->follow != message->follow + 1) {
		drop(&supervisor->coming);
		supervisor->coming.inherited = inherited_new();
	}
	supervisor->follow = message->follow;
	for (unsigned i = 0; i < message->sockets.length; i++)
		take(&supervisor->coming, descriptors[i], (uint8_t)message->sockets.at[i]);
	if (message->follow)
		return;
	drop(&supervisor->kept);
	supervisor->kept = supervisor->coming;
	supervisor->coming = (struct keep){ .door = -1 };
	supervisor->follow = -1;
	supervisor->follows = true;
	supervisor->life.leaving = false;
}

static void add_kept(void *owner, const int *descriptors, unsigned count, uint8_t role)
{
	sockets_add(owner, descriptors, count, role);
}

/* ---- its end ---- */

static void judge(struct supervisor *supervisor)
{
	struct life *life = &supervisor->life;
	struct restart next;

	life->lived_ns = loop_now(supervisor->options.loop) - supervisor->began;
	life->told = supervisor->told;
	life->stay = supervisor->options.stay;
	text_clear(&supervisor->last);
	child_end_show(&life->end, &supervisor->last);
	text_format(&supervisor->last, " after %.3f s", (double)life->lived_ns / CLOCK_SECOND);
	next = restarts_judge(&supervisor->restarts, life);
	if (next.what == RESTART_AGAIN) {
		LOG(LOG_ERROR, "supervisor", "the proxy %s: it is started again in %lld ms; %u listening sockets are kept open",
			supervisor->last.bytes, (long long)(next.delay_ns / CLOCK_MS), inherited_left(supervisor->kept.inherited));
		timer_set(supervisor->options.loop, &supervisor->again, loop_now(supervisor->options.loop) + next.delay_ns);
		return;
	}
	keep_nothing(supervisor);
	if (next.what == RESTART_WAIT) {
		LOG(LOG_INFO, "supervisor", "the proxy %s: waiting for SIGTERM", supervisor->last.bytes);
		supervisor->waits = true;
		supervisor->code = next.code;
		return;
	}
	if (supervisor->restarts.short_row == RESTARTS_MOST_SHORT)
		LOG(LOG_ERROR, "supervisor", "the proxy %s, the %dth time in a row within seconds: it isn't started again",
			supervisor->last.bytes, RESTARTS_MOST_SHORT);
	else if (life->end.signal)
		LOG(LOG_ERROR, "supervisor", "the proxy %s while it was ending", supervisor->last.bytes);
	supervisor->options.ended(supervisor->options.owner, next.code);
}

static void reaped(void *owner, uint32_t pid, const struct child_end *end)
{
	struct supervisor *supervisor = owner;

	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	if (pid != supervisor->pid)
		return; /* an orphan of this container's */
	supervisor->pid = 0;
	supervisor->life.end = *end;
	if (!supervisor->packets)
		judge(supervisor);
}

static void link_ended(void *owner, int error)
{
	struct supervisor *supervisor = owner;

	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	if (error)
		LOG(LOG_ERROR, "supervisor", "the proxy's sockets are not kept: %s", error_text(error));
	packet_close(supervisor->packets);
	supervisor->packets = NULL;
	if (!supervisor->pid)
		judge(supervisor);
}

/* ---- what it says ---- */

static void is_ready(struct supervisor *supervisor)
{
	supervisor->life.ready = true;
	if (!supervisor->notified)
		process_notify("READY=1");
	supervisor->notified = true;
}

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct supervisor *supervisor = owner;
	struct handover message;
	int e = handover_read(bytes, &message);

	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	if (!e && message.kind == HANDOVER_SOCKETS && message.sockets.length == count) {
		take_all(supervisor, &message, descriptors);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		packet_drop(descriptors[i]);
	if (!e && message.kind == HANDOVER_READY) {
		is_ready(supervisor);
	} else if (!e && message.kind == HANDOVER_LEAVING) {
		keep_nothing(supervisor);
		supervisor->life.leaving = true;
	} else {
		LOG(LOG_ERROR, "supervisor", "what the proxy says is not understood");
	}
}

static const struct packet_events process_events = { .received = received, .ended = link_ended };

/* ---- its beginning ---- */

static int say(struct supervisor *supervisor, const struct handover *message)
{
	char bytes[HANDOVER_BYTES];

	return packet_send(supervisor->packets, slice_make(bytes, handover_write(message, bytes)), NULL, 0);
}

static int greet(struct supervisor *supervisor)
{
	unsigned count = supervisor->restarts.count;
	const struct handover message = {
		.kind = HANDOVER_BEGIN,
		.version = HANDOVER_NEWEST,
		.restarts = (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX),
		.follows = supervisor->follows,
		.text = text_slice(&supervisor->last),
	};
	struct sockets sockets = { 0 };
	int e = say(supervisor, &message);

	inherited_each(supervisor->kept.inherited, add_kept, &sockets);
	if (supervisor->kept.door >= 0)
		sockets_add(&sockets, &supervisor->kept.door, 1, HANDOVER_DOOR);
	if (!e)
		e = sockets_send(&sockets, supervisor->packets, HANDOVER_NEWEST);
	sockets_fini(&sockets);
	return e;
}

/* What it is told waits in the link until it listens there. */
static int start(struct supervisor *supervisor)
{
	int theirs, e = packet_pair(supervisor->options.loop, &process_events, supervisor, &supervisor->packets, &theirs);

	if (e)
		return e;
	supervisor->life = (struct life){ 0 };
	supervisor->began = loop_now(supervisor->options.loop);
	e = greet(supervisor);
	if (e)
		packet_drop(theirs);
	else
		e = children_start(supervisor->children, supervisor->options.arguments, SUPERVISED_VARIABLE, theirs, &supervisor->pid);
	if (e) {
		packet_close(supervisor->packets);
		supervisor->packets = NULL;
	}
	return e;
}

/* A start that fails is as a short life. */
static void start_again(void *owner)
{
	struct supervisor *supervisor = owner;
	int e = start(supervisor);

	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	if (!e)
		return;
	LOG(LOG_ERROR, "supervisor", "the proxy can't be started: %s", error_text(e));
	supervisor->life.end = (struct child_end){ .code = CANNOT_FORK };
	judge(supervisor);
}

/* ---- being told ---- */

static void end(struct supervisor *supervisor, int code)
{
	timer_cancel(supervisor->options.loop, &supervisor->again);
	keep_nothing(supervisor);
	supervisor->options.ended(supervisor->options.owner, code);
}

void supervisor_tell(struct supervisor *supervisor, enum process_signal which)
{
	const struct handover message = { .kind = HANDOVER_TOLD, .version = HANDOVER_NEWEST, .told = (uint8_t)which };

	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	supervisor->told |= which == PROCESS_TERMINATE;
	if (supervisor->packets) {
		int e = say(supervisor, &message);

		if (which == PROCESS_TERMINATE && !supervisor->life.leaving)
			process_notify("STOPPING=1");
		if (e)
			LOG(LOG_WARN, "supervisor", "the proxy can't be told: %s", error_text(e));
	} else if (which == PROCESS_TERMINATE && !supervisor->pid) {
		end(supervisor, supervisor->waits ? supervisor->code : 0);
	}
}

/* ---- life ---- */

int supervisor_new(const struct supervisor_options *options, struct inherited *inherited, struct supervisor **result)
{
	struct supervisor *supervisor = memory_new(sizeof *supervisor);
	int e;

	supervisor->magic = SUPERVISOR_MAGIC;
	supervisor->options = *options;
	supervisor->restarts.random = loop_random(options->loop);
	supervisor->kept = (struct keep){ .inherited = inherited, .door = -1 };
	supervisor->coming.door = -1;
	supervisor->follow = -1;
	timer_init(&supervisor->again, start_again, supervisor);
	e = children_new(options->loop, reaped, supervisor, &supervisor->children);
	if (!e)
		e = start(supervisor);
	if (e) {
		supervisor_free(supervisor);
		return e;
	}
	*result = supervisor;
	return 0;
}

void supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	CHECK_MAGIC(supervisor, SUPERVISOR_MAGIC);
	timer_cancel(supervisor->options.loop, &supervisor->again);
	packet_close(supervisor->packets);
	children_free(supervisor->children);
	keep_nothing(supervisor);
	text_free(&supervisor->last);
	supervisor->magic = 0;
	memory_free(supervisor);
}
