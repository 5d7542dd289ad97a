/* SPDX-License-Identifier: Apache-2.0 */
#include "control/taker.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/handover.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"
#include "io/process.h"

enum { TAKER_MAGIC = 0x74616b65 };

/* The old process's control thread may be compiling a configuration. */
#define SOCKETS_PATIENCE (10 * CLOCK_SECOND)
#define LEAVING_PATIENCE (5 * CLOCK_SECOND)

/* | state   | the old process              | ends by                                                             |
 * | ASKED   | is to give its sockets       | the last of them, its end, a refusal, or 10 s                       |
 * | STARTS  | waits until we accept        | taker_ready; or a refusal                                           |
 * | READY   | is to leave                  | LEAVING, its end, 5 s, or a refusal that had been on its way        |
 * | DONE    | has left, or refuses         |                                                                     | */
enum state { ASKED, STARTS, READY, DONE };

struct taker {
	uint32_t magic;
	struct taker_options options;
	struct packet_link *packets; /* NULL: closed */
	enum state state;
	bool leaves; /* it has ended, or has said that it leaves */
	int door;    /* -1: not given */
	unsigned sockets, useless;
	struct timer patience;
	struct task task; /* `owns` doesn't come from inside a call */
};

static void hang_up(struct taker *taker)
{
	packet_close(taker->packets);
	taker->packets = NULL;
	timer_cancel(taker->options.loop, &taker->patience);
}

static void fail(struct taker *taker, int error, const char *why)
{
	enum state state = taker->state;

	hang_up(taker);
	taker->state = DONE;
	if (state == ASKED)
		taker->options.answered(taker->options.owner, error, why);
	else
		taker->options.refused(taker->options.owner, why);
}

/* The old process has left, or leaves. */
static void own(void *owner)
{
	struct taker *taker = owner;
	struct packet_door *door = NULL;

	CHECK_MAGIC(taker, TAKER_MAGIC);
	taker->state = DONE;
	if (taker->packets)
		hang_up(taker);
	if (taker->door >= 0 && packet_door_adopt(taker->door, taker->options.path, &door))
		LOG(LOG_WARN, "handover", "what the old process gave as its door is none");
	taker->door = -1;
	taker->options.owns(taker->options.owner, door);
}

static void have_all(struct taker *taker)
{
	timer_cancel(taker->options.loop, &taker->patience);
	taker->state = STARTS;
	if (taker->useless)
		LOG(LOG_WARN, "handover", "%u of the sockets that the old process gave don't listen: they are left", taker->useless);
	LOG(LOG_INFO, "handover", "the old process gave %u listening sockets", taker->sockets);
	taker->options.answered(taker->options.owner, 0, NULL);
}

static void gone(struct taker *taker)
{
	taker->leaves = true;
	if (taker->state == ASKED) {
		LOG(LOG_WARN, "handover", "the old process ended while it gave its sockets");
		have_all(taker);
	} else if (taker->state == READY) {
		task_set(taker->options.loop, &taker->task);
	}
}

static void take(struct taker *taker, int descriptor, uint8_t role)
{
	if (role == HANDOVER_DOOR && taker->door < 0) {
		taker->door = descriptor;
	} else if (role == HANDOVER_DOOR) {
		packet_drop(descriptor);
	} else {
		taker->sockets++;
		taker->useless += inherited_add(taker->options.inherited, descriptor, role) != 0;
	}
}

static void take_all(struct taker *taker, const struct handover *message, const int *descriptors)
{
	for (unsigned i = 0; i < message->sockets.length; i++)
		take(taker, descriptors[i], (uint8_t)message->sockets.at[i]);
	if (message->follow == 0)
		have_all(taker);
}

static void told(struct taker *taker, const struct handover *message)
{
	struct text why = { 0 };

	switch (message->kind) {
	case HANDOVER_REFUSED:
		text_format(&why, "the running process refuses: %.*s", SLICE_ARGS(message->text));
		fail(taker, ERROR_BUSY, why.bytes);
		break;
	case HANDOVER_LEAVING:
		taker->leaves = true;
		if (taker->state == READY)
			task_set(taker->options.loop, &taker->task);
		break;
	default:
		fail(taker, ERROR_SYNTAX, "the running process says what makes no sense here");
		break;
	}
	text_free(&why);
}

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct taker *taker = owner;
	struct handover message;
	int e = handover_read(bytes, &message);

	CHECK_MAGIC(taker, TAKER_MAGIC);
	if (!e && message.kind == HANDOVER_SOCKETS && taker->state == ASKED && message.sockets.length == count) {
		take_all(taker, &message, descriptors);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		packet_drop(descriptors[i]);
	if (e)
		fail(taker, e, "the running process says what is not understood: is it a weft proxy, and of which version?");
	else
		told(taker, &message);
}

static void ended(void *owner, int error)
{
	struct taker *taker = owner;

	CHECK_MAGIC(taker, TAKER_MAGIC);
	if (error == ERROR_LIMIT) {
		fail(taker, error, "not all sockets could be received: may this process open enough files (ulimit -n)?");
		return;
	}
	packet_close(taker->packets);
	taker->packets = NULL;
	gone(taker);
}

static const struct packet_events old_events = { .received = received, .ended = ended };

static void out_of_patience(void *owner)
{
	struct taker *taker = owner;

	CHECK_MAGIC(taker, TAKER_MAGIC);
	if (taker->state == ASKED) {
		fail(taker, ERROR_TIMEOUT, "the running process doesn't answer within 10 seconds");
		return;
	}
	LOG(LOG_WARN, "handover", "the old process doesn't say that it leaves");
	own(taker);
}

void taker_ready(struct taker *taker)
{
	char bytes[HANDOVER_BYTES];
	const struct handover message = { .kind = HANDOVER_READY, .version = HANDOVER_NEWEST };

	CHECK_MAGIC(taker, TAKER_MAGIC);
	if (taker->state != STARTS)
		return;
	taker->state = READY;
	if (taker->leaves || packet_send(taker->packets, slice_make(bytes, handover_write(&message, bytes)), NULL, 0))
		task_set(taker->options.loop, &taker->task);
	else
		timer_set(taker->options.loop, &taker->patience, loop_now(taker->options.loop) + LEAVING_PATIENCE);
}

/* The user may not connect, it is no such socket, ... */
static int explain(const struct taker_options *options, int error, struct text *why)
{
	const char *what = error_text(error);

	if (error == ERROR_NOT_FOUND || error == ERROR_REFUSED)
		return ERROR_NOT_FOUND;
	if (error == ERROR_INVALID)
		what = "it is no socket of a running weft proxy, or its path is longer than 107 bytes";
	else if (error == ERROR_BUSY)
		what = "too many processes wait there already";
	text_format(why, "cannot ask at %s for the listening sockets: %s", options->path, what);
	return error;
}

/* A door that another user holds isn't asked: its sockets would be that user's. */
static int ask(struct taker *taker, struct text *why)
{
	const struct handover message = { .kind = HANDOVER_ASK, .version = HANDOVER_NEWEST, .oldest = HANDOVER_OLDEST };
	char bytes[HANDOVER_BYTES];
	struct stream_peer peer;
	int e = packet_peer(taker->packets, &peer);

	if (!e && peer.uid != process_user()) {
		text_format(why, "at %s listens a process of another user (%u)", taker->options.path, peer.uid);
		return ERROR_DENIED;
	}
	if (!e)
		e = packet_send(taker->packets, slice_make(bytes, handover_write(&message, bytes)), NULL, 0);
	return e ? explain(&taker->options, e == ERROR_RESET ? ERROR_REFUSED : e, why) : 0;
}

int taker_new(const struct taker_options *options, struct taker **result, struct text *why)
{
	struct taker *taker = memory_new(sizeof *taker);
	int e;

	taker->magic = TAKER_MAGIC;
	taker->options = *options;
	taker->door = -1;
	timer_init(&taker->patience, out_of_patience, taker);
	task_init(&taker->task, own, taker);
	e = packet_connect(options->loop, options->path, &old_events, taker, &taker->packets);
	if (e) {
		e = explain(options, e, why);
		goto no_link;
	}
	e = ask(taker, why);
	if (e)
		goto not_asked;
	timer_set(options->loop, &taker->patience, loop_now(options->loop) + SOCKETS_PATIENCE);
	*result = taker;
	return 0;

not_asked:
	packet_close(taker->packets);
no_link:
	memory_free(taker);
	return e;
}

void taker_free(struct taker *taker)
{
	if (!taker)
		return;
	CHECK_MAGIC(taker, TAKER_MAGIC);
	hang_up(taker);
	task_cancel(taker->options.loop, &taker->task);
	packet_drop(taker->door);
	taker->magic = 0;
	memory_free(taker);
}
