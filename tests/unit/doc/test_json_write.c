/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/doc/parse.h"

#include <math.h>

#include "doc/json_write.h"

static void writes_compact(void **state)
{
	(void)state;
	struct text out = { 0 };
	struct json_writer w;
	json_write_start(&w, &out, false);
	json_write_object(&w);
	json_write_key(&w, SLICE("a\"b"));
	json_write_array(&w);
	json_write_int(&w, INT64_MIN);
	json_write_u64(&w, UINT64_MAX);
	json_write_bool(&w, true);
	json_write_null(&w);
	json_write_array(&w);
	json_write_end(&w);
	json_write_object(&w);
	json_write_end(&w);
	json_write_end(&w);
	json_write_key(&w, SLICE("c"));
	json_write_text(&w, SLICE("d"));
	json_write_end(&w);
	assert_string_equal(out.bytes, "{\"a\\\"b\":[-9223372036854775808,18446744073709551615,true,null,[],{}],\"c\":\"d\"}");
	text_free(&out);
}

static void writes_pretty(void **state)
{
	(void)state;
	struct document *document = parse_good("a: [1, {}]\nb: {c: x}\n");
	struct text out = { 0 };
	struct json_writer w;
	json_write_start(&w, &out, true);
	json_write_node(&w, document_root(document));
	assert_string_equal(out.bytes, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"x\"\n  }\n}");
	text_free(&out);
	document_free(document);
}

static void expect_text(struct slice s, const char *json)
{
	struct text out = { 0 };
	struct json_writer w;
	json_write_start(&w, &out, false);
	json_write_text(&w, s);
	assert_string_equal(out.bytes, json);
	text_free(&out);
}

static void escapes_and_repairs_texts(void **state)
{
	(void)state;
	expect_text(SLICE("\"\\\b\f\n\r\t\x01\x1f\x7f/\xc3\xa9"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\xc3\xa9\"");
	expect_text(slice_make("a\0b", 3), "\"a\\u0000b\"");
	expect_text(SLICE("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
	expect_text((struct slice){ 0 }, "\"\"");
}

static void expect_number(double value, const char *json)
{
	struct text out = { 0 };
	struct json_writer w;
	json_write_start(&w, &out, false);
	json_write_number(&w, value);
	assert_string_equal(out.bytes, json);
	text_free(&out);
}

static void numbers_read_back_the_same(void **state)
{
	(void)state;
	expect_number(0.1, "0.1");
	expect_number(1, "1");
	expect_number(-2.5, "-2.5");
	expect_number(1e300, "1e+300");
	expect_number(0.1 + 0.2, "0.30000000000000004");
	expect_number(NAN, "null");
	expect_number(-INFINITY, "null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_compact),
		cmocka_unit_test(writes_pretty),
		cmocka_unit_test(escapes_and_repairs_texts),
		cmocka_unit_test(numbers_read_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
