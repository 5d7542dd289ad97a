/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint works on is told when it is one thing, and never when it may be another. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/thread.h"
#include "proxy/joining.h"

enum { WRITERS = 3, ROUNDS = 20000, MANY_ADDRESSES = 3 * 4096 };

static struct address address_of(const char *ip, uint16_t port)
{
	struct address address = { 0 };

	assert_int_equal(0, address_parse(slice_of(ip), port, &address));
	return address;
}

/* All of it follows from a number, so that a mix of two is seen. */
static struct trace span_of(uint64_t n)
{
	return (struct trace){
		.id = n * UINT64_C(0x9e3779b97f4a7c15),
		.id_high = n % 2 ? n * UINT64_C(0xbf58476d1ce4e5b9) : 0,
		.span = n * UINT64_C(0x94d049bb133111eb),
		.flags = TRACE_SAMPLING_KNOWN | (n % 3 ? TRACE_SAMPLED : 0),
		.wide = n % 2,
	};
}

static bool same(const struct trace *a, const struct trace *b)
{
	return a->id == b->id && a->id_high == b->id_high && a->span == b->span && a->flags == b->flags && a->wide == b->wide;
}

static void assert_one(struct joining *joining, const char *caller, int64_t now, uint64_t n)
{
	struct address address = address_of(caller, 4321);
	struct trace expected = span_of(n), found;

	assert_int_equal(JOINING_ONE, joining_find(joining, &address, now, &found));
	assert_true(same(&expected, &found));
}

static void assert_not(struct joining *joining, const char *caller, int64_t now, enum joining_answer answer)
{
	struct address address = address_of(caller, 4321);
	struct trace found;

	assert_int_equal(answer, joining_find(joining, &address, now, &found));
}

static void begin(struct joining *joining, const char *ip, uint16_t port, uint64_t n)
{
	struct address address = address_of(ip, port);
	struct trace span = span_of(n);

	joining_begin(joining, &address, &span);
}

static void end(struct joining *joining, const char *ip, uint16_t port, uint64_t n, int64_t doubt_until)
{
	struct address address = address_of(ip, port);
	struct trace span = span_of(n);

	joining_end(joining, &address, &span, doubt_until);
}

static void the_one_request_is_found(void **state)
{
	struct joining *joining = joining_new(7);

	(void)state;
	assert_not(joining, "10.0.0.1", 0, JOINING_NONE);
	begin(joining, "10.0.0.1", 80, 1);
	assert_one(joining, "10.0.0.1", 0, 1);
	assert_not(joining, "10.0.0.2", 0, JOINING_NONE);
	assert_not(joining, "::a00:1", 0, JOINING_NONE);
	/* another one, at another port: whose the call is nobody knows; and when the first has ended, it is known again */
	begin(joining, "10.0.0.1", 81, 2);
	assert_not(joining, "10.0.0.1", 0, JOINING_AMBIGUOUS);
	end(joining, "10.0.0.1", 80, 1, JOINING_SETTLED);
	assert_one(joining, "10.0.0.1", 0, 2);
	end(joining, "10.0.0.1", 81, 2, JOINING_SETTLED);
	assert_not(joining, "10.0.0.1", 0, JOINING_NONE);
	begin(joining, "2001:db8::1", 80, 3);
	assert_one(joining, "2001:db8::1", 0, 3);
	end(joining, "2001:db8::1", 80, 3, JOINING_SETTLED);
	joining_free(joining);
}

static void what_was_given_up_leaves_doubt(void **state)
{
	struct joining *joining = joining_new(7);

	(void)state;
	begin(joining, "10.0.0.1", 80, 1);
	end(joining, "10.0.0.1", 80, 1, 1000);
	assert_not(joining, "10.0.0.1", 999, JOINING_AMBIGUOUS);
	begin(joining, "10.0.0.1", 80, 2);
	assert_not(joining, "10.0.0.1", 999, JOINING_AMBIGUOUS);
	assert_one(joining, "10.0.0.1", 1000, 2);
	/* what ends the sooner does not shorten it */
	end(joining, "10.0.0.1", 80, 2, 900);
	assert_not(joining, "10.0.0.1", 999, JOINING_AMBIGUOUS);
	joining_free(joining);
}

/* More addresses than there are cells: some share one, and none is ever taken for another. */
static void addresses_that_share_a_cell_are_told_apart(void **state)
{
	struct joining *joining = joining_new(7);
	unsigned ambiguous = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY_ADDRESSES; i++) {
		struct address address = {
			.family = ADDRESS_IP4, .port = 80, .ip = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i }
		};
		struct trace span = span_of(i), found;

		joining_begin(joining, &address, &span);
		switch (joining_find(joining, &address, 0, &found)) {
		case JOINING_ONE:
			assert_true(same(&span, &found));
			break;
		case JOINING_AMBIGUOUS:
			ambiguous++;
			break;
		case JOINING_NONE:
			fail();
		}
	}
	assert_true(ambiguous > MANY_ADDRESSES / 4 && ambiguous < MANY_ADDRESSES);
	joining_free(joining);
}

static struct joining *shared;
static _Atomic uint32_t writing;

static void write(void *owner)
{
	uint64_t which = (uint64_t)(uintptr_t)owner;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		begin(shared, "10.0.0.1", 80, i * WRITERS + which);
		if (i % 4 == 0)
			sched_yield();
		end(shared, "10.0.0.1", 80, i * WRITERS + which, JOINING_SETTLED);
		if (i % 4 == 1)
			sched_yield();
	}
	atomic_fetch_sub(&writing, 1);
}

static void a_mix_is_never_found(void **state)
{
	const uint64_t inverse = UINT64_C(0xf1de83e19937733d); /* of span_of's factor for the id, modulo 2^64 */
	struct address caller = address_of("10.0.0.1", 4321);
	struct thread *threads[WRITERS];
	uint64_t found = 0;

	(void)state;
	assert_true(inverse * UINT64_C(0x9e3779b97f4a7c15) == 1);
	shared = joining_new(7);
	atomic_store(&writing, WRITERS);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(0, thread_start("writer", write, (void *)(uintptr_t)i, &threads[i]));
	while (atomic_load(&writing)) {
		struct trace one, expected;

		if (joining_find(shared, &caller, 0, &one) != JOINING_ONE)
			continue;
		expected = span_of(one.id * inverse);
		assert_true(same(&expected, &one) && one.id * inverse < (uint64_t)ROUNDS * WRITERS);
		found++;
	}
	for (unsigned i = 0; i < WRITERS; i++)
		thread_join(threads[i]);
	assert_true(found > 0);
	assert_not(shared, "10.0.0.1", 0, JOINING_NONE);
	joining_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_request_is_found),
		cmocka_unit_test(what_was_given_up_leaves_doubt),
		cmocka_unit_test(addresses_that_share_a_cell_are_told_apart),
		cmocka_unit_test(a_mix_is_never_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
