/* SPDX-License-Identifier: Apache-2.0 */
/* What tls/inspect says in words, and what it can't read. That its verdicts are OpenSSL's own is in tests/scenario/test_ca.py, which
 * makes chains with one thing wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"
#include "tls/authority.h"
#include "tls/inspect.h"
#include "tls/request.h"

#define ID "spiffe://example.org/ns/web/sa/front"
#define NOW (INT64_C(1764000000) * CLOCK_SECOND)

struct made {
	struct text key, chain, bundle;
};

/* A certificate of an authority of its own. */
static struct made make(void)
{
	char folder[] = "/tmp/weft-test-XXXXXX", command[64];
	struct made made = { 0 };
	struct text request = { 0 }, why = { 0 };
	struct slice names[] = { SLICE("front.example") };
	struct authority *authority;
	struct authority_svid svid;
	const struct authority_options options = { .trust_domain = SLICE("example.org") };
	assert_non_null(mkdtemp(folder));
	assert_int_equal(authority_create(folder, &options, NOW, &why), 0);
	assert_int_equal(authority_open(folder, &authority, &why), 0);
	assert_int_equal(request_make(SLICE(ID), &made.key, &request), 0);
	const struct authority_order order = { .request = text_slice(&request), .dns = names, .dns_count = 1 };
	assert_int_equal(authority_issue(authority, &order, NOW, &svid, &why), 0);
	text_append(&made.chain, text_slice(&svid.chain));
	text_append(&made.bundle, authority_bundle(authority));
	authority_svid_free(&svid);
	authority_free(authority);
	text_free(&request);
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	return made;
}

static void forget(struct made *made)
{
	request_wipe(&made->key);
	text_free(&made->chain);
	text_free(&made->bundle);
}

static struct inspection *look(const struct inspect_input *input)
{
	struct inspection *found;
	struct text why = { 0 };
	assert_int_equal(inspect(input, &found, &why), 0);
	assert_null(why.bytes);
	return found;
}

static void shows_what_is_in_a_chain(void **state)
{
	(void)state;
	struct made made = make();
	text_append(&made.chain, text_slice(&made.bundle));
	struct inspection *found = look(&(struct inspect_input){ .chain = text_slice(&made.chain), .wall_ns = NOW });
	assert_int_equal(found->fault_count, 0);
	assert_false(found->verified); /* nobody said whom to trust */
	assert_int_equal(found->certificate_count, 2);
	const struct inspect_certificate *leaf = &found->certificates[0], *root = &found->certificates[1];
	assert_int_equal(leaf->name_count, 2);
	assert_int_equal(leaf->names[0].kind, INSPECT_URI);
	assert_true(slice_equal(leaf->names[0].text, SLICE(ID)));
	assert_int_equal(leaf->names[1].kind, INSPECT_DNS);
	assert_true(slice_equal(leaf->names[1].text, SLICE("front.example")));
	assert_true(slice_equal(leaf->issuer, root->subject));
	assert_true(slice_equal(root->issuer, root->subject));
	assert_true(root->is_ca && root->self_signed && !leaf->is_ca && !leaf->self_signed);
	assert_true(slice_equal(leaf->signature, SLICE("ecdsa-with-SHA256")));
	assert_int_equal(found->not_after_s, leaf->not_after_s);
	inspect_free(found);
	/* Any order will do to verify, but the leaf is the first. */
	found = look(&(struct inspect_input){ .chain = text_slice(&made.chain), .bundle = text_slice(&made.bundle), .wall_ns = NOW });
	assert_true(found->verified);
	inspect_free(found);
	forget(&made);
}

/* A slice ends where its length says, not at a NUL. */
static bool mentions(struct slice text, struct slice part)
{
	return memmem(text.at, text.length, part.at, part.length) != NULL;
}

static void each_fault_is_a_sentence_with_its_certificate(void **state)
{
	(void)state;
	struct made made = make(), other = make();
	struct inspection *found = look(&(struct inspect_input){
		.chain = text_slice(&made.chain),
		.bundle = text_slice(&other.bundle),
		.key = text_slice(&other.key),
		.wall_ns = NOW + 25 * 3600 * CLOCK_SECOND,
		.id = SLICE(ID "2"),
	});
	static const enum inspect_fault_kind kinds[] = { INSPECT_EXPIRED, INSPECT_KEY_MISMATCH, INSPECT_BAD_SPIFFE_ID,
		INSPECT_MISSING_ISSUER };
	assert_int_equal(found->fault_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(found->faults[i].kind, kinds[i]);
		assert_int_equal(found->faults[i].certificate, 0);
	}
	/* It has no subject: its ID names it. */
	assert_true(slice_equal(found->faults[0].text, SLICE("certificate 1, `" ID "`, expired at 2025-11-25T16:00:00Z")));
	assert_true(slice_equal(found->faults[2].text, SLICE("certificate 1, `" ID "`, is not `" ID "2`")));
	assert_true(mentions(found->faults[3].text, SLICE("is neither in the file nor in the bundle")));
	assert_false(found->verified);
	inspect_free(found);
	forget(&made);
	forget(&other);
}

static void without_a_bundle_what_follows_must_belong_to_it(void **state)
{
	(void)state;
	struct made made = make(), other = make();
	text_append(&made.chain, text_slice(&other.bundle));
	struct inspection *found = look(&(struct inspect_input){ .chain = text_slice(&made.chain), .wall_ns = NOW });
	assert_int_equal(found->fault_count, 1);
	assert_int_equal(found->faults[0].kind, INSPECT_MISSING_ISSUER);
	assert_true(mentions(found->faults[0].text, SLICE("which is not in the file, although others follow")));
	inspect_free(found);
	/* A bundle is no chain: its certificates need not belong together. */
	text_append(&made.bundle, text_slice(&other.bundle));
	found = look(&(struct inspect_input){ .chain = text_slice(&made.bundle), .wall_ns = NOW });
	assert_int_equal(found->fault_count, 0);
	inspect_free(found);
	forget(&made);
	forget(&other);
}

static int read_only(struct slice chain, struct slice bundle, struct slice key, const char *reason)
{
	struct inspection *found;
	struct text why = { 0 };
	const struct inspect_input input = { .chain = chain, .bundle = bundle, .key = key, .wall_ns = NOW };
	int e = inspect(&input, &found, &why);
	if (!e)
		inspect_free(found);
	else if (!strstr(why.bytes, reason))
		fail_msg("`%s` is not in: %s", reason, why.bytes);
	text_free(&why);
	return e;
}

static void what_can_not_be_read_is_told(void **state)
{
	(void)state;
	struct made made = make();
	struct slice none = { 0 }, chain = text_slice(&made.chain);
	struct text many = { 0 };
	assert_int_equal(read_only(SLICE(""), none, none, "the certificate cannot be used: no certificate in it"), ERROR_NOT_FOUND);
	assert_int_equal(read_only(chain, SLICE("x"), none, "the trust bundle cannot be used: no certificate in it"), ERROR_NOT_FOUND);
	assert_int_equal(read_only(chain, none, chain, "the private key cannot be used: no private key in it"), ERROR_NOT_FOUND);
	assert_int_equal(read_only(slice_make(chain.at, chain.length - 40), none, none, "certificate 1 cannot be read"), ERROR_SYNTAX);
	assert_int_equal(read_only(text_slice(&made.key), none, none, "no certificate in it"), ERROR_NOT_FOUND);
	for (int i = 0; i < 1001; i++)
		text_append(&many, chain);
	assert_int_equal(read_only(text_slice(&many), none, none, "more than 1000 certificates"), ERROR_LIMIT);
	text_free(&many);
	forget(&made);
}

static void bytes_that_were_changed_do_no_harm(void **state)
{
	(void)state;
	struct made made = make();
	struct slice none = { 0 };
	srand(7);
	for (int i = 0; i < 3000; i++) {
		struct text changed = { 0 };
		text_append(&changed, text_slice(&made.chain));
		size_t at = 28 + (size_t)rand() % (changed.length - 60);
		changed.bytes[at] = "ABCDEFGHabcdefgh0123/+=\n"[rand() % 24];
		int e = read_only(text_slice(&changed), text_slice(&made.bundle), none, "");
		assert_true(e == 0 || e == ERROR_SYNTAX || e == ERROR_NOT_FOUND);
		text_free(&changed);
	}
	forget(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_is_in_a_chain),
		cmocka_unit_test(each_fault_is_a_sentence_with_its_certificate),
		cmocka_unit_test(without_a_bundle_what_follows_must_belong_to_it),
		cmocka_unit_test(what_can_not_be_read_is_told),
		cmocka_unit_test(bytes_that_were_changed_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
