/* SPDX-License-Identifier: Apache-2.0 */
/* What an idle connection costs of OpenSSL's heap (tls/cells.h). Not under sanitizers, where cells are the system's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "support/end.h"
#include "tls/cells.h"

/* As OpenSSL 3.0 has it, of which its struct for a connection is half. A client keeps the session, with the server's certificate, for the
 * next one. */
enum { MOST = 13 * 1024, MOST_CLIENT = 18 * 1024 + 512 };

static void open_one(struct ends *ends)
{
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	end_send(&ends->client, "request");
	end_send(&ends->server, "answer");
	ends_settle(ends);
}

static void close_now(void *owner)
{
	struct ends *ends = owner;

	stream_reset(ends->client.stream); /* without close_notify, which the server would keep a buffer for */
	ends->client.stream = NULL;
}

/* From the loop, so that it is freed at once. */
static void close_client(struct ends *ends)
{
	struct timer timer;

	timer_init(&timer, close_now, ends);
	timer_set(ends->client.loop, &timer, loop_now(ends->client.loop));
	ends_settle(ends);
}

static void idle_connections_with_certificates(void **state)
{
	struct tls_server_options server = {
		.certificates = &end_server_certificate,
		.certificate_count = 1,
		.trust = &end_trust,
		.trust_count = 1,
		.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
	};
	struct tls_client_options client = { .trust = &end_trust, .trust_count = 1, .certificate = end_client_certificate };

	(void)state;
	for (unsigned version = TLS_1_2; version <= TLS_1_3; version <<= 1) {
		server.choices.protocols = version;
		struct ends *ends = ends_new(version, &server, &client);

		open_one(ends); /* what is made once is made */
		ends_close(ends);
		tls_session_free(&ends->session);
		uint64_t before = cells_in_use();
		open_one(ends);
		tls_session_free(&ends->session);
		uint64_t both = cells_in_use() - before;
		close_client(ends);
		uint64_t one = cells_in_use() - before;
		printf("TLS 1.%u: a server's idle connection %llu bytes, a client's %llu\n", version == TLS_1_2 ? 2 : 3,
			(unsigned long long)one, (unsigned long long)(both - one));
		assert_in_range(one, 1, MOST);
		assert_in_range(both - one, 1, MOST_CLIENT);
		ends_free(ends);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(idle_connections_with_certificates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
