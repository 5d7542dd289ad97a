/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/joining.h"

#include <stdatomic.h>

#include "base/memory.h"

enum {
	CELLS = 4096, /* a power of two; 64 bytes each */
	LOOKS = 4,    /* at a cell that is being changed, until it counts as ambiguous */
};

/* A cell's state: how many attempts, how many threads are changing its words, and a version that each change makes new. */
#define ONE_ATTEMPT UINT64_C(1)
#define ATTEMPTS ((UINT64_C(1) << 24) - 1)
#define ONE_CHANGER (UINT64_C(1) << 24)
#define CHANGERS (UINT64_C(0xffff) << 24)
#define ONE_VERSION (UINT64_C(1) << 40)

enum { IP_HIGH, IP_LOW, TRACE_HIGH, TRACE_LOW, SPAN, FLAGS, WORDS };

/* In the word FLAGS, beside the trace's own. */
#define WIDE (UINT64_C(1) << 63)
#define IS_IP6 (UINT64_C(1) << 62)
#define ADDED (WIDE | IS_IP6)

/* Words are changed with release and loaded with acquire: who has seen a change then sees in the state that one was made, and drops what
 * it has read. */
struct cell {
	_Atomic uint64_t state;
	_Atomic uint64_t words[WORDS];
	_Atomic int64_t doubt_until; /* as loop_now */
};

struct joining {
	uint64_t hash_key;
	_Alignas(64) struct cell cells[CELLS];
};

_Static_assert(sizeof(struct cell) == 64, "a line of the cache is for one address");

static struct cell *cell_of(struct joining *joining, const struct address *address)
{
	struct address ip = *address;

	ip.port = 0;
	return &joining->cells[address_hash(&ip, joining->hash_key) % CELLS];
}

static void words_of(const struct address *address, const struct trace *span, uint64_t words[WORDS])
{
	memcpy(&words[IP_HIGH], address->ip, sizeof address->ip);
	words[TRACE_HIGH] = span->id_high;
	words[TRACE_LOW] = span->id;
	words[SPAN] = span->span;
	words[FLAGS] = (span->flags & ~ADDED) | (span->wide ? WIDE : 0) | (address->family == ADDRESS_IP6 ? IS_IP6 : 0);
}

static bool has_ip(const struct address *address)
{
	return address->family == ADDRESS_IP4 || address->family == ADDRESS_IP6;
}

/* `attempts`: one more, or one fewer. */
static void change(struct cell *cell, const struct address *endpoint, const struct trace *span, uint64_t attempts)
{
	uint64_t words[WORDS];

	words_of(endpoint, span, words);
	atomic_fetch_add_explicit(&cell->state, ONE_CHANGER, memory_order_relaxed);
	for (unsigned i = 0; i < WORDS; i++)
		atomic_fetch_xor_explicit(&cell->words[i], words[i], memory_order_release);
	atomic_fetch_add_explicit(&cell->state, attempts + ONE_VERSION - ONE_CHANGER, memory_order_release);
}

void joining_begin(struct joining *joining, const struct address *endpoint, const struct trace *span)
{
	if (has_ip(endpoint))
		change(cell_of(joining, endpoint), endpoint, span, ONE_ATTEMPT);
}

static void doubt(struct cell *cell, int64_t until)
{
	int64_t before = atomic_load_explicit(&cell->doubt_until, memory_order_relaxed);

	while (before < until &&
		!atomic_compare_exchange_weak_explicit(&cell->doubt_until, &before, until, memory_order_relaxed, memory_order_relaxed))
		;
}

/* The doubt comes first: who no longer sees the attempt must see that. */
void joining_end(struct joining *joining, const struct address *endpoint, const struct trace *span, int64_t doubt_until)
{
	struct cell *cell = cell_of(joining, endpoint);

	if (!has_ip(endpoint))
		return;
	if (doubt_until != JOINING_SETTLED)
		doubt(cell, doubt_until);
	change(cell, endpoint, span, 0 - ONE_ATTEMPT);
}

/* The words as they were together at some time; *state says how many attempts they are of. */
static bool read_cell(const struct cell *cell, uint64_t words[WORDS], uint64_t *state)
{
	for (unsigned look = 0; look < LOOKS; look++) {
		*state = atomic_load_explicit(&cell->state, memory_order_acquire);
		if (*state & CHANGERS)
			continue;
		for (unsigned i = 0; i < WORDS; i++)
			words[i] = atomic_load_explicit(&cell->words[i], memory_order_acquire);
		if (atomic_load_explicit(&cell->state, memory_order_relaxed) == *state)
			return true;
	}
	return false;
}

static bool is_at(const uint64_t words[WORDS], const struct address *address)
{
	return memcmp(&words[IP_HIGH], address->ip, sizeof address->ip) == 0 &&
		!(words[FLAGS] & IS_IP6) == (address->family == ADDRESS_IP4);
}

struct joining *joining_new(uint64_t hash_key)
{
	struct joining *joining = memory_new_aligned(sizeof *joining, _Alignof(struct joining));

	joining->hash_key = hash_key;
	return joining;
}

void joining_free(struct joining *joining)
{
	memory_free(joining);
}

enum joining_answer joining_find(struct joining *joining, const struct address *caller, int64_t now, struct trace *span)
{
	const struct cell *cell = cell_of(joining, caller);
	uint64_t words[WORDS], state;

	if (!has_ip(caller))
		return JOINING_NONE;
	if (!read_cell(cell, words, &state))
		return JOINING_AMBIGUOUS;
	/* Who has seen that an attempt is gone sees the doubt that it has left. */
	if ((state & ATTEMPTS) > 1 || atomic_load_explicit(&cell->doubt_until, memory_order_relaxed) > now)
		return JOINING_AMBIGUOUS;
	if ((state & ATTEMPTS) == 0 || !is_at(words, caller))
		return JOINING_NONE;
	*span = (struct trace){
		.id_high = words[TRACE_HIGH],
		.id = words[TRACE_LOW],
		.span = words[SPAN],
		.flags = words[FLAGS] & ~ADDED,
		.wide = words[FLAGS] & WIDE,
	};
	return JOINING_ONE;
}
