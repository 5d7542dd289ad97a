/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of doc/: parses a text, and compares problems as the user would see them. */
#ifndef TESTS_UNIT_DOC_PARSE_H
#define TESTS_UNIT_DOC_PARSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "doc/document.h"

/* A document that must be good. */
static inline struct document *parse_good(const char *text)
{
	struct document *document = NULL;
	struct problems problems;
	problem_init(&problems);
	int e = document_parse(slice_of(text), slice_of("f"), NULL, &problems, &document);
	if (e) {
		struct text out = { 0 };
		problem_print(&problems, &out);
		print_error("%s", out.bytes ? out.bytes : "(no problem)\n");
		text_free(&out);
	}
	assert_int_equal(e, 0);
	assert_int_equal(problems.count, 0);
	problem_fini(&problems);
	return document;
}

/* What is printed must be `expected`; the list is emptied. */
static inline void expect_problems(struct problems *problems, const char *expected)
{
	struct text out = { 0 };
	problem_print(problems, &out);
	assert_string_equal(out.bytes ? out.bytes : "", expected);
	text_free(&out);
	problem_fini(problems);
	problem_init(problems);
}

/* A document that must be refused with `error`, and with these problems. */
static inline void expect_refused_within(const struct document_limits *limits, struct slice text, int error, const char *expected)
{
	struct document *document = NULL;
	struct problems problems;
	problem_init(&problems);
	assert_int_equal(document_parse(text, slice_of("f"), limits, &problems, &document), error);
	assert_null(document);
	expect_problems(&problems, expected);
	problem_fini(&problems);
}

static inline void expect_refused(const char *text, const char *expected)
{
	expect_refused_within(NULL, slice_of(text), ERROR_SYNTAX, expected);
}

static inline void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.length, strlen(expected));
	assert_memory_equal(s.at, expected, s.length);
}

#endif
