/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of io/ share: a loop that runs until a condition holds, and a listener on a port of its own. */
#ifndef UNIT_IO_RIG_H
#define UNIT_IO_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/process.h"
#include "io/stream.h"

struct rig {
	struct loop *loop;
	struct listen_set *set;
	struct listener *listener;
	struct address address;
	struct stream *accepted[64]; /* oldest first */
	unsigned accepted_count, accepted_wanted;
	bool accepted_enough;
	const bool *condition;
	bool late;
	struct timer poll, deadline;
};

static inline void rig_poll(void *owner)
{
	struct rig *rig = owner;
	if (*rig->condition)
		loop_stop(rig->loop);
	else
		timer_set(rig->loop, &rig->poll, loop_now(rig->loop) + CLOCK_MS);
}

static inline void rig_late(void *owner)
{
	struct rig *rig = owner;
	rig->late = true;
	loop_stop(rig->loop);
}

/* Runs until *condition; false when that takes longer than ten seconds. */
static inline bool rig_until(struct rig *rig, const bool *condition)
{
	rig->condition = condition;
	rig->late = false;
	timer_set(rig->loop, &rig->poll, loop_now(rig->loop));
	timer_set(rig->loop, &rig->deadline, loop_clock(rig->loop) + 10 * CLOCK_SECOND);
	loop_run(rig->loop);
	timer_cancel(rig->loop, &rig->poll);
	timer_cancel(rig->loop, &rig->deadline);
	return !rig->late;
}

/* Runs some turns: what a call has caused has happened after them. */
static inline void rig_turns(struct rig *rig, unsigned turns)
{
	const bool yes = true;
	while (turns--)
		assert_true(rig_until(rig, &yes));
}

static inline void rig_accepted(void *owner, struct stream *stream)
{
	struct rig *rig = owner;
	assert_in_range(rig->accepted_count, 0, 63);
	rig->accepted[rig->accepted_count++] = stream;
	rig->accepted_enough = rig->accepted_count >= rig->accepted_wanted;
}

/* Runs until `count` streams are accepted and not yet taken out of rig->accepted by the test. */
static inline void rig_accept(struct rig *rig, unsigned count)
{
	rig->accepted_wanted = count;
	rig->accepted_enough = rig->accepted_count >= count;
	assert_true(rig_until(rig, &rig->accepted_enough));
	assert_int_equal(rig->accepted_count, count);
}

static inline struct rig *rig_new(const struct loop_options *options)
{
	struct rig *rig = memory_new(sizeof *rig);
	assert_int_equal(loop_new(options, &rig->loop), 0);
	timer_init(&rig->poll, rig_poll, rig);
	timer_init(&rig->deadline, rig_late, rig);
	assert_int_equal(address_parse(SLICE("127.0.0.1"), 0, &rig->address), 0);
	return rig;
}

static inline void rig_listen(struct rig *rig)
{
	assert_int_equal(listen_open(network_host(), &rig->address, 1, &(struct listen_options){ 0 }, &rig->set), 0);
	listen_address(rig->set, &rig->address);
	rig->listener = listen_start(rig->set, 0, rig->loop, rig_accepted, rig);
}

static inline void rig_free(struct rig *rig)
{
	if (rig->listener)
		listen_stop(rig->listener);
	if (rig->set)
		listen_close(rig->set);
	loop_free(rig->loop);
	memory_free(rig);
}

#endif
