/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/succession.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/taker.h"
#include "io/inherit.h"
#include "io/loop.h"
#include "io/packet.h"

enum { DOOR_MODE = 0600 };

struct succession {
	struct succession_options options;
	struct inherited *inherited;
	struct taker *taker;      /* NULL: there was no process before, or it has left */
	struct packet_door *door; /* until the giver has it */
	struct giver *giver;
	int answer;       /* of the process before */
	struct text *why; /* while it is waited for */
	bool ended;
};

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
		.begins = succession->options.begins,
		.collect = succession->options.collect,
		.failed = succession->options.failed,
		.given = succession->options.given,
		.owner = succession->options.owner,
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
	text_free(&why);
}

/* ERROR_NOT_FOUND: there is none. */
static int take(struct succession *succession, struct text *why)
{
	const struct taker_options options = {
		.loop = succession->options.loop,
		.path = succession->options.path,
		.inherited = succession->inherited,
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

static int inherit(struct succession *succession, struct text *why)
{
	unsigned from_systemd;
	int e = inherited_from_environment(succession->inherited, &from_systemd);

	if (e) {
		text_format(why, "LISTEN_FDS: descriptor %u is no listening TCP socket", from_systemd + 2);
		return e;
	}
	if (from_systemd)
		LOG(LOG_INFO, "handover", "%u listening sockets came with the start (LISTEN_FDS)", from_systemd);
	if (!succession->options.path)
		return 0;
	e = take(succession, why);
	return e == ERROR_NOT_FOUND ? open_door(succession, why) : e;
}

int succession_new(const struct succession_options *options, struct succession **result, struct text *why)
{
	struct succession *succession = memory_new(sizeof *succession);
	int e;

	succession->options = *options;
	succession->inherited = inherited_new();
	e = inherit(succession, why);
	if (e) {
		succession_free(succession);
		return e;
	}
	*result = succession;
	return 0;
}

struct inherited *succession_inherited(struct succession *succession)
{
	return succession->inherited;
}

bool succession_takes_over(const struct succession *succession)
{
	return succession->taker != NULL;
}

void succession_ready(struct succession *succession)
{
	unsigned left = inherited_drop(succession->inherited);

	if (left)
		LOG(LOG_INFO, "handover", "%u inherited sockets are of no listener of this configuration: they are left", left);
	if (succession->ended)
		return;
	if (succession->taker)
		taker_ready(succession->taker);
	else if (succession->door)
		serve_next(succession);
}

/* The giver of a process that was given everything has no path to remove any more; it tells who comes too late. */
bool succession_end(struct succession *succession)
{
	bool goes_on = succession->taker != NULL;

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
	inherited_free(succession->inherited);
	memory_free(succession);
}
