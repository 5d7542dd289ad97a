/* SPDX-License-Identifier: Apache-2.0 */
/* A head whose fields are added, and looked at afterwards: for what reads and writes fields of its own. */
#ifndef UNIT_PROXY_ONE_HEAD_H
#define UNIT_PROXY_ONE_HEAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "wire/head.h"

/* Of the test that runs. */
static struct head head;
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	memset(&head, 0, sizeof head);
	arena_init(&arena, NULL, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

static void add(const char *name, const char *value)
{
	assert_int_equal(0, head_add(&head, &arena, FIELD_OTHER, slice_of(name), slice_of(value)));
}

/* NULL: there is no such field. */
static void assert_value(const char *name, const char *value)
{
	struct field *field = head_find_name(&head, slice_of(name));

	if (!value) {
		assert_null(field);
		return;
	}
	assert_non_null(field);
	assert_int_equal(strlen(value), field_value(field).length);
	assert_memory_equal(value, field_value(field).at, strlen(value));
}

#endif
