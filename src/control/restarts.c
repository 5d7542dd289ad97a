/* SPDX-License-Identifier: Apache-2.0 */
#include "control/restarts.h"

#include "base/clock.h"

enum { CANNOT_START = 2, SIGNALS_FROM = 128, MOST_DOUBLINGS = 16 };

#define SHORT_LIFE (10 * CLOCK_SECOND)
#define FIRST_DELAY (100 * CLOCK_MS)
#define MOST_DELAY (5 * CLOCK_SECOND)

static int64_t delay_of(const struct restarts *restarts)
{
	unsigned doublings = restarts->short_row < 2 ? 0 : restarts->short_row - 2;
	int64_t delay = FIRST_DELAY << (doublings < MOST_DOUBLINGS ? doublings : MOST_DOUBLINGS);

	if (restarts->short_row < 2)
		return 0;
	if (delay > MOST_DELAY)
		delay = MOST_DELAY;
	return delay - (int64_t)((double)delay / 2 * random_unit(restarts->random));
}

struct restart restarts_judge(struct restarts *restarts, const struct life *life)
{
	const struct child_end *end = &life->end;
	struct restart next = { .what = RESTART_END, .code = end->signal ? SIGNALS_FROM + end->signal : end->code };
	bool repeats = !end->signal && end->code == CANNOT_START && !life->ready && !restarts->was_ready;

	restarts->was_ready |= life->ready;
	if (life->told || repeats)
		return next;
	if (life->leaving) {
		next.what = life->stay ? RESTART_WAIT : RESTART_END;
		return next;
	}
	if (!end->signal && end->code == 0)
		return next;
	restarts->short_row = life->lived_ns < SHORT_LIFE ? restarts->short_row + 1 : 0;
	if (restarts->short_row == RESTARTS_MOST_SHORT)
		return next;
	restarts->count++;
	next.what = RESTART_AGAIN;
	next.delay_ns = delay_of(restarts);
	return next;
}
