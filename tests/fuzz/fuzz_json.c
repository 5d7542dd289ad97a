/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON, through a builder of its own so that what doesn't begin with a brace is JSON too. */
#include <stdint.h>

#include "doc/builder.h"
#include "doc/json.h"
#include "fuzz/tree.h"

/* The reader must stay within its bytes and end for every input; values other than objects only come in this way. */
static void read_any(struct slice bytes)
{
	struct document document = { 0 };
	struct builder builder;
	struct problems problems;
	problem_init(&problems);
	arena_init(&document.arena, NULL, 0);
	builder_init(&builder, &document, NULL, &problems);
	int e = json_read(&builder, bytes);
	if (!e)
		e = builder_finish(&builder);
	CHECK((e == 0) == (problems.count == 0));
	builder_fini(&builder);
	arena_reset(&document.arena);
	problem_fini(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct slice input = slice_make((const char *)bytes, length);
	read_any(input);
	if (length && *bytes == '{')
		tree_check(input);
	return 0;
}
