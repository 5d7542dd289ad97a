/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a handover: what is written is read again, and what is none is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/handover.h"

static char bytes[HANDOVER_BYTES];

static struct slice written(const struct handover *message)
{
	return slice_make(bytes, handover_write(message, bytes));
}

static void an_ask_says_its_versions(void **state)
{
	(void)state;
	struct handover read;
	assert_int_equal(handover_read(written(&(struct handover){ .kind = HANDOVER_ASK, .version = 7, .oldest = 3 }), &read), 0);
	assert_int_equal(read.kind, HANDOVER_ASK);
	assert_int_equal(read.version, 7);
	assert_int_equal(read.oldest, 3);
	assert_int_equal(
		handover_read(written(&(struct handover){ .kind = HANDOVER_ASK, .version = 3, .oldest = 7 }), &read), ERROR_SYNTAX);
}

static void a_later_ask_may_say_more(void **state)
{
	(void)state;
	struct handover read;
	size_t length = written(&(struct handover){ .kind = HANDOVER_ASK, .version = 9, .oldest = 1 }).length;
	memset(bytes + length, 'x', 100);
	assert_int_equal(handover_read(slice_make(bytes, length + 100), &read), 0);
	assert_int_equal(handover_version(&read), HANDOVER_NEWEST);
}

static void the_newest_common_version_is_spoken(void **state)
{
	(void)state;
	static const struct {
		uint16_t newest, oldest, spoken;
	} asks[] = {
		{ 1, 1, 1 },
		{ 0, 0, 0 },
		{ 2, 1, 1 },
		{ 1, 0, 1 },
		{ UINT16_MAX, 1, 1 },
		{ UINT16_MAX, 2, 0 },
	};
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		const struct handover ask = { .kind = HANDOVER_ASK, .version = asks[i].newest, .oldest = asks[i].oldest };
		assert_int_equal(handover_version(&ask), asks[i].spoken);
	}
}

static void sockets_have_a_role_each(void **state)
{
	(void)state;
	char roles[HANDOVER_MOST_SOCKETS];
	struct handover read;
	for (size_t i = 0; i < sizeof roles; i++)
		roles[i] = (char)i;
	for (size_t count = 0; count <= sizeof roles; count += 50) {
		const struct handover message = {
			.kind = HANDOVER_SOCKETS, .version = 1, .follow = 300, .sockets = slice_make(roles, count)
		};
		assert_int_equal(handover_read(written(&message), &read), 0);
		assert_int_equal(read.follow, 300);
		assert_true(slice_equal(read.sockets, message.sockets));
	}
}

static void more_sockets_than_a_packet_has_are_refused(void **state)
{
	(void)state;
	struct handover read;
	size_t length = written(&(struct handover){ .kind = HANDOVER_SOCKETS, .version = 1 }).length;
	memset(bytes + length, 0, HANDOVER_MOST_SOCKETS + 1);
	assert_int_equal(handover_read(slice_make(bytes, length + HANDOVER_MOST_SOCKETS), &read), 0);
	assert_int_equal(handover_read(slice_make(bytes, length + HANDOVER_MOST_SOCKETS + 1), &read), ERROR_SYNTAX);
}

static void a_refusal_says_why_in_any_version(void **state)
{
	(void)state;
	char text[HANDOVER_MOST_TEXT + 50];
	struct handover read;
	memset(text, 'x', sizeof text);
	for (uint16_t version = 0; version < 4; version++) {
		assert_int_equal(
			handover_read(
				written(&(struct handover){ .kind = HANDOVER_REFUSED, .version = version, .text = SLICE("no") }), &read),
			0);
		assert_true(slice_equal(read.text, SLICE("no")));
	}
	assert_int_equal(
		handover_read(written(&(struct handover){ .kind = HANDOVER_REFUSED, .text = slice_make(text, sizeof text) }), &read), 0);
	assert_int_equal(read.text.length, HANDOVER_MOST_TEXT);
}

static void words_have_no_body_and_a_version_that_is_spoken(void **state)
{
	(void)state;
	static const enum handover_kind words[] = { HANDOVER_READY, HANDOVER_LEAVING };
	struct handover read;
	for (size_t i = 0; i < 2; i++) {
		struct slice word = written(&(struct handover){ .kind = words[i], .version = 1 });
		assert_int_equal(handover_read(word, &read), 0);
		assert_int_equal(read.kind, words[i]);
		assert_int_equal(handover_read(slice_make(bytes, word.length + 1), &read), ERROR_SYNTAX);
		word = written(&(struct handover){ .kind = words[i], .version = 2 });
		assert_int_equal(handover_read(word, &read), ERROR_UNSUPPORTED);
	}
}

static void a_beginning_says_what_was_before(void **state)
{
	(void)state;
	struct handover read;
	const struct handover message = {
		.kind = HANDOVER_BEGIN, .version = 1, .restarts = 513, .follows = 1, .text = SLICE("was killed by SIGKILL")
	};
	struct slice begin = written(&message);
	assert_int_equal(handover_read(begin, &read), 0);
	assert_int_equal(read.restarts, 513);
	assert_int_equal(read.follows, 1);
	assert_true(slice_equal(read.text, message.text));
	for (size_t length = 0; length < begin.length - message.text.length; length++)
		assert_int_equal(handover_read(slice_make(bytes, length), &read), ERROR_SYNTAX);
	bytes[begin.length - message.text.length - 1] = 2;
	assert_int_equal(handover_read(begin, &read), ERROR_SYNTAX);
}

static void what_was_told_is_one_byte(void **state)
{
	(void)state;
	struct handover read;
	struct slice told = written(&(struct handover){ .kind = HANDOVER_TOLD, .version = 1, .told = 1 });
	assert_int_equal(handover_read(told, &read), 0);
	assert_int_equal(read.told, 1);
	assert_int_equal(handover_read(slice_make(bytes, told.length - 1), &read), ERROR_SYNTAX);
	assert_int_equal(handover_read(slice_make(bytes, told.length + 1), &read), ERROR_SYNTAX);
}

static void cut_anywhere_it_is_no_message(void **state)
{
	(void)state;
	struct handover read;
	size_t whole = written(&(struct handover){ .kind = HANDOVER_ASK, .version = 1, .oldest = 1 }).length;
	for (size_t length = 0; length < whole; length++)
		assert_int_equal(handover_read(slice_make(bytes, length), &read), ERROR_SYNTAX);
	bytes[0] ^= 1;
	assert_int_equal(handover_read(slice_make(bytes, whole), &read), ERROR_SYNTAX);
}

static void unknown_kinds_are_refused(void **state)
{
	(void)state;
	struct handover read;
	size_t length = written(&(struct handover){ .kind = HANDOVER_READY, .version = 1 }).length;
	for (int kind = 0; kind < 256; kind++) {
		bytes[length - 1] = (char)kind;
		if (kind != HANDOVER_READY && kind != HANDOVER_LEAVING && kind != HANDOVER_REFUSED)
			assert_int_equal(handover_read(slice_make(bytes, length), &read), ERROR_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ask_says_its_versions),
		cmocka_unit_test(a_later_ask_may_say_more),
		cmocka_unit_test(the_newest_common_version_is_spoken),
		cmocka_unit_test(sockets_have_a_role_each),
		cmocka_unit_test(more_sockets_than_a_packet_has_are_refused),
		cmocka_unit_test(a_refusal_says_why_in_any_version),
		cmocka_unit_test(words_have_no_body_and_a_version_that_is_spoken),
		cmocka_unit_test(a_beginning_says_what_was_before),
		cmocka_unit_test(what_was_told_is_one_byte),
		cmocka_unit_test(cut_anywhere_it_is_no_message),
		cmocka_unit_test(unknown_kinds_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
