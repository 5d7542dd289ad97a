/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/doc/parse.h"

#include <stdlib.h>

#include "doc/json_stream.h"

/* What was told, one line each: "item TEXT" or "KEY=VALUE". */
struct told {
	struct text lines;
	int refuse; /* items get this answer */
};

static int item(void *owner, struct slice text)
{
	struct told *told = owner;
	text_format(&told->lines, "item %.*s\n", SLICE_ARGS(text));
	return told->refuse;
}

static int member(void *owner, struct slice key, struct slice value)
{
	struct told *told = owner;
	text_format(&told->lines, "%.*s=%.*s\n", SLICE_ARGS(key), SLICE_ARGS(value));
	return 0;
}

static const struct json_stream_events events = { .item = item, .member = member };

/* Feeds all of it in pieces of `piece` bytes, and ends it. */
static int read_in_pieces(const char *list, size_t max, const char *text, size_t piece, struct told *told, uint64_t *offset)
{
	struct json_stream stream;
	struct slice rest = slice_of(text);
	int e = 0;

	text_clear(&told->lines);
	json_stream_init(&stream, list, max, &events, told);
	while (rest.length && !e) {
		/* A copy of just this piece: a read beyond it is an error to who looks for that. */
		size_t now = rest.length < piece ? rest.length : piece;
		char *copy = malloc(now);
		assert_non_null(copy);
		memcpy(copy, rest.at, now);
		e = json_stream_feed(&stream, slice_make(copy, now));
		free(copy);
		rest = slice_from(rest, now);
	}
	if (e)
		assert_int_equal(json_stream_feed(&stream, SLICE(" ")), e); /* it stays at that */
	e = json_stream_end(&stream);
	*offset = stream.offset;
	json_stream_fini(&stream);
	return e;
}

static void expect_told(const char *list, const char *text, const char *lines)
{
	struct told told = { 0 };
	uint64_t offset;

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		assert_int_equal(read_in_pieces(list, 1000, text, piece, &told, &offset), 0);
		assert_string_equal(told.lines.bytes ? told.lines.bytes : "", lines);
		assert_int_equal(offset, strlen(text));
	}
	text_free(&told.lines);
}

static void elements_and_members_are_told_however_the_bytes_are_cut(void **state)
{
	(void)state;
	expect_told("items",
		" {\"kind\":\"PodList\", \"metadata\" : {\"resourceVersion\":\"7\"},\"n\":-1.5e3,\"b\":true,\r\n\t"
		"\"items\": [ {\"a\":[1,{}],\"s\":\"]}\\\"\\\\\"} ,[],\"x\\\\\",12 , null], \"after\":[1]}\n",
		"kind=\"PodList\"\n"
		"metadata={\"resourceVersion\":\"7\"}\n"
		"n=-1.5e3\n"
		"b=true\n"
		"item {\"a\":[1,{}],\"s\":\"]}\\\"\\\\\"}\n"
		"item []\n"
		"item \"x\\\\\"\n"
		"item 12\n"
		"item null\n"
		"after=[1]\n");
}

static void lists_may_be_empty_null_or_missing(void **state)
{
	(void)state;
	expect_told("items", "{}", "");
	expect_told("items", "{\"items\":[]}", "");
	expect_told("items", "{\"items\":null,\"a\":1}", "a=1\n");
	expect_told("items", "{\"kind\":\"Status\"}", "kind=\"Status\"\n");
	/* Only that of the outermost object is the list. */
	expect_told("items", "{\"a\":{\"items\":[1]},\"\":{}}", "a={\"items\":[1]}\n={}\n");
}

static void objects_follow_each_other(void **state)
{
	(void)state;
	expect_told(NULL, "", "");
	expect_told(NULL, "{\"type\":\"ADDED\",\"object\":{\"a\":\"}{\"}}\n{}{\"b\":[{}]}\n\n",
		"item {\"type\":\"ADDED\",\"object\":{\"a\":\"}{\"}}\nitem {}\nitem {\"b\":[{}]}\n");
}

static void what_is_wrong_is_refused_where_it_is(void **state)
{
	static const struct {
		const char *list, *text;
		uint64_t offset;
		int error;
	} cases[] = {
		{ "items", "", 0, ERROR_INCOMPLETE },
		{ "items", "[]", 0, ERROR_SYNTAX },
		{ "items", "{\"a\":1", 6, ERROR_INCOMPLETE },
		{ "items", "{\"a\"", 4, ERROR_INCOMPLETE },
		{ "items", "{\"items\":[{}", 12, ERROR_INCOMPLETE },
		{ "items", "{\"items\":[{}]", 13, ERROR_INCOMPLETE },
		{ "items", "{\"items\":[{]", 12, ERROR_INCOMPLETE }, /* brackets are only counted: the object goes on */
		{ "items", "{,", 1, ERROR_SYNTAX },
		{ "items", "{\"a\":1,}", 7, ERROR_SYNTAX },
		{ "items", "{\"a\" 1}", 5, ERROR_SYNTAX },
		{ "items", "{\"a\":}", 5, ERROR_SYNTAX },
		{ "items", "{\"a\":1 2}", 7, ERROR_SYNTAX },
		{ "items", "{\"a\":1\"b\":2}", 6, ERROR_SYNTAX },
		{ "items", "{a:1}", 1, ERROR_SYNTAX },
		{ "items", "{\"a\":+1}", 5, ERROR_SYNTAX },
		{ "items", "{\"it\\u0065ms\":[]}", 13, ERROR_SYNTAX },
		{ "items", "{\"items\":{}}", 9, ERROR_SYNTAX },
		{ "items", "{\"items\":nil}", 12, ERROR_SYNTAX },
		{ "items", "{\"items\":[],\"items\":[]}", 20, ERROR_SYNTAX },
		{ "items", "{\"items\":[,]}", 10, ERROR_SYNTAX },
		{ "items", "{\"items\":[{},]}", 13, ERROR_SYNTAX },
		{ "items", "{\"items\":[{} {}]}", 13, ERROR_SYNTAX },
		{ "items", "{\"items\":[1}]}", 11, ERROR_SYNTAX },
		{ "items", "{}{}", 2, ERROR_SYNTAX },
		{ NULL, "{}{", 3, ERROR_INCOMPLETE },
		{ NULL, "{}\n1", 3, ERROR_SYNTAX },
		{ NULL, "{},{}", 2, ERROR_SYNTAX },
		{ NULL, "[{}]", 0, ERROR_SYNTAX },
	};
	struct told told = { 0 };
	uint64_t offset;

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].text) + 1; piece++) {
			assert_int_equal(read_in_pieces(cases[i].list, 1000, cases[i].text, piece, &told, &offset), cases[i].error);
			assert_int_equal(offset, cases[i].offset);
		}
	}
	text_free(&told.lines);
}

static void a_text_may_be_as_long_as_was_said(void **state)
{
	struct told told = { 0 };
	uint64_t offset;

	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		assert_int_equal(read_in_pieces("items", 8, "{\"items\":[\"123456\",1,2,3,4,5,6]}", piece, &told, &offset), 0);
		assert_int_equal(read_in_pieces("items", 7, "{\"items\":[\"123456\",1]}", piece, &told, &offset), ERROR_LIMIT);
		assert_string_equal(told.lines.bytes ? told.lines.bytes : "", "");
	}
	text_free(&told.lines);
}

static void what_the_owner_refuses_ends_it(void **state)
{
	struct told told = { .refuse = ERROR_CANCELED };
	uint64_t offset;

	(void)state;
	assert_int_equal(read_in_pieces("items", 100, "{\"items\":[{},{}]}", 100, &told, &offset), ERROR_CANCELED);
	assert_string_equal(told.lines.bytes, "item {}\n");
	text_free(&told.lines);
}

static int count_item(void *owner, struct slice text)
{
	(void)text;
	++*(unsigned *)owner;
	return 0;
}

/* A list of 20 MB, with one element of 1 MB in it, is never held; nor is what that one took kept. */
static void no_more_is_held_than_the_text_being_read(void **state)
{
	static const struct json_stream_events counting = { .item = count_item };
	struct json_stream stream;
	struct text large = { 0 };
	size_t most = 0;
	unsigned count = 0;

	(void)state;
	text_append(&large, SLICE("{\"a\":\""));
	for (int i = 0; i < 1000; i++)
		text_format(&large, "%01000d", i);
	text_append(&large, SLICE("\"},"));
	json_stream_init(&stream, "items", 2 << 20, &counting, &count);
	assert_int_equal(json_stream_feed(&stream, SLICE("{\"items\":[")), 0);
	for (int i = 0; i < 200000; i++) {
		static const char element[] =
			"{\"metadata\":{\"name\":\"a\"},\"endpoints\":[{\"addresses\":[\"10.1.2.3\"],\"conditions\":{}}]},";
		size_t cut = (size_t)i % (sizeof element - 1);
		if (i == 100) {
			assert_int_equal(json_stream_feed(&stream, slice_make(large.bytes, 500000)), 0);
			assert_true(stream.held.capacity >= 500000);
			assert_int_equal(json_stream_feed(&stream, slice_from(text_slice(&large), 500000)), 0);
		}
		assert_int_equal(json_stream_feed(&stream, slice_make(element, cut)), 0);
		assert_int_equal(json_stream_feed(&stream, slice_make(element + cut, sizeof element - 1 - cut)), 0);
		most = stream.held.capacity > most ? stream.held.capacity : most;
	}
	assert_int_equal(json_stream_feed(&stream, SLICE("{}]}")), 0);
	assert_int_equal(json_stream_end(&stream), 0);
	assert_int_equal(count, 200002);
	assert_in_range(most, 1, 16 * 1024);
	json_stream_fini(&stream);
	text_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_and_members_are_told_however_the_bytes_are_cut),
		cmocka_unit_test(lists_may_be_empty_null_or_missing),
		cmocka_unit_test(objects_follow_each_other),
		cmocka_unit_test(what_is_wrong_is_refused_where_it_is),
		cmocka_unit_test(a_text_may_be_as_long_as_was_said),
		cmocka_unit_test(what_the_owner_refuses_ends_it),
		cmocka_unit_test(no_more_is_held_than_the_text_being_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
