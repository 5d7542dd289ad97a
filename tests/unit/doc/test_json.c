/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/doc/parse.h"

#include "doc/json.h"

static void reads_every_kind_of_value(void **state)
{
	(void)state;
	struct document *document = parse_good(" \r\n{\"a\": [1, -0, 2.5e-3, true, false, null, \"\"], \"b\": {}, \"c\": []}\n");
	const struct document_node *root = document_root(document), *a = document_get(root, "a");
	static const char *const texts[] = { "1", "-0", "2.5e-3", "true", "false", "null", "" };
	assert_int_equal(root->line, 2);
	assert_int_equal(a->count, 7);
	for (unsigned i = 0; i < 7; i++) {
		assert_slice(a->items[i]->text, texts[i]);
		assert_int_equal(a->items[i]->style, i < 6 ? DOCUMENT_PLAIN : DOCUMENT_QUOTED);
	}
	assert_true(document_is_null(a->items[5]));
	assert_false(document_is_null(a->items[6]));
	assert_int_equal(document_get(root, "b")->kind, DOCUMENT_MAPPING);
	assert_int_equal(document_get(root, "c")->kind, DOCUMENT_SEQUENCE);
	document_free(document);
}

static void decodes_escapes(void **state)
{
	(void)state;
	struct document *document = parse_good("{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\xf0\x9f\x98\x80\"}");
	assert_slice(document_get(document_root(document), "a")->text, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
	document_free(document);
}

static void places_count_characters(void **state)
{
	(void)state;
	struct document *document = parse_good("{\"\xc3\xa9\" : 1,\r\n\t\"b\":\r2}");
	const struct document_node *root = document_root(document);
	assert_int_equal(document_get(root, "\xc3\xa9")->column, 8);
	assert_int_equal(document_find(root, SLICE("b"))->key_node->line, 2);
	assert_int_equal(document_find(root, SLICE("b"))->key_node->column, 2);
	assert_int_equal(document_get(root, "b")->line, 3);
	document_free(document);
}

static void refuses_what_is_not_json(void **state)
{
	(void)state;
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "{", "f:1:2: expected a key in `\"`, found the end of the file\n" },
		{ "{a: 1}", "f:1:2: expected a key in `\"`, found `a`\n" },
		{ "{\"a\" 1}", "f:1:6: expected `:` behind the key, found `1`\n" },
		{ "{\"a\":}", "f:1:6: expected a value, found `}`\n" },
		{ "{\"a\":1,}", "f:1:8: expected a key behind `,`, found `}`\n" },
		{ "{\"a\":[1,]}", "f:1:9: expected a value behind `,`, found `]`\n" },
		{ "{\"a\":[1 2]}", "f:1:9: expected `,` or `]`, found `2`\n" },
		{ "{\"a\":1\n\"b\":2}", "f:2:1: expected `,` or `}`, found `\"`\n" },
		{ "{} {}", "f:1:4: expected the end of the file, found `{`\n" },
		{ "{}\n# no", "f:2:1: expected the end of the file, found `#`\n" },
		{ "{\"a\":01}", "f:1:7: expected `,` or `}`, found `1`\n" },
		{ "{\"a\":1.}", "f:1:6: this is not a number as JSON writes it\n" },
		{ "{\"a\":1e+}", "f:1:6: this is not a number as JSON writes it\n" },
		{ "{\"a\":-}", "f:1:6: this is not a number as JSON writes it\n" },
		{ "{\"a\":.5}", "f:1:6: expected a value, found `.`\n" },
		{ "{\"a\":+1}", "f:1:6: expected a value, found `+`\n" },
		{ "{\"a\":True}", "f:1:6: expected a value, found `T`\n" },
		{ "{\"a\":nullx}", "f:1:10: expected `,` or `}`, found `x`\n" },
		{ "{\"a\":\"x", "f:1:8: the text has no closing `\"`\n" },
		{ "{\"a\":\"x\\", "f:1:9: the text has no closing `\"`\n" },
		{ "{\"a\":\"\\x\"}", "f:1:7: JSON has no such escape\n" },
		{ "{\"a\":\"\\u12g4\"}", "f:1:7: `\\u` needs four hexadecimal digits\n" },
		{ "{\"a\":\"\\ud800\"}", "f:1:7: half of a surrogate pair is no character\n" },
		{ "{\"a\":\"\\ud800\\u0041\"}", "f:1:7: half of a surrogate pair is no character\n" },
		{ "{\"a\":\"\\udc00\"}", "f:1:7: half of a surrogate pair is no character\n" },
		{ "{\"a\":\"\\u0000\"}", "f:1:6: a text must not contain NUL\n" },
		{ "{\"a\":\"\t\"}", "f:1:7: a control character must be written as an escape\n" },
		{ "{\"a\":\"\xc0\x80\"}", "f:1:7: this byte is not UTF-8\n" },
		{ "{\"a\":\"\xed\xa0\x80\"}", "f:1:7: this byte is not UTF-8\n" },
		{ "{\"a\":\"\xf4\x90\x80\x80\"}", "f:1:7: this byte is not UTF-8\n" },
		{ "{\"a\":\xff}", "f:1:6: expected a value, found the byte 0xff\n" },
		{ "{\"a\":1,\"b\":2,\"\\u0061\":3}", "f:1:14: duplicate key `a`; it is first at line 1, column 2\n" },
	};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_refused(cases[i].text, cases[i].problem);
	expect_refused_within(NULL, slice_make("{\"a\":\0}", 7), ERROR_SYNTAX, "f:1:6: expected a value, found the byte 0x00\n");
}

static void limits_hold(void **state)
{
	(void)state;
	expect_refused_within(&(struct document_limits){ .max_depth = 3 }, SLICE("{\"a\":[{\"b\":[]}]}"), ERROR_LIMIT,
		"f:1:12: nested deeper than 3 levels\n");
	expect_refused_within(&(struct document_limits){ .max_nodes = 3 }, SLICE("{\"a\":1,\"b\":2}"), ERROR_LIMIT,
		"f:1:8: more than 3 values in one document\n");
}

static void numbers_are_recognised_whole(void **state)
{
	(void)state;
	assert_true(json_is_number(SLICE("-12.5E+3")));
	assert_true(json_is_number(SLICE("0")));
	assert_false(json_is_number(SLICE("")));
	assert_false(json_is_number(SLICE("00")));
	assert_false(json_is_number(SLICE("1 ")));
	assert_false(json_is_number(SLICE("-")));
	assert_false(json_is_number(SLICE("1.2.3")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind_of_value),
		cmocka_unit_test(decodes_escapes),
		cmocka_unit_test(places_count_characters),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(numbers_are_recognised_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
