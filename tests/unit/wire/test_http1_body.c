/* SPDX-License-Identifier: Apache-2.0 */
/* Chunked bodies and trailer sections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "unit/wire/feed.h"

#define C "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_chunks(void **state)
{
	static const struct feed_case cases[] = {
		{ C "0\r\n\r\n" NEXT, "!data |end|request GET /next" },
		{ C "5\r\nhello\r\n0\r\n\r\n" NEXT, "data hello|request GET /next" },
		{ C "1\r\na\r\n2\r\nbc\r\n00\r\n\r\n" NEXT, "data abc|request GET /next" },
		{ C "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "data 01234567890123456789|end" },
		{ C "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "data hello|end" },
		{ C "4\r\n\r\n\r\n\r\n0\r\n\r\n", "data \\x0d\\x0a\\x0d\\x0a|end" },
		{ C "2;a\r\nhi\r\n0\r\n\r\n", "data hi|end" },
		{ C "2;a=b\r\nhi\r\n0;c=\"d;\\\"e\"\r\n\r\n" NEXT, "data hi|request GET /next" },
		{ C "2 ; a = b ;c; d\t=\t\"\" ;e\r\nhi\r\n0\r\n\r\n", "data hi|end" },
		{ C "2;a=\"\\\x80 \"\r\nhi\r\n0\r\n\r\n", "data hi|end" },
		{ C "5\r\nhel", "data hel|incomplete" },
		{ C "5\r\nhello\r\n", "data hello|incomplete" },
		{ C "0\r\n", "incomplete|!end" },
		{ C "0\r\n\r", "incomplete|!end" },
		{ C "5", "incomplete" },
		{ C "7fffffffffffffff\r\nx", "data x|incomplete" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_refuses_sizes(void **state)
{
	static const struct feed_case cases[] = {
		{ C "\r\n", "refused 400 bad chunk size" },
		{ C ";a\r\n", "refused 400 bad chunk size" },
		{ C "g\r\n", "refused 400 bad chunk size" },
		{ C "-1\r\n", "refused 400 bad chunk size" },
		{ C "+1\r\n", "refused 400 bad chunk size" },
		{ C " 1\r\nx\r\n", "refused 400 bad chunk size" },
		{ C "0x1\r\nx\r\n", "refused 400 bad chunk size" },
		{ C "1_0\r\nx\r\n", "refused 400 bad chunk size" },
		{ C "5 \r\nhello\r\n", "refused 400 bad chunk extension" },
		{ C "5\t\r\nhello\r\n", "refused 400 bad chunk extension" },
		{ C "1 2\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "8000000000000000\r\n", "refused 400 bad chunk size" },
		{ C "10000000000000005\r\nhello", "refused 400 bad chunk size" },
		{ C "00000000000000005\r\nhello", "refused 400 bad chunk size" },
		{ C "fffffffffffffffff\r\n", "refused 400 bad chunk size" },
		{ C "5\nhello\r\n", "refused 400 bad line end in a chunked body" },
		{ C "5\rhello\r\n", "refused 400 bad line end in a chunked body" },
		{ C "5\r\r\nhello", "refused 400 bad line end in a chunked body" },
		{ C "5\r\nhello\n0\r\n\r\n", "data hello|refused 400 bad line end in a chunked body" },
		{ C "5\r\nhello\r0\r\n\r\n", "data hello|refused 400 bad line end in a chunked body" },
		{ C "5\r\nhello0\r\n\r\n", "data hello|refused 400 bad line end in a chunked body" },
		{ C "5\r\nhello!\r\n0\r\n\r\n", "data hello|refused 400 bad line end in a chunked body" },
		{ C "4\r\nhello\r\n0\r\n\r\n", "data hell|refused 400 bad line end in a chunked body" },
		{ C "0\r\n\rX", "refused 400 bad line end in a chunked body" },
		{ C "0\n\n", "refused 400 bad line end in a chunked body" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_refuses_extensions(void **state)
{
	static const struct feed_case cases[] = {
		{ C "1;\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;;a\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;=b\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a b\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a \r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=b c\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=b \r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=\"b\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=\"b\"c\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a=\"\\\r\n\"\r\nx\r\n", "refused 400 bad chunk extension" },
		{ C "1;a\nx\r\n", "refused 400 bad line end in a chunked body" },
		{ C "1;a=\"\n\"\r\nx\r\n", "refused 400 bad line end in a chunked body" },
		{ C "1;a\rx\r\n", "refused 400 bad line end in a chunked body" },
		{ C "1;\x01\r\nx\r\n", "refused 400 bad chunk extension" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

/* Extensions may not cost more than they come with. */
static void test_extension_limit(void **state)
{
	struct text input = { 0 }, line = { 0 };
	struct feed_case one;

	(void)state;
	for (unsigned length = 4096; length <= 4097; length++) {
		text_clear(&input);
		text_format(&input, C "1;%0*d\r\nx\r\n0\r\n\r\n", (int)length - 1, 0);
		one = (struct feed_case){ input.bytes, length == 4096 ? "data x|end" : "refused 400 chunk extensions are too long" };
		feed_check(&one, (struct verdict_input){ 0 });
	}
	text_clear(&input);
	text_append(&input, SLICE(C));
	for (unsigned i = 0; i < 1000; i++)
		text_append(&input, SLICE("1;abc=def\r\nx\r\n"));
	one = (struct feed_case){ input.bytes, "refused 400 chunk extensions are too long" };
	feed_check(&one, (struct verdict_input){ 0 });
	text_clear(&input);
	text_append(&input, SLICE(C));
	for (unsigned i = 0; i < 1000; i++)
		text_append(&input, SLICE("9;abc=def\r\n123456789\r\n"));
	text_append(&input, SLICE("0\r\n\r\n"));
	one = (struct feed_case){ input.bytes, "end|!refused 400 chunk extensions are too long" };
	feed_check(&one, (struct verdict_input){ 0 });
	text_free(&input);
	text_free(&line);
}

static void test_trailers(void **state)
{
	static const struct feed_case cases[] = {
		{ C "0\r\nX: y\r\n\r\n" NEXT, "trailer X: y|end|request GET /next" },
		{ C "2\r\nhi\r\n0\r\nA:\r\nb: \tc \r\n\r\n" NEXT, "data hi|trailer A: |trailer b: c|request GET /next" },
		{ C "0\r\ngrpc-status: 0\r\n\r\n", "trailer grpc-status: 0" },
		{ C "0\r\nContent-Length: 5\r\nX: y\r\n\r\n" NEXT, "!trailer Content-Length: 5|trailer X: y|request GET /next" },
		{ C "0\r\nTransfer-Encoding: chunked\r\n\r\n" NEXT, "!trailer Transfer-Encoding: chunked|request GET /next" },
		{ C "0\r\nhost: b\r\nHost: c\r\n\r\n" NEXT, "!trailer host: b|request GET /next" },
		{ C "0\r\nAuthorization: x\r\nX: y\r\n\r\n", "!trailer Authorization: x|trailer X: y" },
		{ C "0\r\nSet-Cookie: x\r\n\r\n", "!trailer Set-Cookie: x|end" },
		{ C "0\r\nl5d-dtab: /a=>/b\r\n\r\n", "!trailer l5d-dtab: /a=>/b|end" },
		{ C "0\r\nL5D-future: x\r\n\r\n", "!trailer L5D-future: x|end" },
		{ C "0\r\nContent-Encoding: x\r\nContent-Range: y\r\n\r\n", "!trailer Content-Encoding: x|end" },
		{ C "0\r\nConnection: close\r\n\r\n" NEXT, "!trailer Connection: close|request GET /next" },
		{ C "0\r\nX: y\r\n", "incomplete|!end" },
		{ C "0\r\nX", "incomplete|!end" },
		{ C "0\r\n X: y\r\n\r\n", "refused 400 folded field line" },
		{ C "0\r\nX: y\r\n z\r\n\r\n", "refused 400 folded field line" },
		{ C "0\r\nX : y\r\n\r\n", "refused 400 blank before a field's colon" },
		{ C "0\r\nX: y\n\r\n", "refused 400 bare CR or LF" },
		{ C "0\r\nX: y\r\n\n", "refused 400 field line without a colon" },
		{ C "0\r\nX: y\r\n\rX", "refused 400 bare CR or LF" },
		{ C "0\r\n\n", "refused 400 field line without a colon" },
		{ C "0\r\nGET / HTTP/1.1\r\n", "refused 400 blank before a field's colon" },
		{ C "0\r\nX: \x01\r\n\r\n", "refused 400 control character in a field's value" },
	};
	static const struct feed_case limited[] = {
		{ C "0\r\nA:\r\nB:\r\nC:\r\n\r\n", "trailer C: |end" },
		{ C "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", "refused 431 too many trailers" },
		{ C "0\r\nHost:\r\nHost:\r\nHost:\r\nHost:\r\n\r\n", "refused 431 too many trailers" },
		{ C "0\r\nX: 4567890123456789012345678901234567890123456\r\n\r\n", "end" },
		{ C "0\r\nX: 45678901234567890123456789012345678901234567\r\n\r\n", "refused 431 the trailers are too long" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
	for (size_t i = 0; i < FEED_COUNT(limited); i++)
		feed_check(&limited[i], (struct verdict_input){ .limits = { .max_fields = 3, .max_head_bytes = 50 } });
}

/* Runs lie in the input: nothing is copied. The last run by length is known to be the last. */
static void test_runs(void **state)
{
	struct head head = { .body = BODY_LENGTH, .body_length = 6 };
	struct slice bytes = SLICE("abcdefgh"), data;
	struct http1_body body;
	enum http1_step step;
	size_t consumed;

	(void)state;
	http1_body_init(&body, &head);
	assert_int_equal(http1_body_decode(&body, slice_make(bytes.at, 4), &data, &consumed, &step), 0);
	assert_int_equal(step, HTTP1_DATA);
	assert_ptr_equal(data.at, bytes.at);
	assert_int_equal(data.length, 4);
	assert_int_equal(consumed, 4);
	assert_false(http1_body_ended(&body));
	assert_int_equal(http1_body_close(&body), ERROR_SYNTAX);
	assert_int_equal(http1_body_decode(&body, slice_make(bytes.at, 0), &data, &consumed, &step), 0);
	assert_int_equal(step, HTTP1_MORE);
	assert_int_equal(http1_body_decode(&body, slice_from(bytes, 4), &data, &consumed, &step), 0);
	assert_int_equal(step, HTTP1_DATA);
	assert_ptr_equal(data.at, bytes.at + 4);
	assert_int_equal(data.length, 2);
	assert_true(http1_body_ended(&body));
	assert_int_equal(http1_body_decode(&body, slice_from(bytes, 6), &data, &consumed, &step), 0);
	assert_int_equal(step, HTTP1_END);
	assert_int_equal(consumed, 0);
	assert_int_equal(http1_body_close(&body), 0);
}

/* What is broken stays broken. */
static void test_stays_refused(void **state)
{
	struct head head = { .body = BODY_CHUNKED };
	struct slice data;
	struct http1_body body;
	enum http1_step step;
	size_t consumed;

	(void)state;
	http1_body_init(&body, &head);
	assert_int_equal(http1_body_decode(&body, SLICE("x"), &data, &consumed, &step), ERROR_SYNTAX);
	assert_string_equal(body.reason, "bad chunk size");
	assert_int_equal(http1_body_decode(&body, SLICE("0\r\n\r\n"), &data, &consumed, &step), ERROR_SYNTAX);
	assert_false(http1_body_ended(&body));
	assert_int_equal(http1_body_close(&body), ERROR_SYNTAX);
}

/* What the writers make of runs and trailers is read back as the same. */
static void test_written_chunks(void **state)
{
	static const uint64_t sizes[] = { 1, 9, 15, 16, 255, 256, 4096, 70000 };
	static char payload[70000];
	char room[HTTP1_CHUNK_HEAD_ROOM];
	struct text input = { 0 }, wanted = { 0 };
	struct field line = { .line = "X: y\r\n", .line_length = 6, .name_length = 1, .value_offset = 3, .value_length = 1 };
	struct field lines[3] = { line, line, line };
	struct fields trailers = { 3, lines };
	char *last = memory_new(http1_trailers_room(&trailers));
	size_t length;

	(void)state;
	memset(payload, 'p', sizeof payload);
	lines[1].dropped = true;
	for (unsigned with_trailers = 0; with_trailers < 2; with_trailers++) {
		text_clear(&input);
		text_clear(&wanted);
		text_append(&input, SLICE(C));
		text_append(&wanted, SLICE("end|incomplete|data "));
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			text_append(&input, slice_make(room, http1_write_chunk_head(room, sizes[i], i == 0)));
			text_append(&input, slice_make(payload, sizes[i]));
			text_append(&wanted, slice_make(payload, sizes[i]));
		}
		if (with_trailers) {
			length = http1_write_trailers(last, http1_trailers_room(&trailers), &trailers, false);
			assert_int_equal(length, 2 + 3 + 12 + 2);
			text_append(&input, slice_make(last, length));
			text_append(&wanted, SLICE("|trailer X: y"));
		} else {
			text_append(&input, slice_make(room, http1_write_last_chunk(room, false)));
		}
		feed_check(&(struct feed_case){ input.bytes, wanted.bytes }, (struct verdict_input){ 0 });
	}
	assert_int_equal(http1_write_trailers(last, 2 + 3 + 12 + 1, &trailers, false), 0);
	assert_int_equal(http1_write_last_chunk(room, true), 5);
	assert_memory_equal(room, "0\r\n\r\n", 5);
	assert_int_equal(http1_write_chunk_head(room, UINT64_MAX, false), HTTP1_CHUNK_HEAD_ROOM);
	assert_memory_equal(room, "\r\nffffffffffffffff\r\n", HTTP1_CHUNK_HEAD_ROOM);
	memory_free(last);
	text_free(&input);
	text_free(&wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_refuses_sizes),
		cmocka_unit_test(test_refuses_extensions),
		cmocka_unit_test(test_extension_limit),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_stays_refused),
		cmocka_unit_test(test_written_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
