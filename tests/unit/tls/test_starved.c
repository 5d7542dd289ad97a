/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a handshake and of records after it fails in turn, at either end: the connection may end, everything is given back,
 * and the next one is as good as any. Under AddressSanitizer every allocation of OpenSSL's is one of the system's and fails by itself;
 * else those are taken from cells (tls/cells.h), and it is pools and slabs that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/end.h"

enum { LONG = 40000, NEVER = 20000, USUAL_STRIDE = 17 };

/* Under AddressSanitizer it is some thousands for each handshake: by usual, one of so many; each in ./dev test all. */
static unsigned stride;

static char long_text[LONG + 1];

static bool is_open_or_over(struct ends *ends)
{
	return ends_open(ends) || ends->server.failed || ends->client.failed || ends->server.ended || ends->client.ended;
}

static bool is_told(const struct end *end, size_t length)
{
	return end->received.length >= length;
}

static bool is_told_or_over(struct ends *ends)
{
	return (is_told(&ends->server, LONG) && is_told(&ends->client, LONG)) || ends->server.failed || ends->client.failed ||
		ends->server.ended || ends->client.ended;
}

/* Whether all went well. */
static bool talk(struct ends *ends)
{
	text_clear(&ends->server.received);
	text_clear(&ends->client.received);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, is_open_or_over));
	if (!ends_open(ends) || ends->server.failed || ends->client.failed)
		return false;
	end_send(&ends->client, long_text);
	end_send(&ends->server, long_text);
	assert_true(ends_run_until(ends, is_told_or_over));
	return is_told(&ends->server, LONG) && is_told(&ends->client, LONG);
}

/* Who fails says so by an alert or a reset: the other one is never left with an end whose close_notify is missing. */
static void end_what_failed(struct ends *ends)
{
	if (ends->server.failed)
		end_close(&ends->server);
	if (ends->client.failed)
		end_close(&ends->client);
	ends_settle(ends);
	assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_TRUNCATED]), 0);
	assert_int_equal(counter_read(&ends->client_counters.failures[TLS_FAILURE_TRUNCATED]), 0);
}

static void starve(uint64_t seed, unsigned version, bool at_server, bool resume)
{
	struct tls_server_options server = {
		.certificates = &end_server_certificate,
		.certificate_count = 1,
		.trust = &end_trust,
		.trust_count = 1,
		.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
		.choices = { .protocols = version },
	};
	struct tls_client_options client = { .trust = &end_trust, .trust_count = 1, .certificate = end_client_certificate };
	struct ends *ends = ends_new(seed, &server, &client);
	struct loop *loop = at_server ? ends->server.loop : ends->client.loop;
	unsigned nth = 0, tried = 0, ended = 0;
	bool failed = true;

	assert_true(talk(ends)); /* what is made once is made */
	ends_settle(ends);
	ends_close(ends);
	while (failed) {
		nth += tried++ < USUAL_STRIDE ? 1 : stride;
		assert_true(nth < NEVER);
		if (!resume)
			tls_session_free(&ends->session);
		sim_fail_memory(loop, nth);
		ended += !talk(ends);
		end_what_failed(ends);
		ends_close(ends);
		failed = sim_fail_memory(loop, 0) == 0;
	}
	printf("TLS 1.%u, %s%s: %u of %u allocations failed, %u of them ended the connection\n", version == TLS_1_2 ? 2 : 3,
		at_server ? "server" : "client", resume ? ", resumed" : "", tried - 1, nth - 1, ended);
	assert_true(talk(ends));
	ends_close(ends);
	ends_free(ends);
}

static void servers(void **state)
{
	(void)state;
	starve(1, TLS_1_3, true, false);
	starve(2, TLS_1_2, true, false);
}

static void clients(void **state)
{
	(void)state;
	starve(3, TLS_1_3, false, false);
	starve(4, TLS_1_2, false, false);
}

static void resumptions(void **state)
{
	(void)state;
	starve(5, TLS_1_3, true, true);
	starve(6, TLS_1_3, false, true);
	starve(7, TLS_1_2, true, true);
}

/* starved [CASE] */
int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers),
		cmocka_unit_test(clients),
		cmocka_unit_test(resumptions),
	};

	const char *how = getenv("WEFT_TEST");

	if (count > 1)
		cmocka_set_test_filter(arguments[1]);
	stride = how && strcmp(how, "all") == 0 ? 1 : USUAL_STRIDE;
	memset(long_text, 'x', LONG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
