/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a list and as objects: fed whole and cut in pieces they tell the same, and json.c judges what a list is: what parses as a
 * whole, in that shape, is told piece by piece, and what is told in pieces that all parse is JSON as a whole. */
#include <stdint.h>

#include "base/check.h"
#include "doc/builder.h"
#include "doc/json.h"
#include "doc/json_stream.h"

enum { MOST = 4096 };

static bool is_json(struct slice bytes, bool *list)
{
	/* Deep enough, and large enough, that only the grammar decides. */
	const struct document_limits limits = { .max_bytes = 1 << 20, .max_nodes = 1 << 20, .max_depth = 1 << 12 };
	struct document document = { 0 };
	struct builder builder;
	struct problems problems;

	problem_init(&problems);
	arena_init(&document.arena, NULL, 0);
	builder_init(&builder, &document, &limits, &problems);
	int e = json_read(&builder, bytes);
	if (!e)
		e = builder_finish(&builder);
	if (!e && list) {
		const struct document_node *root = document.root;
		*list = root->kind == DOCUMENT_MAPPING;
		for (uint32_t i = 0; *list && i < root->count; i++) {
			const struct document_node *value = root->entries[i].value;
			if (slice_equal(root->entries[i].key, SLICE("items")))
				*list = value->kind == DOCUMENT_SEQUENCE || document_is_null(value);
		}
	}
	builder_fini(&builder);
	arena_reset(&document.arena);
	problem_fini(&problems);
	return !e;
}

struct told {
	struct text log;
	struct text keys; /* as "a""b" */
	bool good;        /* all texts are JSON */
	bool twice;       /* a key came again: json.c refuses that */
};

static int item(void *owner, struct slice text)
{
	struct told *told = owner;
	CHECK(text.length > 0 && text.length <= MOST);
	text_append(&told->log, text);
	text_append(&told->log, SLICE("\n"));
	told->good &= is_json(text, NULL);
	return 0;
}

static int member(void *owner, struct slice key, struct slice value)
{
	struct told *told = owner;
	struct text quoted = { 0 };
	text_append(&quoted, SLICE("\""));
	text_append(&quoted, key);
	text_append(&quoted, SLICE("\""));
	told->good &= is_json(text_slice(&quoted), NULL);
	told->twice |= told->keys.length && memmem(told->keys.bytes, told->keys.length, quoted.bytes, quoted.length);
	text_append(&told->keys, text_slice(&quoted));
	text_free(&quoted);
	text_append(&told->log, key);
	return item(owner, value);
}

static const struct json_stream_events events = { .item = item, .member = member };

static int read_all(const char *list, struct slice bytes, size_t piece, struct told *told)
{
	struct json_stream stream;
	int e = 0;

	*told = (struct told){ .good = true };
	json_stream_init(&stream, list, MOST, &events, told);
	while (bytes.length && !e) {
		size_t now = bytes.length < piece ? bytes.length : piece;
		e = json_stream_feed(&stream, slice_make(bytes.at, now));
		bytes = slice_from(bytes, now);
	}
	e = json_stream_end(&stream);
	json_stream_fini(&stream);
	return e;
}

static void forget(struct told *told)
{
	text_free(&told->log);
	text_free(&told->keys);
}

/* How it was told whole must be how it is told in pieces. */
static int read_twice(const char *list, struct slice bytes, struct told *whole)
{
	struct told cut;
	int e = read_all(list, bytes, bytes.length + 1, whole);

	for (size_t piece = 1; piece <= 7; piece += 2) {
		CHECK(read_all(list, bytes, piece, &cut) == e);
		CHECK(slice_equal(text_slice(&cut.log), text_slice(&whole->log)));
		forget(&cut);
	}
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct slice input = slice_make((const char *)bytes, length > MOST ? MOST : length);
	bool list = false, escaped = slice_find(input, '\\') < input.length;
	struct told told;
	int e = read_twice("items", input, &told);
	bool json = is_json(input, &list);

	if (json && list && !escaped) /* keys with escapes are refused */
		CHECK(e == 0);
	if (e == 0 && told.good && !told.twice)
		CHECK(json);
	forget(&told);
	read_twice(NULL, input, &told);
	forget(&told);
	return 0;
}
