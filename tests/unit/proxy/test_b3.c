/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/b3.h"

#include "one_head.h"

#define ID "463ac35c9f6413ad"
#define HIGH "48485a3953bb6124"
#define SPAN "A2FB4a1d1a96d312"
#define PARENT "0020000000000001"

static void test_ids_are_read(void **state)
{
	struct trace trace = { .wide = true };

	(void)state;
	add("X-B3-TraceId", ID);
	add("X-B3-SpanId", SPAN);
	assert_true(b3_read(&head, &trace));
	assert_true(trace.id == 0x463ac35c9f6413ad && trace.span == 0xa2fb4a1d1a96d312 && trace.parent == trace.span && !trace.wide);
	add("x-b3-parentspanid", PARENT);
	assert_true(b3_read(&head, &trace));
	assert_true(trace.parent == 0x0020000000000001);
	b3_drop(&head);
	add("x-b3-traceid", HIGH ID);
	add("x-b3-spanid", SPAN);
	assert_true(b3_read(&head, &trace));
	assert_true(trace.wide && trace.id_high == 0x48485a3953bb6124 && trace.id == 0x463ac35c9f6413ad);
}

static void test_what_is_not_whole_is_none(void **state)
{
	static const char *const table[][2] = {
		{ ID, "" },
		{ ID, "12" },
		{ "", SPAN },
		{ ID "0", SPAN },
		{ "463ac35c9f6413ag", SPAN },
		{ "g8485a3953bb6124" ID, SPAN },
		{ HIGH ID HIGH, SPAN },
	};
	struct trace trace;

	(void)state;
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		memset(&head, 0, sizeof head);
		add("x-b3-traceid", table[i][0]);
		add("x-b3-spanid", table[i][1]);
		assert_false(b3_read(&head, &trace));
	}
}

static void test_sampling(void **state)
{
	static const struct {
		const char *name, *value;
		uint64_t flags;
	} table[] = {
		{ "x-other", "1", 0 },
		{ "x-b3-sampled", "1", TRACE_SAMPLING_KNOWN | TRACE_SAMPLED },
		{ "x-b3-sampled", "true", TRACE_SAMPLING_KNOWN | TRACE_SAMPLED },
		{ "x-b3-sampled", "0", TRACE_SAMPLING_KNOWN },
		{ "x-b3-sampled", "2", 0 },
		{ "x-b3-flags", "1", TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED },
		{ "x-b3-flags", "0", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		memset(&head, 0, sizeof head);
		add(table[i].name, table[i].value);
		assert_true(b3_flags(&head) == table[i].flags);
	}
}

static void test_one_header(void **state)
{
	static const struct {
		const char *value;
		bool whole;
		uint64_t flags, parent;
	} table[] = {
		{ ID "-" SPAN, true, 0, 0xa2fb4a1d1a96d312 },
		{ ID "-" SPAN "-1", true, TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0xa2fb4a1d1a96d312 },
		{ ID "-" SPAN "-0-" PARENT, true, TRACE_SAMPLING_KNOWN, 0x0020000000000001 },
		{ HIGH ID "-" SPAN "-d-" PARENT, true, TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0x0020000000000001 },
		{ "0", false, TRACE_SAMPLING_KNOWN, 0 },
		{ "1", false, TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0 },
		{ "d", false, TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0 },
		{ "", false, 0, 0 },
		{ ID, false, 0, 0 },
		{ ID "-", false, 0, 0 },
		{ ID "-" ID "0-1", false, TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0 },
		{ "-" SPAN "-1", false, TRACE_SAMPLING_KNOWN | TRACE_SAMPLED, 0 },
	};
	struct trace trace;

	(void)state;
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		memset(&head, 0, sizeof head);
		add("b3", table[i].value);
		assert_true(b3_flags(&head) == table[i].flags);
		assert_true(b3_read(&head, &trace) == table[i].whole);
		if (table[i].whole)
			assert_true(trace.id == 0x463ac35c9f6413ad && trace.span == 0xa2fb4a1d1a96d312 && trace.parent == table[i].parent);
		b3_drop(&head);
		assert_value("b3", NULL);
	}
}

static void test_one_header_is_written(void **state)
{
	struct trace trace = { .span = 1, .parent = 2, .id = 3 };

	(void)state;
	assert_int_equal(0, b3_write_single(&head, &arena, &trace));
	assert_value("b3", "0000000000000003-0000000000000001");
	b3_drop(&head);
	trace.flags = TRACE_SAMPLING_KNOWN;
	trace.wide = true;
	trace.id_high = 4;
	assert_int_equal(0, b3_write_single(&head, &arena, &trace));
	assert_value("b3", "00000000000000040000000000000003-0000000000000001-0-0000000000000002");
}

static void test_written_and_read_again(void **state)
{
	const struct trace trace = {
		.span = 1, .parent = 2, .id = 0x463ac35c9f6413ad, .id_high = 3, .wide = true, .flags = TRACE_SAMPLING_KNOWN
	};
	struct trace read;

	(void)state;
	assert_int_equal(0, b3_write(&head, &arena, &trace));
	assert_value("x-b3-traceid", "0000000000000003" ID);
	assert_value("x-b3-spanid", "0000000000000001");
	assert_value("x-b3-parentspanid", "0000000000000002");
	assert_value("x-b3-sampled", "0");
	assert_value("x-b3-flags", NULL);
	assert_true(b3_read(&head, &read));
	read.flags = b3_flags(&head);
	assert_true(read.span == trace.span && read.parent == trace.parent && read.id == trace.id && read.id_high == trace.id_high);
	assert_true(read.wide && read.flags == trace.flags);
	b3_drop(&head);
	assert_value("x-b3-traceid", NULL);
	assert_value("x-b3-sampled", NULL);
	read.wide = false;
	read.flags = TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED;
	assert_int_equal(0, b3_write(&head, &arena, &read));
	assert_value("x-b3-traceid", ID);
	assert_value("x-b3-flags", "1");
	assert_value("x-b3-sampled", NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ids_are_read),
		TEST(test_what_is_not_whole_is_none),
		TEST(test_sampling),
		TEST(test_one_header),
		TEST(test_one_header_is_written),
		TEST(test_written_and_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
