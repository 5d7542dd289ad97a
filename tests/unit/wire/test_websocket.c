/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "wire/http1.h"
#include "wire/websocket.h"

/* RFC 6455 sections 1.3 and 4.2.2, and lengths around a block of the checksum, as Python's hashlib says them. */
static void handshakes(void **state)
{
	static const struct {
		struct slice key, accept;
	} cases[] = {
		{ { "dGhlIHNhbXBsZSBub25jZQ==", 24 }, { "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28 } },
		{ { "", 0 }, { "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=", 28 } },
		{ { "0123456789abcdefghi", 19 }, { "FegIp3bXJhJaqH8QGyZ2Uh2VvYA=", 28 } },
		{ { "0123456789abcdefghij", 20 }, { "OeG2pkBduPyswM65OjWo8yPzBhc=", 28 } },
		{ { "0123456789abcdefghijklmnopqrstuv", 32 }, { "Q4A7GtBd76FtMe2dNy379TySXdk=", 28 } },
	};
	uint8_t nonce[WEBSOCKET_NONCE] = "the sample nonc";
	char key[WEBSOCKET_KEY], accept[WEBSOCKET_ACCEPT];

	(void)state;
	nonce[15] = 'e';
	websocket_key(nonce, key);
	assert_memory_equal("dGhlIHNhbXBsZSBub25jZQ==", key, sizeof key);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		websocket_accept(cases[i].key, accept);
		assert_memory_equal(cases[i].accept.at, accept, sizeof accept);
	}
}

static void parse(char *text, struct head *head)
{
	struct http1_parser parser;
	size_t used;

	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	if (strncmp(text, "HTTP/", 5) == 0)
		assert_int_equal(0, http1_parse_response(&parser, text, strlen(text), METHOD_GET, head, &used));
	else
		assert_int_equal(0, http1_parse_request(&parser, text, strlen(text), head, &used));
}

#define ASKS "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"

static bool asks(const char *text)
{
	static struct head head;
	char room[200];

	(void)snprintf(room, sizeof room, "%s", text);
	parse(room, &head);
	return websocket_asked(&head);
}

static void who_asks(void **state)
{
	(void)state;
	assert_true(asks(ASKS "Upgrade: WebSocket\r\n\r\n"));
	assert_false(asks(ASKS "Upgrade: websocket\r\nUpgrade: h2c\r\n\r\n"));
	assert_false(asks(ASKS "Upgrade: h2c, websocket\r\n\r\n"));
	assert_false(asks(ASKS "\r\n"));
	assert_false(asks("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"));
	assert_false(asks("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"));
}

static bool accepted(const char *key, const char *accept)
{
	static struct head request, response;
	char texts[2][200];

	(void)snprintf(texts[0], sizeof texts[0], ASKS "Upgrade: websocket\r\n%s\r\n", key);
	(void)snprintf(texts[1], sizeof texts[1], "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n%s\r\n",
		accept);
	parse(texts[0], &request);
	parse(texts[1], &response);
	return websocket_accepted(&request, &response);
}

static void answers_to_keys(void **state)
{
	static const char key[] = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

	(void)state;
	assert_true(accepted(key, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_false(accepted(key, "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_false(accepted(key, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n"));
	assert_false(accepted(key, "Sec-WebSocket-Accept:\r\n"));
	assert_false(accepted(key, ""));
	assert_false(accepted("", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes),
		cmocka_unit_test(who_asks),
		cmocka_unit_test(answers_to_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
