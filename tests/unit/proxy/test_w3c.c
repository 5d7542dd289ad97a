/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/w3c.h"

#include "one_head.h"

#define TRACE "463ac35c9f6413ad48485a3953bb6124"
#define SPAN "a2fb4a1d1a96d312"

static void test_read(void **state)
{
	struct trace trace;

	(void)state;
	add("TraceParent", "00-" TRACE "-" SPAN "-01");
	add("tracestate", "a=1, b=2");
	assert_true(w3c_read(&head, &arena, &trace));
	assert_true(
		trace.id_high == 0x463ac35c9f6413ad && trace.id == 0x48485a3953bb6124 && trace.span == 0xa2fb4a1d1a96d312 && trace.wide);
	assert_true(trace.flags == (TRACE_SAMPLING_KNOWN | TRACE_SAMPLED));
	assert_value("traceparent", NULL);
	assert_value("tracestate", "a=1, b=2");
}

static void test_flags_and_narrow_ids(void **state)
{
	struct trace trace;

	(void)state;
	add("traceparent", "00-000000000000000048485a3953bb6124-" SPAN "-fe");
	assert_true(w3c_read(&head, &arena, &trace));
	assert_true(!trace.wide && trace.id == 0x48485a3953bb6124 && trace.flags == TRACE_SAMPLING_KNOWN);
	add("traceparent", "01-" TRACE "-" SPAN "-03-more");
	assert_true(w3c_read(&head, &arena, &trace));
	assert_true(trace_is_sampled(&trace));
}

static void test_what_is_none(void **state)
{
	static const char *const values[] = {
		"",
		"00",
		"00-" TRACE "-" SPAN,
		"00-" TRACE "-" SPAN "-0",
		"00-" TRACE "-" SPAN "-01-",
		"00-" TRACE "-" SPAN "-01-more",
		"01-" TRACE "-" SPAN "-01more",
		"ff-" TRACE "-" SPAN "-01",
		"0g-" TRACE "-" SPAN "-01",
		"00_" TRACE "-" SPAN "-01",
		"00-" TRACE "_" SPAN "-01",
		"00-" TRACE "-" SPAN "_01",
		"00-463AC35C9F6413AD48485a3953bb6124-" SPAN "-01",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-" TRACE "-" SPAN "-0G",
		"00-463ac35c9f6413ad48485a3953bb612x-" SPAN "-01",
		"FF-" TRACE "-" SPAN "-01",
	};
	struct trace trace;

	(void)state;
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
		memset(&head, 0, sizeof head);
		add("traceparent", values[i]);
		add("tracestate", "a=1");
		assert_false(w3c_read(&head, &arena, &trace));
		assert_value("traceparent", NULL);
		assert_value("tracestate", NULL);
	}
	memset(&head, 0, sizeof head);
	add("traceparent", "00-" TRACE "-" SPAN "-01");
	add("traceparent", "00-" TRACE "-" SPAN "-01");
	assert_false(w3c_read(&head, &arena, &trace));
	assert_value("traceparent", NULL);
}

static void test_a_long_state_is_cut(void **state)
{
	char longest[W3C_LONG_MEMBER + 2], many[40 * 4 + 1] = "";
	struct trace trace;

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[1] = '=';
	longest[sizeof longest - 1] = '\0';
	for (unsigned i = 0; i < 40; i++)
		strcat(many, "k=v,");
	add("traceparent", "00-" TRACE "-" SPAN "-01");
	add("tracestate", longest);
	add("tracestate", "a=1");
	add("TraceState", many);
	assert_true(w3c_read(&head, &arena, &trace));
	assert_value("tracestate",
		"a=1,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,k=v,"
		"k=v,k=v,k=v");
}

static void test_written(void **state)
{
	struct trace trace = { .span = 1, .parent = 2, .id = 3, .flags = TRACE_SAMPLING_KNOWN }, read;

	(void)state;
	assert_int_equal(0, w3c_write(&head, &arena, &trace));
	assert_value("traceparent", "00-00000000000000000000000000000003-0000000000000001-00");
	assert_true(w3c_read(&head, &arena, &read));
	trace.flags |= TRACE_SAMPLED;
	trace.id_high = UINT64_C(0x8000000000000000);
	assert_int_equal(0, w3c_write(&head, &arena, &trace));
	assert_value("traceparent", "00-80000000000000000000000000000003-0000000000000001-01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flags_and_narrow_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_long_state_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_written, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
