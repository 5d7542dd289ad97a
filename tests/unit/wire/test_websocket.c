/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
