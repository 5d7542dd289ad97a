/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/head.h"

static const struct {
	enum field_id id;
	const char *name;
} known[] = {
#define X(id, name) { FIELD_##id, name },
	FIELD_TABLE(X)
#undef X
};

/* Every known name in any case is recognised, and nothing that differs from it in one byte. */
static void test_identifies_fields(void **state)
{
	char name[40];

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t length = strlen(known[i].name);

		assert_true(slice_equal(field_canonical(known[i].id), slice_of(known[i].name)));
		strcpy(name, known[i].name);
		for (size_t at = 0; at < length; at++) {
			for (unsigned c = 0; c < 256; c++) {
				bool same = c == (unsigned char)known[i].name[at] ||
					(c >= 'A' && c <= 'Z' && (c | 0x20) == (unsigned char)known[i].name[at]);

				name[at] = (char)c;
				assert_int_equal(field_identify(slice_make(name, length)) == known[i].id, same);
			}
			name[at] = known[i].name[at];
			assert_int_not_equal(field_identify(slice_make(name, at)), known[i].id);
			/* Upper case from here on back. */
			name[at] = (char)(name[at] >= 'a' && name[at] <= 'z' ? name[at] - 0x20 : name[at]);
			assert_int_equal(field_identify(slice_make(name, length)), known[i].id);
		}
		strcpy(name + length, "s");
		assert_int_equal(field_identify(slice_make(name, length + 1)), FIELD_OTHER);
	}
	assert_int_equal(field_identify(SLICE("")), FIELD_OTHER);
	assert_int_equal(field_identify(SLICE("x-a-name-that-no-table-knows-because-it-is-too-long")), FIELD_OTHER);
}

static void test_identifies_methods(void **state)
{
	static const struct {
		const char *text;
		enum method method;
	} cases[] = {
		{ "GET", METHOD_GET },
		{ "HEAD", METHOD_HEAD },
		{ "POST", METHOD_POST },
		{ "PUT", METHOD_PUT },
		{ "DELETE", METHOD_DELETE },
		{ "CONNECT", METHOD_CONNECT },
		{ "OPTIONS", METHOD_OPTIONS },
		{ "TRACE", METHOD_TRACE },
		{ "PATCH", METHOD_PATCH },
		{ "get", METHOD_OTHER },
		{ "GETS", METHOD_OTHER },
		{ "GE", METHOD_OTHER },
		{ "", METHOD_OTHER },
		{ "HEAT", METHOD_OTHER },
		{ "TRACK", METHOD_OTHER },
		{ "CONNECTS", METHOD_OTHER },
		{ "PROPFIND", METHOD_OTHER },
		{ "DELETF", METHOD_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(method_identify(slice_of(cases[i].text)), cases[i].method);
}

struct made {
	struct arena arena;
	struct head head;
};

/* A head with these fields, "name: value" each, ended by NULL. */
static struct made *make(const char *const *lines)
{
	static struct made made;

	memset(&made.head, 0, sizeof made.head);
	arena_init(&made.arena, NULL, 0);
	for (; *lines; lines++) {
		size_t colon = slice_find(slice_of(*lines), ':');
		struct slice name = slice_make(*lines, colon);

		assert_int_equal(head_add(&made.head, &made.arena, field_identify(name), name, slice_of(*lines + colon + 2)), 0);
	}
	return &made;
}

#define MAKE(...) make((const char *const[]){ __VA_ARGS__, NULL })

/* The names of the fields that are not dropped. */
static const char *kept(const struct head *head)
{
	static char text[1000];
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < head->field_count; i++) {
		if (!head->fields[i].dropped) {
			struct slice name = field_name(&head->fields[i]);

			length += (size_t)snprintf(text + length, sizeof text - length, "%s%.*s", length ? " " : "", SLICE_ARGS(name));
		}
	}
	return text;
}

static void test_finds_and_drops(void **state)
{
	struct made *m = MAKE("Via: 1", "X-Other: 2", "via: 3", "Host: 4", "x-other: 5");
	struct field *field;

	(void)state;
	assert_true(head_has(&m->head, FIELD_VIA));
	assert_false(head_has(&m->head, FIELD_TE));
	assert_false(head_has(&m->head, FIELD_OTHER));
	assert_null(head_find(&m->head, FIELD_TE));
	field = head_find(&m->head, FIELD_VIA);
	assert_ptr_equal(field, &m->head.fields[0]);
	field = head_find_next(&m->head, field);
	assert_ptr_equal(field, &m->head.fields[2]);
	assert_null(head_find_next(&m->head, field));
	assert_ptr_equal(head_find_name(&m->head, SLICE("X-OTHER")), &m->head.fields[1]);
	assert_ptr_equal(head_find_name(&m->head, SLICE("HOST")), &m->head.fields[3]);
	assert_null(head_find_name(&m->head, SLICE("x-othe")));
	head_drop(&m->head, &m->head.fields[0]);
	assert_true(head_has(&m->head, FIELD_VIA));
	assert_ptr_equal(head_find(&m->head, FIELD_VIA), &m->head.fields[2]);
	head_drop(&m->head, &m->head.fields[2]);
	assert_false(head_has(&m->head, FIELD_VIA));
	assert_null(head_find_name(&m->head, SLICE("Via")));
	head_drop(&m->head, &m->head.fields[1]);
	assert_ptr_equal(head_find_name(&m->head, SLICE("x-other")), &m->head.fields[4]);
	assert_true(head_has(&m->head, FIELD_HOST));
	arena_reset(&m->arena);
	m = MAKE("Via: 1", "Host: 4", "Via: 3");
	head_drop_all(&m->head, FIELD_VIA);
	head_drop_all(&m->head, FIELD_TE);
	assert_false(head_has(&m->head, FIELD_VIA));
	assert_string_equal(kept(&m->head), "Host");
	arena_reset(&m->arena);
}

static void test_adds(void **state)
{
	static const struct {
		struct slice name, value;
	} bad[] = {
		{ SLICE(""), SLICE("x") },
		{ SLICE("a b"), SLICE("x") },
		{ SLICE("a:"), SLICE("x") },
		{ SLICE("a\r"), SLICE("x") },
		{ SLICE("a\0"), SLICE("x") },
		{ SLICE("a"), SLICE("x\r\ny: z") },
		{ SLICE("a"), SLICE("x\r") },
		{ SLICE("a"), SLICE("\n") },
		{ SLICE("a"), SLICE("x\0") },
		{ SLICE("a"), SLICE("x\x01") },
		{ SLICE("a\n"), SLICE("x") },
	};
	struct made *m = MAKE("Via: 1.1 a");

	(void)state;
	assert_int_equal(head_add(&m->head, &m->arena, FIELD_OTHER, SLICE("X-Y"), SLICE("")), 0);
	assert_int_equal(head_add(&m->head, &m->arena, FIELD_OTHER, SLICE("l5d-ERR"), SLICE("v ")), 0);
	assert_true(head_has(&m->head, FIELD_L5D_ERR));
	assert_true(slice_equal(field_value(&m->head.fields[0]), SLICE("1.1 a")));
	assert_true(slice_equal(field_value(&m->head.fields[1]), SLICE("")));
	assert_true(slice_equal(field_value(&m->head.fields[2]), SLICE("v")));
	assert_memory_equal(m->head.fields[1].line, "X-Y: \r\n", m->head.fields[1].line_length);
	assert_int_equal(head_add_line(&m->head, FIELD_OTHER, SLICE("A:b \t\r\n"), 1, 2), 0);
	assert_true(slice_equal(field_name(&m->head.fields[3]), SLICE("A")));
	assert_true(slice_equal(field_value(&m->head.fields[3]), SLICE("b")));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(head_add(&m->head, &m->arena, FIELD_OTHER, bad[i].name, bad[i].value), ERROR_INVALID);
	assert_int_equal(m->head.field_count, 4);
	while (m->head.field_count < HEAD_MAX_FIELDS)
		assert_int_equal(head_add(&m->head, &m->arena, FIELD_VIA, SLICE("Via"), SLICE("x")), 0);
	assert_int_equal(head_add(&m->head, &m->arena, FIELD_VIA, SLICE("Via"), SLICE("x")), ERROR_LIMIT);
	assert_int_equal(head_add_line(&m->head, FIELD_VIA, SLICE("Via: x\r\n"), 3, 5), ERROR_LIMIT);
	arena_reset(&m->arena);
	arena_init(&m->arena, NULL, 8);
	m->head.field_count = 0;
	assert_int_equal(head_add(&m->head, &m->arena, FIELD_VIA, SLICE("Via"), SLICE("longer")), ERROR_NO_MEMORY);
	assert_int_equal(m->head.field_count, 0);
	arena_reset(&m->arena);
}

static void test_hop_by_hop(void **state)
{
	struct made *m = MAKE("A: 1", "Connection: x-named, A , close", "Keep-Alive: 2", "X-Named: 3", "Proxy-Connection: 4",
		"Proxy-Authenticate: 5", "Proxy-Authorization: 6", "TE: 7", "Trailer: 8", "Transfer-Encoding: chunked", "Upgrade: 9",
		"B: 10", "x-named: 11", "Content-Length: 12");

	(void)state;
	head_drop_hop_by_hop(&m->head, false);
	assert_string_equal(kept(&m->head), "B Content-Length");
	assert_false(head_has(&m->head, FIELD_CONNECTION));
	assert_false(head_has(&m->head, FIELD_UPGRADE));
	arena_reset(&m->arena);
	m = MAKE("Connection: upgrade, B", "Upgrade: websocket", "B: 1", "C: 2");
	head_drop_hop_by_hop(&m->head, true);
	assert_string_equal(kept(&m->head), "Upgrade C");
	assert_true(head_has(&m->head, FIELD_UPGRADE));
	arena_reset(&m->arena);
	m = MAKE("Connection: upgrade", "Upgrade: websocket", "C: 2");
	head_drop_hop_by_hop(&m->head, false);
	assert_string_equal(kept(&m->head), "C");
	arena_reset(&m->arena);
	/* A field that is named by a Connection field which another one names is not saved by that. */
	m = MAKE("Connection: connection, ,", "Connection: secret", "Secret: 1", "C: 2");
	head_drop_hop_by_hop(&m->head, false);
	assert_string_equal(kept(&m->head), "C");
	arena_reset(&m->arena);
	m = MAKE("A: 1", "B: 2");
	head_drop_hop_by_hop(&m->head, false);
	assert_string_equal(kept(&m->head), "A B");
	arena_reset(&m->arena);
}

static void test_status_reasons(void **state)
{
	(void)state;
	assert_true(slice_equal(status_reason(200), SLICE("OK")));
	assert_true(slice_equal(status_reason(431), SLICE("Request Header Fields Too Large")));
	assert_true(slice_equal(status_reason(299), SLICE("")));
	assert_non_null(status_reason(299).at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identifies_fields),
		cmocka_unit_test(test_identifies_methods),
		cmocka_unit_test(test_finds_and_drops),
		cmocka_unit_test(test_adds),
		cmocka_unit_test(test_hop_by_hop),
		cmocka_unit_test(test_status_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
