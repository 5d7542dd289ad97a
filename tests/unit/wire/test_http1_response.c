/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads: the same strictness, and the body's length by status and by the request's method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/wire/feed.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define E "\r\n"

static void test_status_lines(void **state)
{
	static const struct feed_case cases[] = {
		{ OK "Content-Length: 0\r\n" E, "response 200 OK|version 1.1|body none|flags persistent|closed 0" },
		{ "HTTP/1.1 200 \r\nContent-Length: 0\r\n" E, "response 200 " },
		{ "HTTP/1.1 200\r\nContent-Length: 0\r\n" E, "response 200 " },
		{ "HTTP/1.0 404 Not  Found\t(\xe4)\r\n" E, "response 404 Not  Found\\x09(\\xe4)|version 1.0" },
		{ "HTTP/1.5 599 x\r\n" E, "response 599 x|version 1.1" },
		{ "HTTP/1.1 999 x\r\n" E, "response 999 x" },
		{ "HTTP/2.0 200 OK\r\n" E, "refused 502 unknown protocol version" },
		{ "HTTP/0.9 200 OK\r\n" E, "refused 502 unknown protocol version" },
		{ "http/1.1 200 OK\r\n" E, "refused 502 bad protocol version" },
		{ "ICY 200 OK\r\n" E, "refused 502 bad protocol version" },
		{ "<html>\r\n", "refused 502 bad protocol version" },
		{ "\r\nHTTP/1.1 200 OK\r\n" E, "refused 502 bad protocol version" },
		{ " HTTP/1.1 200 OK\r\n" E, "refused 502 bad protocol version" },
		{ "HTTP/1.1  200 OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1\t200 OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1 2000 OK\r\n" E, "refused 502 bad end of the first line" },
		{ "HTTP/1.1 20 OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1 099 OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1 abc OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1 -20 OK\r\n" E, "refused 502 bad status" },
		{ "HTTP/1.1 200\tOK\r\n" E, "refused 502 bad end of the first line" },
		{ "HTTP/1.1 200 O\x01K\r\n" E, "refused 502 bad end of the first line" },
		{ "HTTP/1.1 200 OK\n" E, "refused 502 bare CR or LF" },
		{ "HTTP/1.1 200 OK\r" E, "refused 502 bare CR or LF" },
		{ "HTTP/1.1 200 OK\rX\n" E, "refused 502 bare CR or LF" },
		{ "HTTP/1.1 200 OK", "incomplete" },
		{ OK, "incomplete" },
	};

	(void)state;
	feed_responses(cases, FEED_COUNT(cases), METHOD_GET);
}

static void test_bodies(void **state)
{
	static const struct feed_case cases[] = {
		{ OK "Content-Length: 2\r\n" E "hi", "body length 2|data hi|flags persistent|end|closed 0" },
		{ OK "Content-Length: 3\r\n" E "hi", "data hi|incomplete|!end" },
		{ OK "Content-Length: 1\r\n" E "hi", "data h|closed 1" },
		{ OK "Transfer-Encoding: chunked\r\n" E "2\r\nhi\r\n0\r\n\r\n", "body chunked|data hi|end|flags persistent" },
		{ OK "Transfer-Encoding: chunked\r\n" E "2\r\nhi\r\n", "data hi|incomplete|!end" },
		{ OK E "all of it", "body close|data all of it|end|flags|closed 0" },
		{ OK E, "body close|end|closed 0" },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" E "x", "body close|data x|flags|end" },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n" E "x", "body length 1|flags persistent" },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n" E "x", "body length 1|flags" },
		{ OK "Connection: close\r\nContent-Length: 1\r\n" E "x", "body length 1|flags|end" },
		{ "HTTP/1.1 100 Continue\r\n" E OK "Content-Length: 2\r\n" E "hi", "response 100 Continue|response 200 OK|data hi|end" },
		{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n" E "HTTP/1.1 100 C\r\n" E "HTTP/1.1 204 N\r\n" E,
			"response 103 Early Hints|field Link: x|response 100 C|response 204 N|closed 0" },
		{ "HTTP/1.1 204 No Content\r\n" E, "body none|flags persistent|end" },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" E, "body none|flags persistent" },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n" E "hello", "body none|flags|closed 5" },
		{ "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n" E "0\r\n\r\n", "body none|flags|closed 5" },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" E, "body none|flags persistent|end" },
		{ "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n" E, "body none|flags persistent" },
		{ "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" E "ws", "flags persistent upgrade|tunnel 2" },
		{ OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" E, "refused 502 both Content-Length and Transfer-Encoding" },
		{ OK "Content-Length: 1\r\nContent-Length: 1\r\n" E, "refused 502 more than one Content-Length field" },
		{ OK "Content-Length: 1, 1\r\n" E, "refused 502 bad Content-Length field" },
		{ OK "Transfer-Encoding: gzip, chunked\r\n" E, "refused 502 transfer coding other than chunked" },
		{ "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" E, "refused 502 Transfer-Encoding in an HTTP/1.0 message" },
		{ "HTTP/1.1 304 x\r\nContent-Length: x\r\n" E, "refused 502 bad Content-Length field" },
		{ OK "X: y\r\n z\r\n" E, "refused 502 folded field line" },
		{ OK "X : y\r\n" E, "refused 502 blank before a field's colon" },
		{ OK "X: y\n" E, "refused 502 bare CR or LF" },
		{ OK "Host: a b\r\nHost: c\r\nContent-Length: 0\r\n" E, "field Host: a b|field Host: c|end" },
		{ OK "Expect: 100-continue\r\nContent-Length: 0\r\n" E, "flags persistent" },
	};

	(void)state;
	feed_responses(cases, FEED_COUNT(cases), METHOD_GET);
}

static void test_to_head(void **state)
{
	static const struct feed_case cases[] = {
		{ OK "Content-Length: 5\r\n" E, "body none|flags persistent|end|closed 0" },
		{ OK "Transfer-Encoding: chunked\r\n" E, "body none|flags persistent|end" },
		{ OK E, "body none|flags persistent|end" },
		{ "HTTP/1.1 100 C\r\n" E OK E, "response 100 C|response 200 OK|end" },
		{ OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E, "refused 502 both Content-Length and Transfer-Encoding" },
	};

	(void)state;
	feed_responses(cases, FEED_COUNT(cases), METHOD_HEAD);
}

static void test_to_connect(void **state)
{
	static const struct feed_case cases[] = {
		{ OK E "bytes", "body none|tunnel 5" },
		{ "HTTP/1.1 299 x\r\n" E "bytes", "body none|tunnel 5" },
		{ "HTTP/1.1 302 x\r\nContent-Length: 2\r\n" E "hi", "body length 2|data hi" },
		{ "HTTP/1.1 403 x\r\n" E "no", "body close|data no" },
	};

	(void)state;
	feed_responses(cases, FEED_COUNT(cases), METHOD_CONNECT);
}

static void test_limits(void **state)
{
	static const struct http1_limits tight = { .max_line_bytes = 20, .max_head_bytes = 30, .max_fields = 2 };
	static const struct feed_case cases[] = {
		{ "HTTP/1.1 200 4567890\r\nX: y\r\n\r\n", "response 200 4567890" },
		{ "HTTP/1.1 200 45678901\r\nX: y\r\n\r\n", "refused 502 the first line is too long" },
		{ "HTTP/1.1 200 OK\r\nX: 123456789012345678901234567890\r\n\r\n", "refused 502 the fields are too long" },
		{ "HTTP/1.1 200 OK\r\nX:\r\nY:\r\nZ:\r\n\r\n", "refused 502 too many fields" },
	};

	(void)state;
	for (size_t i = 0; i < FEED_COUNT(cases); i++)
		feed_check(&cases[i], (struct verdict_input){ .is_response = true, .limits = tight, .closes = true });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_lines),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_to_head),
		cmocka_unit_test(test_to_connect),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
