/* SPDX-License-Identifier: Apache-2.0 */
#include "base/recent_log.h"

#include <stdatomic.h>
#include <string.h>

enum {
	WORDS = sizeof(struct recent_line) / 8,
	BEING_WRITTEN = 16, /* of the newest lines: a reader comes back for those that aren't there yet */
};

/* As in observe/ring.h, but of many writers: the number is 2n + 1 while line n is being written, and 2n + 2 once it is there. */
struct place {
	_Atomic uint64_t sequence;
	_Atomic uint64_t words[WORDS];
};

static struct place places[RECENT_LOG_LINES];
static _Atomic uint64_t written;

/* False: somebody has been writing there since all places were turned over, or a newer line is there. */
static bool enter(struct place *place, uint64_t n)
{
	uint64_t before = atomic_load_explicit(&place->sequence, memory_order_relaxed);

	return before % 2 == 0 && before <= 2 * n &&
		atomic_compare_exchange_strong_explicit(&place->sequence, &before, 2 * n + 1, memory_order_acquire, memory_order_relaxed);
}

void recent_log_put(int64_t at, enum log_level level, const char *room, struct slice text)
{
	struct recent_line line = { .at = at, .level = (uint8_t)level, .cut = text.length > RECENT_LOG_TEXT };
	uint64_t n = atomic_fetch_add_explicit(&written, 1, memory_order_relaxed), words[WORDS];
	struct place *place = &places[n % RECENT_LOG_LINES];

	if (!enter(place, n))
		return;
	line.length = (uint16_t)(line.cut ? RECENT_LOG_TEXT : text.length);
	memcpy(line.room, room, strnlen(room, RECENT_LOG_ROOM - 1));
	memcpy(line.text, text.at, line.length);
	memcpy(words, &line, sizeof words);
	for (unsigned i = 0; i < WORDS; i++)
		atomic_store_explicit(&place->words[i], words[i], memory_order_release);
	atomic_store_explicit(&place->sequence, 2 * n + 2, memory_order_release);
}

static bool copy(uint64_t n, struct recent_line *line)
{
	struct place *place = &places[n % RECENT_LOG_LINES];
	uint64_t words[WORDS];

	if (atomic_load_explicit(&place->sequence, memory_order_acquire) != 2 * n + 2)
		return false;
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = atomic_load_explicit(&place->words[i], memory_order_acquire);
	memcpy(line, words, sizeof *line);
	return atomic_load_explicit(&place->sequence, memory_order_relaxed) == 2 * n + 2;
}

uint64_t recent_log_read(uint64_t since, uint64_t *lost, void (*visit)(void *owner, const struct recent_line *line), void *owner)
{
	uint64_t end = atomic_load_explicit(&written, memory_order_acquire), n = since <= end ? since : 0;

	if (end - n > RECENT_LOG_LINES) {
		*lost += end - RECENT_LOG_LINES - n;
		n = end - RECENT_LOG_LINES;
	}
	for (; n < end; n++) {
		struct recent_line line;

		if (copy(n, &line))
			visit(owner, &line);
		else if (end - n <= BEING_WRITTEN)
			return n;
		else
			++*lost;
	}
	return end;
}
