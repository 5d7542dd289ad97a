/* SPDX-License-Identifier: Apache-2.0 */
/* Written heads, byte by byte. That they parse to what they were written from, feed.c checks for each of its cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/http1.h"

enum { ROOM = 2000 };

struct message {
	char bytes[ROOM];
	struct head head;
};

static void parse_request(struct message *message, const char *text)
{
	struct http1_parser parser;
	size_t consumed;

	strcpy(message->bytes, text);
	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	assert_int_equal(http1_parse_request(&parser, message->bytes, strlen(text), &message->head, &consumed), 0);
}

static void parse_response(struct message *message, const char *text, enum method method)
{
	struct http1_parser parser;
	size_t consumed;

	strcpy(message->bytes, text);
	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	assert_int_equal(http1_parse_response(&parser, message->bytes, strlen(text), method, &message->head, &consumed), 0);
}

/* With all the room it says it needs, with exactly what it takes, and with a byte less. */
static void check_request(const struct head *head, enum http1_connection connection, const char *wanted)
{
	char out[ROOM];
	size_t length = strlen(wanted);

	assert_in_range(http1_head_room(head), length, ROOM);
	assert_int_equal(http1_write_request(out, http1_head_room(head), head, connection), length);
	assert_memory_equal(out, wanted, length);
	assert_int_equal(http1_write_request(out, length, head, connection), length);
	for (size_t room = 0; room < length; room++)
		assert_int_equal(http1_write_request(out, room, head, connection), 0);
}

static void check_response(
	const struct head *head, enum method method, enum body framing, enum http1_connection connection, const char *wanted)
{
	char out[ROOM];
	size_t length = strlen(wanted);

	assert_in_range(http1_head_room(head), length, ROOM);
	assert_int_equal(http1_write_response(out, http1_head_room(head), head, method, framing, connection), length);
	assert_memory_equal(out, wanted, length);
	for (size_t room = 0; room < length; room++)
		assert_int_equal(http1_write_response(out, room, head, method, framing, connection), 0);
}

static void test_request(void **state)
{
	static struct message m;

	(void)state;
	parse_request(&m,
		"GET http://world/x HTTP/1.1\r\nUser-Agent:curl \r\nHost: old\r\nACCEPT:  */*\r\n"
		"Proxy-Connection: Keep-Alive\r\nX: y\r\n\r\n");
	check_request(
		&m.head, HTTP1_CONNECTION_DEFAULT, "GET /x HTTP/1.1\r\nHost: world\r\nUser-Agent:curl \r\nACCEPT:  */*\r\nX: y\r\n\r\n");
	head_drop(&m.head, head_find_name(&m.head, SLICE("accept")));
	check_request(
		&m.head, HTTP1_CONNECTION_CLOSE, "GET /x HTTP/1.1\r\nHost: world\r\nUser-Agent:curl \r\nX: y\r\nConnection: close\r\n\r\n");
	parse_request(&m, "GET http://world?x HTTP/1.1\r\nHost: old\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_KEEP_ALIVE, "GET /?x HTTP/1.1\r\nHost: world\r\nConnection: keep-alive\r\n\r\n");
	parse_request(&m, "GET / HTTP/1.0\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "GET / HTTP/1.1\r\nHost: \r\n\r\n");
	parse_request(&m, "CONNECT w:1 HTTP/1.1\r\nHost: x\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "CONNECT w:1 HTTP/1.1\r\nHost: w:1\r\n\r\n");
	parse_request(&m, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void test_request_framing(void **state)
{
	static struct message m;

	(void)state;
	parse_request(&m, "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:  5\r\nX: y\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:  5\r\nX: y\r\n\r\n");
	/* What is sent counts, not what was received. */
	m.head.body_length = 18446744073709551615U;
	check_request(
		&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 18446744073709551615\r\n\r\n");
	m.head.body = BODY_NONE;
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
	m.head.body = BODY_CHUNKED;
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n");
	parse_request(&m, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
	/* One of the lines, however many somebody has added. */
	m.head.body_length = 6;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(head_add_line(&m.head, FIELD_CONTENT_LENGTH, SLICE("Content-length:6\r\n"), 14, 15), 0);
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nContent-length:6\r\n\r\n");
	parse_request(&m, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	parse_request(&m, "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nHost: a\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void test_upgrade(void **state)
{
	static struct message m;

	(void)state;
	parse_request(&m, "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n");
	assert_true(m.head.upgrades);
	head_drop_hop_by_hop(&m.head, true);
	check_request(&m.head, HTTP1_CONNECTION_UPGRADE, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
	check_request(&m.head, HTTP1_CONNECTION_DEFAULT, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	parse_response(&m, "HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", METHOD_GET);
	check_response(&m.head, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_UPGRADE,
		"HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
}

static void test_response(void **state)
{
	static struct message m;

	(void)state;
	parse_response(&m, "HTTP/1.0 200 Fine\r\nX: y\r\nContent-Length: 2\r\nKeep-Alive: 5\r\nHost: h\r\n\r\n", METHOD_GET);
	check_response(&m.head, METHOD_GET, BODY_LENGTH, HTTP1_CONNECTION_DEFAULT,
		"HTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 2\r\nHost: h\r\n\r\n");
	check_response(&m.head, METHOD_GET, BODY_CHUNKED, HTTP1_CONNECTION_CLOSE,
		"HTTP/1.1 200 Fine\r\nX: y\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	check_response(&m.head, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT,
		"HTTP/1.1 200 Fine\r\nX: y\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	check_response(&m.head, METHOD_GET, BODY_UNTIL_CLOSE, HTTP1_CONNECTION_CLOSE,
		"HTTP/1.1 200 Fine\r\nX: y\r\nHost: h\r\nConnection: close\r\n\r\n");
	parse_response(&m, "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n", METHOD_GET);
	assert_int_equal(http1_response_framing(&m.head, VERSION_1_1), BODY_CHUNKED);
	assert_int_equal(http1_response_framing(&m.head, VERSION_1_0), BODY_UNTIL_CLOSE);
	check_response(
		&m.head, METHOD_GET, BODY_CHUNKED, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 200 \r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* Responses whose body's length does not follow from their fields. */
static void test_bodiless_response(void **state)
{
	static struct message m;
	struct head made = { .is_response = true, .status = 503, .body = BODY_LENGTH, .body_length = 12 };

	(void)state;
	check_response(
		&made, METHOD_GET, BODY_LENGTH, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\n");
	check_response(&made, METHOD_HEAD, BODY_LENGTH, HTTP1_CONNECTION_DEFAULT,
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\n");
	made = (struct head){ .is_response = true, .status = 100 };
	check_response(&made, METHOD_POST, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 100 Continue\r\n\r\n");
	made.status = 204;
	check_response(&made, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 204 No Content\r\n\r\n");
	made.status = 304;
	check_response(&made, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 304 Not Modified\r\n\r\n");
	made.status = 200;
	check_response(&made, METHOD_CONNECT, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 200 OK\r\n\r\n");
	check_response(&made, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	parse_response(&m, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n", METHOD_HEAD);
	check_response(&m.head, METHOD_HEAD, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n");
	parse_response(&m, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_HEAD);
	check_response(&m.head, METHOD_HEAD, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 200 OK\r\n\r\n");
	parse_response(&m, "HTTP/1.1 304 NM\r\nContent-Length: 5\r\n\r\n", METHOD_GET);
	check_response(&m.head, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 304 NM\r\nContent-Length: 5\r\n\r\n");
	parse_response(&m, "HTTP/1.1 204 NC\r\nContent-Length: 5\r\n\r\n", METHOD_GET);
	check_response(&m.head, METHOD_GET, BODY_NONE, HTTP1_CONNECTION_DEFAULT, "HTTP/1.1 204 NC\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_framing),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_bodiless_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
