/* SPDX-License-Identifier: Apache-2.0 */
/* docs/linkerd.md and `weft help linkerd` name every key and kind that the tables have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dialect/linkerd/linkerd.h"
#include "dialect/linkerd/linkerd_parts.h"

struct search {
	const char *page;   /* in which names are looked for */
	const char *format; /* how a name is written there */
	unsigned keys, missing;
};

static void look_for(struct search *search, const char *name)
{
	char written[128];

	snprintf(written, sizeof written, search->format, name);
	search->keys++;
	if (!strstr(search->page, written)) {
		print_error("%s is not there\n", written);
		search->missing++;
	}
}

static void walk_block(struct search *search, const struct linkerd_block *block)
{
	for (; block; block = block->also) {
		for (const struct linkerd_key *key = block->keys; key->name; key++) {
			if (key->type != LINKERD_APART)
				look_for(search, key->name);
			if (key->block)
				walk_block(search, key->block);
			for (const struct linkerd_kind *kind = key->choice ? key->choice->kinds : NULL; kind && kind->name; kind++) {
				look_for(search, kind->name);
				walk_block(search, kind->block);
			}
		}
	}
}

static char *read_page(const char *name)
{
	FILE *file = fopen(name, "rb");
	char *page = calloc(1, 64 * 1024);

	assert_non_null(file);
	assert_non_null(page);
	assert_true(fread(page, 1, 64 * 1024 - 1, file) > 1000);
	fclose(file);
	return page;
}

static void the_page_names_every_key(void **state)
{
	(void)state;
	char *page = read_page(DOCS "/linkerd.md");
	struct search search = { .page = page, .format = "`%s`" };

	walk_block(&search, &linkerd_root);
	assert_true(search.keys > 150);
	assert_int_equal(search.missing, 0);
	free(page);
}

static void the_reference_names_every_key(void **state)
{
	(void)state;
	struct text out = { 0 };
	struct search search = { .format = "%s" };

	linkerd_reference(&out);
	search.page = out.bytes;
	walk_block(&search, &linkerd_root);
	assert_int_equal(search.missing, 0);
	text_free(&out);
}

/* Every key that is done says what it is for, every one that isn't says nothing. */
static void the_reference_explains_what_is_done(void **state)
{
	(void)state;
	struct text out = { 0 };

	linkerd_reference(&out);
	assert_null(strstr(out.bytes, "(null)"));
	assert_non_null(strstr(out.bytes, "not yet: announce, thriftFramed\n"));
	assert_non_null(strstr(out.bytes, "\n  port                                  0: any free one; 9990\n"));
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_names_every_key),
		cmocka_unit_test(the_reference_names_every_key),
		cmocka_unit_test(the_reference_explains_what_is_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
