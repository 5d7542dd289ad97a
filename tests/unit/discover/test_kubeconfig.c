/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "discover/kubeconfig.h"

static char folder[] = "/tmp/kubeconfig-XXXXXX", file[64];

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/config", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static int read_text(const char *text, struct kubeconfig *config, struct text *why)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	return kubeconfig_read(file, config, why);
}

#define CLUSTERS(more) "clusters:\n- name: other\n  cluster: {server: 'http://other'}\n- name: c\n  cluster:\n" more
#define USERS(more) "users:\n- name: u\n  user:\n" more
#define CONTEXT "current-context: now\ncontexts:\n- name: now\n  context: {cluster: c, user: u, namespace: web}\n"

static void expect(const struct text *text, const char *expected)
{
	assert_string_equal(text->bytes ? text->bytes : "", expected);
}

static void bytes_and_a_token(void **state)
{
	struct kubeconfig config;
	struct text why = { 0 };

	(void)state;
	assert_int_equal(read_text("apiVersion: v1\nkind: Config\n" CONTEXT CLUSTERS("    server: https://192.0.2.7:6443\n"
										     "    certificate-authority-data: aGVs\n"
										     "    tls-server-name: api.internal\n")
					   USERS("    client-certificate-data: |\n      d29y\n      bGQ=\n    client-key-data: a2V5\n    "
						 "token: secret\n"),
				 &config, &why),
		0);
	expect(&config.host, "192.0.2.7");
	assert_int_equal(config.port, 6443);
	expect(&config.prefix, "");
	assert_true(config.secure);
	assert_false(config.no_verification);
	expect(&config.server_name, "api.internal");
	expect(&config.authority.bytes, "hel");
	expect(&config.certificate.bytes, "world");
	expect(&config.key.bytes, "key");
	expect(&config.token, "secret");
	kubeconfig_fini(&config);
}

static void files_lie_beside_it(void **state)
{
	struct kubeconfig config;
	struct text why = { 0 }, expected = { 0 };

	(void)state;
	assert_int_equal(
		read_text(
			"{\"current-context\":\"now\",\"contexts\":[{\"name\":\"now\",\"context\":{\"cluster\":\"c\",\"user\":\"u\"}}],"
			"\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://[2001:db8::1]/k8s/a/\",\"certificate-authority\":"
			"\"ca.crt\",\"insecure-skip-tls-verify\":true}}],\"users\":[{\"name\":\"u\",\"user\":{\"client-certificate\":\"/"
			"c\","
			"\"client-key\":\"k\",\"token\":\"not this\",\"tokenFile\":\"t\"}}]}",
			&config, &why),
		0);
	expect(&config.host, "2001:db8::1");
	assert_int_equal(config.port, 443);
	expect(&config.prefix, "/k8s/a");
	assert_true(config.no_verification);
	text_format(&expected, "%s/ca.crt", folder);
	expect(&config.authority.path, expected.bytes);
	expect(&config.certificate.path, "/c");
	text_clear(&expected);
	text_format(&expected, "%s/t", folder);
	expect(&config.token_file, expected.bytes);
	expect(&config.token, "");
	text_free(&expected);
	kubeconfig_fini(&config);
}

static void plain_text_for_nobody(void **state)
{
	struct kubeconfig config;
	struct text why = { 0 };

	(void)state;
	assert_int_equal(
		read_text("current-context: now\ncontexts: [{name: now, context: {cluster: other}}]\n" CLUSTERS("    {}\n"), &config, &why),
		0);
	expect(&config.host, "other");
	assert_int_equal(config.port, 80);
	assert_false(config.secure);
	kubeconfig_fini(&config);
}

static void what_cannot_be_used_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
		int error;
	} all[] = {
		{ "a: [", "", ERROR_SYNTAX },
		{ "a: b", "it has no current-context", ERROR_INVALID },
		{ "current-context: x\ncontexts: [{name: y, context: {}}]", "its current-context is none of its contexts: `x`",
			ERROR_INVALID },
		{ CONTEXT "clusters: []", "the context's cluster is none of its clusters: `c`", ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: https://a\n"), "the context's user is none of its users: `u`", ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: a:6443\n") USERS("    token: t\n"),
			"`server` must begin with https:// or http://: `a:6443`", ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: https://a:x\n") USERS("    token: t\n"), "`server` is no URL: `https://a:x`",
			ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: 'https://[::1'\n") USERS("    token: t\n"), "`server` is no URL: `https://[::1`",
			ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: https://a\n    proxy-url: http://b\n") USERS("    token: t\n"),
			"its cluster is reached through a proxy (proxy-url), which weft doesn't do", ERROR_UNSUPPORTED },
		{ CONTEXT CLUSTERS("    server: https://a\n    certificate-authority-data: '%'\n") USERS("    token: t\n"),
			"what should be base64 isn't: `certificate-authority-data`", ERROR_INVALID },
		{ CONTEXT CLUSTERS("    server: https://a\n") USERS("    exec: {command: x}\n"),
			"its user is told by a way that weft doesn't know; it knows certificates and tokens: `exec`", ERROR_UNSUPPORTED },
		{ CONTEXT CLUSTERS("    server: https://a\n") USERS("    client-key: x\n"),
			"its user has a certificate without a key, or a key without a certificate", ERROR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct kubeconfig config;
		struct text why = { 0 }, expected = { 0 };

		assert_int_equal(read_text(all[i].text, &config, &why), all[i].error);
		text_format(&expected, "%s: %s", file, all[i].why);
		assert_true(slice_starts(text_slice(&why), text_slice(&expected)));
		if (all[i].why[0])
			assert_string_equal(why.bytes, expected.bytes);
		assert_null(config.host.bytes);
		text_free(&why);
		text_free(&expected);
	}
	unlink(file);
	{
		struct kubeconfig config;
		struct text why = { 0 };

		assert_int_equal(kubeconfig_read(file, &config, &why), ERROR_NOT_FOUND);
		text_free(&why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_a_token),
		cmocka_unit_test(files_lie_beside_it),
		cmocka_unit_test(plain_text_for_nobody),
		cmocka_unit_test(what_cannot_be_used_is_refused),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
