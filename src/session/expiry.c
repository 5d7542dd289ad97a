/* SPDX-License-Identifier: Apache-2.0 */
#include "session/expiry.h"

#include "base/check.h"

/* It is moved to an earlier deadline only. */
static void look_at(struct expiries *expiries, int64_t deadline)
{
	if (timer_is_set(&expiries->timer) && expiries->due <= deadline)
		return;
	expiries->due = deadline;
	timer_set(expiries->loop, &expiries->timer, deadline);
}

static void fire(void *owner)
{
	struct expiries *expiries = owner;
	int64_t now = loop_now(expiries->loop), next = CLOCK_NEVER;

	for (unsigned i = 0; i < expiries->count; i++) {
		struct list *members = &expiries->durations[i].members, *first;

		while ((first = list_first(members))) {
			struct expiry *expiry = LIST_OF(first, struct expiry, link);

			if (expiry->deadline > now) {
				if (expiry->deadline < next)
					next = expiry->deadline;
				break;
			}
			list_remove(&expiry->link);
			expiry->fired(expiry);
		}
	}
	if (next != CLOCK_NEVER)
		look_at(expiries, next);
}

void expiries_init(struct expiries *expiries, struct loop *loop)
{
	expiries->loop = loop;
	expiries->count = 0;
	timer_init(&expiries->timer, fire, expiries);
}

void expiries_fini(struct expiries *expiries)
{
	for (unsigned i = 0; i < expiries->count; i++)
		CHECK(list_empty(&expiries->durations[i].members));
	timer_cancel(expiries->loop, &expiries->timer);
}

void expiry_init(struct expiry *expiry, void (*fired)(struct expiry *expiry))
{
	list_init(&expiry->link);
	expiry->deadline = CLOCK_NEVER;
	expiry->fired = fired;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

/* The place for a duration that has none: an unused one, or that of the nearest duration. */
static unsigned place_for(struct expiries *expiries, int64_t duration)
{
	unsigned nearest = 0;

	if (expiries->count < EXPIRY_DURATIONS) {
		expiries->durations[expiries->count].duration = duration;
		list_init(&expiries->durations[expiries->count].members);
		return expiries->count++;
	}
	for (unsigned i = 0; i < expiries->count; i++) {
		if (list_empty(&expiries->durations[i].members)) {
			expiries->durations[i].duration = duration;
			return i;
		}
		if (distance(expiries->durations[i].duration, duration) < distance(expiries->durations[nearest].duration, duration))
			nearest = i;
	}
	return nearest;
}

void expiry_set(struct expiries *expiries, struct expiry *expiry, int64_t duration_ns)
{
	unsigned i = 0;

	list_remove(&expiry->link);
	while (i < expiries->count && expiries->durations[i].duration != duration_ns)
		i++;
	if (i == expiries->count)
		i = place_for(expiries, duration_ns);
	expiry->deadline = clock_after(loop_now(expiries->loop), expiries->durations[i].duration);
	list_append(&expiries->durations[i].members, &expiry->link);
	look_at(expiries, expiry->deadline);
}
