/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/succession.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/handover.h"
#include "control/supervised.h"
#include "control/taker.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"

enum { DOOR_MODE = 0600 };

struct succession {
	struct succession_options options;
	struct taker *taker;      /* NULL: there was no process before, or it has left */
	struct packet_door *door; /* until the giver has it */
	struct giver *giver;
	int answer;       /* of the process before */
	struct text *why; /* while it is waited for */
	bool owns;        /* it accepts, and no process before it does: the supervisor is to keep the sockets */
	bool ended;
};

/* ---- what the supervisor keeps ---- */

static void keep(struct succession *succession)
{
	struct sockets sockets = { 0 };

	if (!succession->options.supervised || !succession->owns)
		return;
	if (succession->giver) {
		int door = giver_door(succession->giver);

		sockets_add(&sockets, &door, 1, HANDOVER_DOOR);
	}
	succession->options.collect(succession->options.owner, &sockets);
	supervised_keep(succession->options.supervised, &sockets);
	sockets_fini(&sockets);
}

static void leave(struct succession *succession)
{
	succession->owns = false;
	if (succession->options.supervised)
		supervised_leave(succession->options.supervised);
}

/* ---- the process after ---- */

/* Two must not go on with the same sockets: if this process died now, the other would have them. */
static void begins(void *owner)
{
	struct succession *succession = owner;

	leave(succession);
	succession->options.begins(succession->options.owner);
}

static void collect(void *owner, struct sockets *sockets)
{
	struct succession *succession = owner;

	succession->options.collect(succession->options.owner, sockets);
}

static void failed(void *owner)
{
	struct succession *succession = owner;

	if (!succession->ended) {
		succession->owns = true;
		keep(succession);
	}
	succession->options.failed(succession->options.owner);
}

static void given(void *owner)
{
	struct succession *succession = owner;

	succession->options.given(succession->options.owner);
}

/* ---- the process before ---- */

static void answered(void *owner, int error, const char *why)
{
	struct succession *succession = owner;

	succession->answer = error;
	if (error)
		text_format(succession->why, "%s", why);
	loop_stop(succession->options.loop);
}

static void refused(void *owner, const char *why)
{
	struct succession *succession = owner;

	LOG(LOG_ERROR, "handover", "the process before goes on, so this one ends: %s", why);
	succession->options.refused(succession->options.owner);
}

static int open_door(struct succession *succession, struct text *why)
{
	int e = packet_door_open(succession->options.path, DOOR_MODE, &succession->door);

	if (e)
		text_format(why, "cannot listen on %s: %s", succession->options.path,
			e == ERROR_EXISTS              ? "somebody else listens there, or it is no socket"
				: e == ERROR_NOT_FOUND ? "there is no such directory"
				: e == ERROR_INVALID   ? "the path is longer than 107 bytes"
						       : error_text(e));
	return e;
}

static void serve_next(struct succession *succession)
{
	const struct giver_options options = {
		.loop = succession->options.loop,
		.begins = begins,
		.collect = collect,
		.failed = failed,
		.given = given,
		.owner = succession,
	};
	int e = giver_new(&options, succession->door, &succession->giver);

	succession->door = NULL;
	if (e)
		LOG(LOG_ERROR, "handover", "the next process can't be answered: %s", error_text(e));
}

static void owns(void *owner, struct packet_door *door)
{
	struct succession *succession = owner;
	struct text why = { 0 };

	taker_free(succession->taker);
	succession->taker = NULL;
	succession->door = door;
	if (!door && open_door(succession, &why))
		LOG(LOG_ERROR, "handover", "the next process can't be answered: %s", why.bytes);
	else
		serve_next(succession);
	succession->owns = true;
	keep(succession);
	text_free(&why);
}

/* ERROR_NOT_FOUND: there is none. */
static int take(struct succession *succession, struct text *why)
{
	const struct taker_options options = {
		.loop = succession->options.loop,
		.path = succession->options.path,
		.inherited = succession->options.inherited,
		.answered = answered,
		.refused = refused,
		.owns = owns,
		.owner = succession,
	};
	int e = taker_new(&options, &succession->taker, why);

	if (e)
		return e;
	succession->why = why;
	loop_run(succession->options.loop);
	succession->why = NULL;
	return succession->answer;
}

/* ---- life ---- */

/* The door that the process before this one had. */
static int follow(struct succession *succession, struct text *why)
{
	int door = supervised_door(succession->options.supervised);

	if (door >= 0 && packet_door_adopt(door, succession->options.path, &succession->door) == 0)
		return 0;
	return open_door(succession, why);
}

static int inherit(struct succession *succession, struct text *why)
{
	const struct supervised *supervised = succession->options.supervised;
	unsigned from_systemd;
	int e = inherited_from_environment(succession->options.inherited, &from_systemd);

	if (e) {
		text_format(why, "LISTEN_FDS: descriptor %u is no listening TCP socket", from_systemd + 2);
		return e;
	}
	if (from_systemd)
		LOG(LOG_INFO, "handover", "%u listening sockets came with the start (LISTEN_FDS)", from_systemd);
	if (!succession->options.path)
		return 0;
	if (supervised && supervised_follows(supervised))
		return follow(succession, why);
	e = take(succession, why);
	return e == ERROR_NOT_FOUND ? open_door(succession, why) : e;
}

int succession_new(const struct succession_options *options, struct succession **result, struct text *why)
{
	struct succession *succession = memory_new(sizeof *succession);
	int e;

	succession->options = *options;
	e = inherit(succession, why);
	if (e) {
		succession_free(succession);
		return e;
	}
	*result = succession;
	return 0;
}

bool succession_takes_over(const struct succession *succession)
{
	return succession->taker != NULL;
}

void succession_ready(struct succession *succession)
{
	unsigned left = inherited_drop(succession->options.inherited);

	if (left)
		LOG(LOG_INFO, "handover", "%u inherited sockets are of no listener of this configuration: they are left", left);
	if (succession->options.supervised)
		supervised_ready(succession->options.supervised);
	if (succession->ended)
		return;
	if (succession->taker) {
		taker_ready(succession->taker);
		return;
	}
	if (succession->door)
		serve_next(succession);
	succession->owns = true;
	keep(succession);
}

void succession_changed(struct succession *succession)
{
	keep(succession);
}

/* The giver of a process that was given everything has no path to remove any more; it tells who comes too late. */
bool succession_end(struct succession *succession)
{
	bool goes_on = succession->taker != NULL;

	if (!succession->ended)
		leave(succession);
	succession->ended = true;
	taker_free(succession->taker);
	goes_on |= giver_free(succession->giver);
	packet_door_close(succession->door, false);
	succession->taker = NULL;
	succession->giver = NULL;
	succession->door = NULL;
	return goes_on;
}

void succession_free(struct succession *succession)
{
	if (!succession)
		return;
	(void)succession_end(succession);
	memory_free(succession);
}
