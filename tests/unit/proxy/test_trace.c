/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "proxy/trace.h"

static struct trace decoded(const char *text)
{
	struct trace trace = { 0 };

	assert_true(trace_decode(slice_of(text), &trace));
	return trace;
}

static void assert_encodes(const struct trace *trace, const char *expected)
{
	char text[TRACE_ROOM + 1] = "";
	unsigned length = trace_encode(trace, text);

	assert_int_equal(length, strlen(expected));
	assert_memory_equal(text, expected, length);
}

/* Bytes 1 … 32: span 0x0102…08, parent 0x09…10, trace 0x11…18, flags 0x19…20. */
static const char narrow[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
static const char wide[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKA==";

static void test_order_of_the_ids(void **state)
{
	struct trace trace = decoded(narrow);

	(void)state;
	assert_true(trace.span == UINT64_C(0x0102030405060708));
	assert_true(trace.parent == UINT64_C(0x090a0b0c0d0e0f10));
	assert_true(trace.id == UINT64_C(0x1112131415161718));
	assert_true(trace.flags == UINT64_C(0x191a1b1c1d1e1f20));
	assert_false(trace.wide);
	assert_encodes(&trace, narrow);
	trace = decoded(wide);
	assert_true(trace.wide);
	assert_true(trace.id == UINT64_C(0x1112131415161718));
	assert_true(trace.id_high == UINT64_C(0x2122232425262728));
	assert_encodes(&trace, wide);
}

static void test_all_digits(void **state)
{
	struct trace trace = { .span = UINT64_C(0xfbefbefbefbefbef),
		.parent = UINT64_C(0xffffffffffffffff),
		.id = UINT64_C(0x00108310518720ff),
		.flags = TRACE_SAMPLED | TRACE_SAMPLING_KNOWN };
	char text[TRACE_ROOM];
	unsigned length = trace_encode(&trace, text);
	struct trace again;

	(void)state;
	assert_memory_equal(text, "++++++++++//////////", 10);
	assert_true(trace_decode(slice_make(text, length), &again));
	assert_true(again.span == trace.span && again.parent == trace.parent && again.id == trace.id && again.flags == trace.flags);
}

static void test_any_ids_and_back(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, 1);
	for (unsigned i = 0; i < 2000; i++) {
		struct trace trace = { random_u64(&random), random_u64(&random), random_u64(&random), random_u64(&random),
			random_u64(&random), true };
		struct trace again;
		char text[TRACE_ROOM];

		trace.wide = i % 2;
		trace.id_high = trace.wide ? trace.id_high : 0;
		assert_true(trace_decode(slice_make(text, trace_encode(&trace, text)), &again));
		assert_true(again.span == trace.span && again.parent == trace.parent && again.id == trace.id && again.flags == trace.flags);
		assert_true(again.id_high == trace.id_high && again.wide == trace.wide);
	}
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"",
		"AAAA",
		"====",
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",              /* no padding */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy==",             /* 31 bytes */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh",             /* 33 bytes */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=",             /* bits behind the end */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH*A=",             /* no digit */
		"AQIDBAUGBwgJ=gsMDQ4PEBESExQVFhcYGRobHB0eHyA=",             /* padding inside */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCk=", /* 41 bytes */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq", /* 42 bytes */
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKyws",
		"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA =",
	};
	struct trace trace = { .span = 77 };

	(void)state;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(trace_decode(slice_of(texts[i]), &trace));
	assert_true(trace.span == 77); /* left alone */
}

static void test_new_traces_and_children(void **state)
{
	struct random random;
	struct trace trace, child;

	(void)state;
	random_init(&random, 1);
	trace_begin(&trace, &random);
	assert_true(trace.span != 0);
	assert_true(trace.id == trace.span && trace.parent == trace.span); /* a root */
	assert_true(trace.flags == 0 && !trace.wide);
	child = trace;
	trace_child(&child, &random);
	assert_true(child.id == trace.id && child.parent == trace.span && child.span != trace.span);
	child = decoded(wide);
	trace_child(&child, &random);
	assert_true(child.wide && child.id_high == UINT64_C(0x2122232425262728));
	assert_true(child.flags == UINT64_C(0x191a1b1c1d1e1f20));
	assert_true(child.parent == UINT64_C(0x0102030405060708));
}

static void test_hex(void **state)
{
	char text[16];

	(void)state;
	trace_hex(UINT64_C(0x0123456789abcdef), text);
	assert_memory_equal(text, "0123456789abcdef", 16);
	trace_hex(5, text);
	assert_memory_equal(text, "0000000000000005", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_the_ids),
		cmocka_unit_test(test_all_digits),
		cmocka_unit_test(test_any_ids_and_back),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_new_traces_and_children),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
