/* SPDX-License-Identifier: Apache-2.0 */
/* What people get wrong with files and names, and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/sim/sim.h"
#include "support/pki.h"
#include "tls/client.h"
#include "tls/server.h"

enum { NOW = 1767225600 /* 2026-01-01 */, DAY = 86400 };

#define SETTING(path, at_line) \
	{ \
		.text = { path, sizeof(path) - 1 }, .file = { "weft.yaml", 9 }, .line = (at_line), .column = 5 \
	}

struct world {
	struct sim *sim;
	struct network *host;
	struct pki root, middle, web, other;
};

static void put(struct world *world, const char *path, const char *text)
{
	sim_file_put(world->host, path, slice_of(text));
}

static int set_up(void **state)
{
	static struct world world;

	world = (struct world){ .sim = sim_new(1, NULL) };
	world.host = sim_host_new(world.sim, "10.0.0.1");
	pki_issue(&world.root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
	pki_issue(&world.middle, &world.root, &(struct pki_options){ .name = "Middle", .authority = true });
	pki_issue(&world.web, &world.middle, &(struct pki_options){ .name = "web", .san = "DNS:web.example" });
	pki_issue(&world.other, &world.root, &(struct pki_options){ .name = "other" });
	put(&world, "root.pem", world.root.certificate);
	put(&world, "middle.pem", world.middle.certificate);
	put(&world, "web.pem", world.web.certificate);
	put(&world, "web.key", world.web.key);
	put(&world, "other.pem", world.other.certificate);
	put(&world, "other.key", world.other.key);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	pki_free(&world->root);
	pki_free(&world->middle);
	pki_free(&world->web);
	pki_free(&world->other);
	sim_free(world->sim);
	return 0;
}

static struct tls_certificate usual(void)
{
	return (struct tls_certificate){
		.chain = SETTING("web.pem", 3), .key = SETTING("web.key", 4), .intermediates = SETTING("middle.pem", 5)
	};
}

/* Loads a server, and compares what is wrong; NULL: nothing. */
static void check_server(const struct tls_server_options *options, const char *expected)
{
	struct tls_server *server = NULL;
	struct problems problems;
	struct text text = { 0 };

	problem_init(&problems);
	int e = tls_server_new(options, NOW * CLOCK_SECOND, &problems, &server);
	problem_print(&problems, &text);
	assert_string_equal(text.bytes ? text.bytes : "", expected ? expected : "");
	assert_int_equal(e, expected ? ERROR_INVALID : 0);
	tls_server_unref(server);
	text_free(&text);
	problem_fini(&problems);
}

static void check_certificate(struct tls_certificate certificate, const char *expected)
{
	check_server(&(struct tls_server_options){ .certificates = &certificate, .certificate_count = 1 }, expected);
}

static void a_chain_and_its_key(void **state)
{
	(void)state;
	check_certificate(usual(), NULL);
}

static void keys_of_another_pair(void **state)
{
	struct tls_certificate certificate = usual();

	(void)state;
	certificate.key = (struct tls_setting)SETTING("other.key", 4);
	check_certificate(certificate,
		"weft.yaml:4:5: the key other.key does not belong to the certificate web.pem: one of the two files is "
		"of "
		"another pair\n");
}

static void files_that_are_not_there(void **state)
{
	struct tls_certificate certificate = usual();

	(void)state;
	certificate.chain = (struct tls_setting)SETTING("none.pem", 3);
	certificate.key = (struct tls_setting)SETTING("none.key", 4);
	check_certificate(certificate, "weft.yaml:3:5: there is no file none.pem\nweft.yaml:4:5: there is no file none.key\n");
}

static void files_with_something_else_in_them(void **state)
{
	struct tls_certificate certificate = usual();

	(void)state;
	certificate.chain = (struct tls_setting)SETTING("web.key", 3);
	certificate.key = (struct tls_setting)SETTING("web.pem", 4);
	check_certificate(certificate,
		"weft.yaml:3:5: web.key has no certificate in it: PEM is expected (-----BEGIN CERTIFICATE-----)\n"
		"weft.yaml:4:5: web.pem has no private key in it: PEM is expected (-----BEGIN PRIVATE KEY-----)\n");
}

static void keys_with_a_password(void **state)
{
	struct tls_certificate certificate = usual();
	struct world *world = *state;
	char *locked = pki_locked_key(&world->web);

	put(world, "locked.key", locked);
	memory_free(locked);
	certificate.key = (struct tls_setting)SETTING("locked.key", 4);
	check_certificate(certificate,
		"weft.yaml:4:5: locked.key is encrypted: weft asks nobody for passwords; `openssl pkey -in FILE -out "
		"NEW` "
		"takes the password off\n");
}

static void dates_that_do_not_fit(void **state)
{
	struct world *world = *state;
	struct tls_certificate certificate = { .chain = SETTING("old.pem", 3), .key = SETTING("old.key", 4) };
	struct pki pki;

	pki_issue(&pki, &world->root, &(struct pki_options){ .name = "old", .ends = NOW - DAY });
	put(world, "old.pem", pki.certificate);
	put(world, "old.key", pki.key);
	pki_free(&pki);
	check_certificate(certificate,
		"weft.yaml:3:5: old.pem: the certificate of CN=old,O=weft has expired at 2025-12-31T00:00:00Z: a "
		"renewed "
		"one is needed\n");
	pki_issue(&pki, &world->root, &(struct pki_options){ .name = "new", .begins = NOW + DAY });
	put(world, "old.pem", pki.certificate);
	put(world, "old.key", pki.key);
	pki_free(&pki);
	check_certificate(certificate,
		"weft.yaml:3:5: old.pem: the certificate of CN=new,O=weft is not valid before 2026-01-02T00:00:00Z: is "
		"this machine's clock right?\n");
}

static void authorities_of_the_chain_that_have_expired(void **state)
{
	struct world *world = *state;
	struct tls_certificate certificate = usual();
	struct pki pki;

	pki_issue(&pki, &world->root, &(struct pki_options){ .name = "Middle", .authority = true, .ends = NOW - DAY });
	put(world, "over.pem", pki.certificate);
	pki_free(&pki);
	certificate.intermediates = (struct tls_setting)SETTING("over.pem", 5);
	check_certificate(certificate,
		"weft.yaml:5:5: over.pem: the certificate of CN=Middle,O=weft has expired at 2025-12-31T00:00:00Z: a "
		"renewed one is needed\n");
}

static void chains_in_disorder(void **state)
{
	struct tls_certificate certificate = usual();

	(void)state;
	certificate.intermediates = (struct tls_setting)SETTING("root.pem", 5);
	check_certificate(certificate,
		"weft.yaml:5:5: root.pem: the certificate of CN=Root,O=weft did not issue the one before it in the "
		"chain\n");
}

static void ocsp_responses_that_are_none(void **state)
{
	struct tls_certificate certificate = usual();

	(void)state;
	certificate.ocsp = (struct tls_setting)SETTING("root.pem", 6);
	check_certificate(certificate, "weft.yaml:6:5: root.pem is not an OCSP response in DER\n");
}

static void check_ciphers(unsigned protocols, const struct tls_setting *ciphers, unsigned count, const char *expected)
{
	struct tls_certificate certificate = usual();
	struct tls_server_options options = {
		.certificates = &certificate,
		.certificate_count = 1,
		.choices = { .protocols = protocols, .ciphers = ciphers, .cipher_count = count },
	};

	check_server(&options, expected);
}

static void ciphers_by_both_names(void **state)
{
	static const struct tls_setting good[] = {
		SETTING("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 7),
		SETTING("ECDHE-RSA-AES256-GCM-SHA384", 8),
		SETTING("TLS_AES_128_GCM_SHA256", 9),
	};
	static const struct tls_setting mistyped = SETTING("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA265", 7), unknown = SETTING("ROT13", 7);

	(void)state;
	check_ciphers(0, good, 3, NULL);
	check_ciphers(TLS_1_2, good, 1, NULL);
	check_ciphers(TLS_1_3, good, 1,
		"weft.yaml:7:5: none of these ciphers is for the protocol that is chosen: the names of TLS 1.3's begin "
		"with "
		"TLS_AES or TLS_CHACHA20\n");
	check_ciphers(0, &mistyped, 1,
		"weft.yaml:7:5: unknown cipher `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA265`; did you mean "
		"`TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`?\n");
	check_ciphers(0, &unknown, 1, "weft.yaml:7:5: unknown cipher `ROT13`: `openssl ciphers -stdname` lists them\n");
}

static void roots_that_are_not_there(void **state)
{
	static const struct tls_setting none = SETTING("none.pem", 2);
	struct tls_client_options options = { .trust = &none, .trust_count = 1 };
	struct tls_client *client;
	struct problems problems;

	(void)state;
	problem_init(&problems);
	assert_int_equal(tls_client_new(&options, NOW * CLOCK_SECOND, &problems, &client), ERROR_INVALID);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.items[0].text.at, "there is no file none.pem");
	problem_fini(&problems);
}

/* A bad new file changes nothing, and is no reason to stop. */
static void reloads(void **state)
{
	struct world *world = *state;
	struct tls_certificate certificate = usual();
	struct tls_server_options options = { .certificates = &certificate, .certificate_count = 1 };
	struct tls_server *server;
	struct problems problems;
	struct pki renewed;
	bool changed;

	problem_init(&problems);
	assert_int_equal(tls_server_new(&options, NOW * CLOCK_SECOND, &problems, &server), 0);
	int64_t expires = tls_server_expires(server);
	assert_int_equal(tls_server_reload(server, NOW * CLOCK_SECOND, &problems, &changed), 0);
	assert_false(changed);
	put(world, "web.pem", "-----BEGIN CERTIFICATE-----\nrubbish\n");
	assert_int_equal(tls_server_reload(server, NOW * CLOCK_SECOND, &problems, &changed), ERROR_INVALID);
	assert_false(changed);
	assert_true(problems.count > 0);
	assert_int_equal(tls_server_expires(server), expires);
	pki_issue(&renewed, &world->middle, &(struct pki_options){ .name = "web", .ends = NOW + DAY });
	put(world, "web.pem", renewed.certificate);
	put(world, "web.key", renewed.key);
	pki_free(&renewed);
	assert_int_equal(tls_server_reload(server, NOW * CLOCK_SECOND, &problems, &changed), 0);
	assert_true(changed);
	assert_int_equal(tls_server_expires(server), NOW + DAY);
	tls_server_unref(server);
	problem_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chain_and_its_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_of_another_pair, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_that_are_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_with_something_else_in_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_with_a_password, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dates_that_do_not_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(authorities_of_the_chain_that_have_expired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chains_in_disorder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ocsp_responses_that_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ciphers_by_both_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(roots_that_are_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reloads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
