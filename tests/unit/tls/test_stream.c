/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of TLS on two simulated hosts. How they carry HTTP is tried by the tests of session/, which run over TLS too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "io/file.h"
#include "support/end.h"
#include "tls/stream_parts.h"

static struct tls_server_options server_options(void)
{
	return (struct tls_server_options){
		.certificates = &end_server_certificate,
		.certificate_count = 1,
		.trust = &end_trust,
		.trust_count = 1,
		.choices = { .alpn = { SLICE("h2"), SLICE("http/1.1") }, .alpn_count = 2 },
	};
}

static struct tls_client_options client_options(void)
{
	return (struct tls_client_options){ .trust = &end_trust, .trust_count = 1 };
}

static void check_failed(struct ends *ends, int server_error, enum tls_failure server, int client_error, enum tls_failure client)
{
	assert_true(ends_run_until(ends, ends_failed));
	assert_int_equal(ends->server.error, server_error);
	assert_int_equal(ends->client.error, client_error);
	for (unsigned i = 0; i < TLS_FAILURES; i++) {
		assert_int_equal(counter_read(&ends->server_counters.failures[i]), i == server);
		assert_int_equal(counter_read(&ends->client_counters.failures[i]), i == client);
	}
	assert_int_equal(counter_read(&ends->server_counters.handshakes), 0);
}

/* ---- what is known ---- */

static void both_sides_know_what_was_agreed(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED;
	client.certificate = end_client_certificate;
	client.choices = (struct tls_choices){ .alpn = { SLICE("http/1.1"), SLICE("h2") }, .alpn_count = 2 };
	struct ends *ends = ends_new(1, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_null(stream_security(ends->client.stream));
	assert_true(ends_run_until(ends, ends_open));
	const struct stream_security *at_server = stream_security(ends->server.stream);
	const struct stream_security *at_client = stream_security(ends->client.stream);
	assert_true(slice_equal(at_server->version, SLICE("TLSv1.3")));
	assert_true(slice_equal(at_server->cipher, at_client->cipher));
	assert_true(slice_equal(at_server->alpn, SLICE("h2")));
	assert_true(slice_equal(at_client->alpn, SLICE("h2")));
	assert_true(slice_equal(at_server->server_name, SLICE(END_NAME)));
	assert_true(slice_equal(at_server->peer_uri, SLICE("spiffe://example/ns/a/sa/client")));
	assert_true(slice_equal(at_server->peer_dns, SLICE("client.example,other.example")));
	assert_true(slice_equal(at_server->peer_subject, SLICE("CN=client,O=weft")));
	assert_int_equal(at_server->peer_hash.length, 64);
	assert_true(slice_equal(at_client->peer_dns, SLICE(END_NAME)));
	assert_int_equal(at_client->peer_uri.length, 0);
	assert_false(at_server->resumed);
	ends_free(ends);
}

static void sessions_are_resumed_while_their_keys_live(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	server.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED;
	client.certificate = end_client_certificate;
	(void)state;
	for (unsigned version = TLS_1_2; version <= TLS_1_3; version <<= 1) {
		server.choices.protocols = version;
		struct ends *ends = ends_new(version, &server, &client);
		for (unsigned i = 0; i < 5; i++) {
			/* The key of the ticket is the present one, the one before, gone. */
			static const unsigned rotations[] = { 0, 0, 1, 0, 2 };
			static const bool resumed[] = { false, true, true, true, false };

			for (unsigned n = 0; n < rotations[i]; n++)
				tls_server_rotate(ends->tls_server);
			ends_connect(ends, SLICE(END_NAME), SLICE(""));
			assert_true(ends_run_until(ends, ends_open));
			ends_settle(ends);
			assert_int_equal(stream_security(ends->server.stream)->resumed, resumed[i]);
			assert_int_equal(stream_security(ends->client.stream)->resumed, resumed[i]);
			assert_true(slice_equal(stream_security(ends->server.stream)->peer_uri, SLICE("spiffe://example/ns/a/sa/client")));
			ends_close(ends);
		}
		assert_int_equal(counter_read(&ends->server_counters.handshakes), 5);
		assert_int_equal(counter_read(&ends->server_counters.resumed), 3);
		ends_free(ends);
	}
}

/* A client whose certificate ends does not go on with a session that it began before. */
static void sessions_end_with_their_certificates(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED;
	client.certificate = end_short_certificate;
	struct ends *ends = ends_new(3, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	ends_settle(ends);
	ends_close(ends);
	sim_run_for(ends->sim, END_SHORT_SECONDS * CLOCK_SECOND);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_server_failed));
	assert_int_equal(ends->server.error, ERROR_DENIED);
	assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_UNTRUSTED]), 1);
	ends_free(ends);
}

static void copy(struct network *host, const char *from, const char *to)
{
	struct slice bytes;

	sim_host_enter(host);
	assert_int_equal(file_read(from, 65536, &bytes), 0);
	sim_file_put(host, to, bytes);
	memory_free(bytes.at);
}

/* A server's certificate has ended, and it shows another one: what the client remembers of it is no reason to fail. */
static void sessions_with_a_server_that_was_renewed(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();
	struct problems problems;
	bool changed;

	(void)state;
	server.certificates = &end_short_certificate;
	struct ends *ends = ends_new(3, &server, &client);
	for (unsigned i = 0; i < 4; i++) {
		static const bool resumed[] = { false, true, false, true };

		if (i == 2) {
			sim_run_for(ends->sim, END_SHORT_SECONDS * CLOCK_SECOND);
			copy(ends->server_host, "client.pem", "short.pem");
			copy(ends->server_host, "client.key", "short.key");
			problem_init(&problems);
			assert_int_equal(tls_server_reload(ends->tls_server, loop_wall(ends->server.loop), &problems, &changed), 0);
			problem_fini(&problems);
		}
		ends_connect(ends, SLICE("client.example"), SLICE(""));
		assert_true(ends_run_until(ends, ends_open));
		ends_settle(ends);
		assert_int_equal(stream_security(ends->client.stream)->resumed, resumed[i]);
		ends_close(ends);
	}
	ends_free(ends);
}

static void trust(struct ends *ends, struct network *host, const char *const *files)
{
	struct problems problems;
	struct text bundle = { 0 };
	bool changed = false;
	int e;

	sim_host_enter(host);
	for (; *files; files++) {
		struct slice bytes;

		assert_int_equal(file_read(*files, 65536, &bytes), 0);
		text_append(&bundle, bytes);
		memory_free(bytes.at);
	}
	sim_file_put(host, "trusted.pem", text_slice(&bundle));
	text_free(&bundle);
	problem_init(&problems);
	e = host == ends->server_host ? tls_server_reload(ends->tls_server, loop_wall(ends->server.loop), &problems, &changed)
				      : tls_client_reload(ends->tls_client, loop_wall(ends->client.loop), &problems, &changed);
	assert_int_equal(e, 0);
	assert_true(changed);
	problem_fini(&problems);
}

/* Whose root is replaced goes on with sessions while both are trusted, and with none that the dropped root vouched for: neither the
 * server with a client's ticket nor the client with its own session. */
static void sessions_end_with_the_root_that_is_dropped(void **state)
{
	static const struct tls_setting trusted = { .text = { "trusted.pem", 11 }, .file = { "test", 4 } };
	static const char *const both[] = { "root.pem", "other.pem", NULL }, *const other[] = { "other.pem", NULL };
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED;
	client.certificate = end_client_certificate;
	for (unsigned i = 0; i < 4; i++) {
		unsigned version = i & 1 ? TLS_1_2 : TLS_1_3;
		bool server_drops = i & 2;

		server.choices.protocols = version;
		/* Only who drops it has a file of its own. */
		server.trust = server_drops ? &trusted : &end_trust;
		client.trust = server_drops ? &end_trust : &trusted;
		struct ends *ends = ends_new(10 + i, &server, &client);
		struct network *host = server_drops ? ends->server_host : ends->client_host;

		trust(ends, host, both);
		for (unsigned n = 0; n < 2; n++) {
			ends_connect(ends, SLICE(END_NAME), SLICE(""));
			assert_true(ends_run_until(ends, ends_open));
			ends_settle(ends);
			assert_int_equal(stream_security(ends->client.stream)->resumed, n == 1);
			ends_close(ends);
		}
		trust(ends, host, other);
		ends_connect(ends, SLICE(END_NAME), SLICE(""));
		assert_true(ends_run_until(ends, server_drops ? ends_server_failed : ends_client_failed));
		struct tls_counters *counters = server_drops ? &ends->server_counters : &ends->client_counters;
		assert_int_equal(counter_read(&counters->failures[TLS_FAILURE_UNTRUSTED]), 1);
		assert_int_equal(counter_read(&counters->handshakes), 2);
		assert_int_equal(counter_read(&counters->resumed), 1);
		ends_free(ends);
	}
}

/* ---- certificates by name ---- */

static void certificates_are_chosen_by_name(void **state)
{
	static const struct {
		const char *asked, *shown;
	} cases[] = {
		{ "a.wild.example", "*.wild.example" },
		{ "exact.wild.example", "exact.wild.example" },
		{ END_NAME, END_NAME },
		{ "a.b.wild.example", END_NAME },
		{ "EXACT.wild.example", "exact.wild.example" },
		{ "nobody.example", END_NAME },
	};
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.certificates = end_named_certificates;
	server.certificate_count = 3;
	client.no_verification = true;
	struct ends *ends = ends_new(4, &server, &client);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ends_connect(ends, slice_of(cases[i].asked), SLICE(""));
		assert_true(ends_run_until(ends, ends_open));
		/* Not verified: nothing is said of it. */
		assert_int_equal(stream_security(ends->client.stream)->peer_dns.length, 0);
		ends_close(ends);
	}
	ends_free(ends);
	client.no_verification = false;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool fits = strcmp(cases[i].shown, END_NAME) != 0 || strcmp(cases[i].asked, END_NAME) == 0;

		ends = ends_new(5 + i, &server, &client);
		ends_connect(ends, slice_of(cases[i].asked), SLICE(""));
		assert_true(ends_run_until(ends, fits ? ends_open : ends_failed));
		if (fits)
			assert_true(slice_equal(stream_security(ends->client.stream)->peer_dns, slice_of(cases[i].shown)));
		else
			assert_int_equal(ends->client.error, ERROR_DENIED);
		ends_free(ends);
	}
}

/* ---- refusals ---- */

static void servers_that_are_not_trusted(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	client.trust = &end_other_trust;
	struct ends *ends = ends_new(10, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	check_failed(ends, ERROR_DENIED, TLS_FAILURE_REFUSED, ERROR_DENIED, TLS_FAILURE_UNTRUSTED);
	ends_free(ends);
}

static void servers_of_another_name(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(11, &server, &client);
	ends_connect(ends, SLICE("elsewhere.example"), SLICE(""));
	check_failed(ends, ERROR_DENIED, TLS_FAILURE_REFUSED, ERROR_DENIED, TLS_FAILURE_UNTRUSTED);
	ends_free(ends);
}

/* The identity of a workload stands for a name. The server's handshake is done by then. */
static void servers_of_another_identity(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.certificates = &end_client_certificate; /* has a URI */
	struct ends *ends = ends_new(12, &server, &client);
	ends_connect(ends, SLICE(""), SLICE("spiffe://example/ns/a/sa/client"));
	assert_true(ends_run_until(ends, ends_open));
	ends_close(ends);
	ends_connect(ends, SLICE(""), SLICE("spiffe://example/ns/a/sa/other"));
	assert_true(ends_run_until(ends, ends_client_failed));
	assert_int_equal(ends->client.error, ERROR_DENIED);
	assert_int_equal(counter_read(&ends->client_counters.failures[TLS_FAILURE_UNTRUSTED]), 1);
	ends_free(ends);
}

static void clients_without_a_certificate(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.choices.protocols = TLS_1_2; /* or the client learns of it only after its handshake */
	server.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED;
	struct ends *ends = ends_new(13, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	check_failed(ends, ERROR_DENIED, TLS_FAILURE_UNSHOWN, ERROR_UNSUPPORTED, TLS_FAILURE_MISMATCH);
	ends_free(ends);
	server.choices.protocols = TLS_1_3;
	ends = ends_new(14, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_failed));
	assert_int_equal(ends->client.error, ERROR_DENIED);
	assert_int_equal(counter_read(&ends->client_counters.failures[TLS_FAILURE_REFUSED]), 1);
	ends_free(ends);
	server.client_certificate = TLS_CLIENT_CERTIFICATE_OPTIONAL;
	ends = ends_new(15, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	assert_int_equal(stream_security(ends->server.stream)->peer_hash.length, 0);
	ends_free(ends);
}

static void clients_that_are_not_trusted(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	for (unsigned how = TLS_CLIENT_CERTIFICATE_OPTIONAL; how <= TLS_CLIENT_CERTIFICATE_REQUIRED; how++) {
		server.client_certificate = (enum tls_client_certificate)how;
		server.trust = &end_other_trust;
		client.certificate = end_client_certificate;
		struct ends *ends = ends_new(16, &server, &client);
		ends_connect(ends, SLICE(END_NAME), SLICE(""));
		assert_true(ends_run_until(ends, ends_server_failed));
		assert_int_equal(ends->server.error, ERROR_DENIED);
		assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_UNTRUSTED]), 1);
		ends_free(ends);
	}
}

static void nothing_in_common(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.choices.protocols = TLS_1_3;
	client.choices.protocols = TLS_1_2;
	struct ends *ends = ends_new(20, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	check_failed(ends, ERROR_UNSUPPORTED, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED, TLS_FAILURE_MISMATCH);
	ends_free(ends);
	server = server_options();
	client = client_options();
	client.choices = (struct tls_choices){ .alpn = { SLICE("spdy/3") }, .alpn_count = 1 };
	ends = ends_new(21, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	check_failed(ends, ERROR_UNSUPPORTED, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED, TLS_FAILURE_MISMATCH);
	ends_free(ends);
}

static void plain_text_at_a_server_of_tls(void **state)
{
	struct tls_server_options server = server_options();

	(void)state;
	struct ends *ends = ends_new(22, &server, NULL);
	ends_connect(ends, SLICE(""), SLICE(""));
	end_send(&ends->client, "GET / HTTP/1.1\r\n\r\n");
	assert_true(ends_run_until(ends, ends_server_failed));
	assert_int_equal(ends->server.error, ERROR_SYNTAX);
	assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_PLAIN]), 1);
	ends_free(ends);
}

static void plain_text_at_a_permissive_server(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.permissive = true;
	struct ends *ends = ends_new(23, &server, NULL);
	ends_connect(ends, SLICE(""), SLICE(""));
	end_send(&ends->client, "G");
	assert_true(ends_run_until(ends, ends_server_connected));
	end_send(&ends->client, "ET");
	end_send(&ends->server, "answer");
	assert_true(ends_run_until_received(ends, &ends->server, "GET"));
	assert_true(ends_run_until_received(ends, &ends->client, "answer"));
	assert_null(stream_security(ends->server.stream));
	assert_int_equal(counter_read(&ends->server_counters.plain), 1);
	stream_finish(ends->client.stream);
	assert_true(ends_run_until(ends, ends_server_ended));
	ends_free(ends);
	ends = ends_new(24, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	assert_non_null(stream_security(ends->server.stream));
	ends_free(ends);
}

static void handshakes_have_a_time_limit(void **state)
{
	struct tls_server_options server = server_options();

	(void)state;
	for (unsigned begun = 0; begun < 2; begun++) {
		struct ends *ends = ends_new(25, &server, NULL);

		ends_connect(ends, SLICE(""), SLICE(""));
		if (begun)
			end_send_bytes(&ends->client, SLICE("\x16\x03\x01\x02\x00\x01"));
		assert_true(ends_run_until(ends, ends_server_failed));
		assert_int_equal(ends->server.error, ERROR_TIMEOUT);
		assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_TIMEOUT]), 1);
		ends_free(ends);
	}
}

static void clients_that_leave_in_the_handshake(void **state)
{
	struct tls_server_options server = server_options();

	(void)state;
	for (unsigned begun = 0; begun < 2; begun++) {
		struct ends *ends = ends_new(26, &server, NULL);

		ends_connect(ends, SLICE(""), SLICE(""));
		if (begun)
			end_send_bytes(&ends->client, SLICE("\x16\x03\x01\x02\x00\x01"));
		stream_finish(ends->client.stream);
		assert_true(ends_run_until(ends, ends_server_failed));
		assert_int_equal(ends->server.error, ERROR_RESET);
		assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_LEFT]), 1);
		ends_free(ends);
	}
}

/* ---- ends of a connection ---- */

static void each_direction_ends_alone(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(30, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	end_send(&ends->client, "request"); /* waits for the handshake */
	stream_finish(ends->client.stream);
	assert_true(ends_run_until(ends, ends_server_ended));
	assert_string_equal(ends->server.received.bytes, "request");
	end_send(&ends->server, "answer");
	assert_true(ends_run_until_received(ends, &ends->client, "answer"));
	assert_false(ends->client.ended);
	stream_finish(ends->server.stream);
	assert_true(ends_run_until(ends, ends_client_ended));
	assert_false(ends->client.failed || ends->server.failed);
	ends_free(ends);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(31, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	end_send(&ends->server, "half of an ans");
	ends_settle(ends);
	stream_finish(ends->server.below); /* behind TLS's back */
	assert_true(ends_run_until(ends, ends_client_failed));
	assert_string_equal(ends->client.received.bytes, "half of an ans");
	assert_false(ends->client.ended);
	assert_int_equal(ends->client.error, ERROR_RESET);
	assert_int_equal(counter_read(&ends->client_counters.failures[TLS_FAILURE_TRUNCATED]), 1);
	/* The other direction ends in order. */
	end_close(&ends->client);
	assert_true(ends_run_until(ends, ends_server_ended));
	stream_reset(ends->server.stream);
	ends->server.stream = NULL;
	ends_free(ends);
}

static void bytes_that_were_changed_on_the_way(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(32, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	end_send(&ends->client, "good");
	ends_settle(ends);
	struct piece forged = { NULL,
		"\x17\x03\x03\0\x18"
		"0123456789abcdef01234567",
		29 };
	(void)stream_take(ends->client.below, &forged, 1);
	assert_true(ends_run_until(ends, ends_server_failed));
	assert_string_equal(ends->server.received.bytes, "good");
	assert_int_equal(ends->server.error, ERROR_SYNTAX);
	assert_int_equal(counter_read(&ends->server_counters.failures[TLS_FAILURE_PROTOCOL]), 1);
	ends_free(ends);
}

static void what_was_taken_early_is_sent_before_lingering(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(33, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_client_shaking));
	end_send(&ends->client, "last words");
	stream_linger(ends->client.stream);
	ends->client.stream = NULL;
	assert_true(ends_run_until(ends, ends_server_ended));
	assert_string_equal(ends->server.received.bytes, "last words");
	ends_free(ends);
}

/* ---- how bytes go out ---- */

static void few_records_in_one_take(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();
	static char many[40000];
	struct piece pieces[] = { { NULL, "head", 4 }, { NULL, "", 0 }, { NULL, "body", 4 }, { NULL, many, sizeof many } };

	(void)state;
	struct ends *ends = ends_new(34, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	ends_settle(ends);
	end_count(&ends->client);
	(void)stream_take(ends->client.stream, pieces, 3);
	assert_int_equal(ends->client.takes, 1);
	assert_int_equal(ends->client.records, 1);
	(void)stream_take(ends->client.stream, pieces, 4);
	assert_int_equal(ends->client.takes, 2);
	assert_int_equal(ends->client.records, 1 + 3);
	ends_settle(ends);
	assert_int_equal(ends->server.received.length, 16 + sizeof many);
	ends_free(ends);
}

static void nothing_is_held_when_nothing_happens(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	struct ends *ends = ends_new(35, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	end_send(&ends->client, "request");
	end_send(&ends->server, "answer");
	ends_settle(ends);
	assert_int_equal(loop_buffers(ends->server.loop)->in_use, 0);
	assert_int_equal(loop_buffers(ends->client.loop)->in_use, 0);
	ends_free(ends);
}

static SSL *ssl_of(const struct end *end)
{
	return ((const struct tls_stream *)end->stream)->ssl;
}

/* Each side asks the other for new keys (RFC 8446 section 4.6.3), long after the server has given its session up. */
static void keys_change_while_it_is_open(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();

	(void)state;
	server.choices.protocols = TLS_1_3;
	struct ends *ends = ends_new(21, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	ends_settle(ends);
	for (unsigned i = 0; i < 4; i++) {
		const struct end *asks = i % 2 ? &ends->client : &ends->server;

		assert_int_equal(SSL_key_update(ssl_of(asks), SSL_KEY_UPDATE_REQUESTED), 1);
		text_clear(&ends->server.received);
		text_clear(&ends->client.received);
		end_send(&ends->client, "question");
		assert_true(ends_run_until_received(ends, &ends->server, "question"));
		end_send(&ends->server, "answer");
		assert_true(ends_run_until_received(ends, &ends->client, "answer"));
		end_send(&ends->client, "thanks");
		assert_true(ends_run_until_received(ends, &ends->server, "questionthanks"));
	}
	ends_close(ends);
	ends_free(ends);
}

static void what_is_not_read_is_not_received(void **state)
{
	struct tls_server_options server = server_options();
	struct tls_client_options client = client_options();
	static char many[300000];
	struct piece piece = { NULL, many, sizeof many };

	(void)state;
	struct ends *ends = ends_new(36, &server, &client);
	ends_connect(ends, SLICE(END_NAME), SLICE(""));
	assert_true(ends_run_until(ends, ends_open));
	stream_pause(ends->server.stream);
	assert_true(stream_take(ends->client.stream, &piece, 1) > 0);
	ends_settle(ends);
	assert_int_equal(ends->server.received.length, 0);
	assert_false(ends->client.drained);
	stream_resume(ends->server.stream);
	ends_settle(ends);
	assert_int_equal(ends->server.received.length, sizeof many);
	assert_true(ends->client.drained);
	ends_free(ends);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
	uint64_t hashes[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct tls_server_options server = server_options();
		struct tls_client_options client = client_options();
		struct ends *ends = ends_new(i == 2 ? 41 : 40, &server, &client);

		for (unsigned n = 0; n < 2; n++) {
			ends_connect(ends, SLICE(END_NAME), SLICE(""));
			assert_true(ends_run_until(ends, ends_open));
			end_send(&ends->client, "request");
			ends_settle(ends);
			ends_close(ends);
		}
		hashes[i] = sim_hash(ends->sim);
		ends_free(ends);
	}
	assert_int_equal(hashes[0], hashes[1]);
	assert_int_not_equal(hashes[0], hashes[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_know_what_was_agreed),
		cmocka_unit_test(sessions_are_resumed_while_their_keys_live),
		cmocka_unit_test(sessions_end_with_their_certificates),
		cmocka_unit_test(sessions_with_a_server_that_was_renewed),
		cmocka_unit_test(sessions_end_with_the_root_that_is_dropped),
		cmocka_unit_test(certificates_are_chosen_by_name),
		cmocka_unit_test(servers_that_are_not_trusted),
		cmocka_unit_test(servers_of_another_name),
		cmocka_unit_test(servers_of_another_identity),
		cmocka_unit_test(clients_without_a_certificate),
		cmocka_unit_test(clients_that_are_not_trusted),
		cmocka_unit_test(nothing_in_common),
		cmocka_unit_test(plain_text_at_a_server_of_tls),
		cmocka_unit_test(plain_text_at_a_permissive_server),
		cmocka_unit_test(handshakes_have_a_time_limit),
		cmocka_unit_test(clients_that_leave_in_the_handshake),
		cmocka_unit_test(each_direction_ends_alone),
		cmocka_unit_test(an_end_without_close_notify_is_a_failure),
		cmocka_unit_test(bytes_that_were_changed_on_the_way),
		cmocka_unit_test(what_was_taken_early_is_sent_before_lingering),
		cmocka_unit_test(few_records_in_one_take),
		cmocka_unit_test(nothing_is_held_when_nothing_happens),
		cmocka_unit_test(keys_change_while_it_is_open),
		cmocka_unit_test(what_is_not_read_is_not_received),
		cmocka_unit_test(the_same_seed_gives_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
