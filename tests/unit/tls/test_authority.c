/* SPDX-License-Identifier: Apache-2.0 */
/* The authority: what it issues (judged by tls/inspect, which scenario tests compare with OpenSSL), what it refuses, how its roots
 * are replaced, and that it survives being killed at any instant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"
#include "tls/authority.h"
#include "tls/inspect.h"
#include "tls/request.h"

#define ID "spiffe://example.org/ns/web/sa/front"
#define NOW (INT64_C(1764000000) * CLOCK_SECOND)
#define HOUR (3600 * CLOCK_SECOND)

static char folder[64], directory[80];

static void remove_all(void)
{
	char path[128];
	snprintf(path, sizeof path, "rm -rf %s", folder);
	assert_int_equal(system(path), 0);
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/weft-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(directory, sizeof directory, "%s/ca", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	remove_all();
	return 0;
}

static struct authority *make(const char *domain)
{
	struct authority *authority;
	struct text why = { 0 };
	const struct authority_options options = { .trust_domain = slice_of(domain) };
	assert_int_equal(authority_create(directory, &options, NOW, &why), 0);
	assert_int_equal(authority_open(directory, &authority, &why), 0);
	assert_null(why.bytes);
	return authority;
}

struct issued {
	struct text key, request, bundle;
	struct authority_svid svid;
};

static int ask(struct authority *authority, struct issued *issued, const char *requested, const char *id, int64_t ttl_s, int64_t wall)
{
	struct text why = { 0 };
	*issued = (struct issued){ 0 };
	assert_int_equal(request_make(slice_of(requested), &issued->key, &issued->request), 0);
	const struct authority_order order = { .request = text_slice(&issued->request), .id = slice_of(id), .ttl_s = ttl_s };
	int e = authority_issue(authority, &order, wall, &issued->svid, &why);
	assert_true((e != 0) == (why.length > 0));
	text_append(&issued->bundle, authority_bundle(authority));
	text_free(&why);
	return e;
}

static void forget(struct issued *issued)
{
	request_wipe(&issued->key);
	text_free(&issued->request);
	text_free(&issued->bundle);
	authority_svid_free(&issued->svid);
}

/* The kinds of the faults, in a text. */
static const char *faults(const struct issued *issued, struct slice bundle, struct slice key, int64_t wall)
{
	static char all[512];
	struct inspection *found;
	struct text why = { 0 };
	const struct inspect_input input = {
		.chain = text_slice(&issued->svid.chain), .bundle = bundle, .key = key, .wall_ns = wall, .svid = true
	};
	assert_int_equal(inspect(&input, &found, &why), 0);
	all[0] = '\0';
	for (unsigned i = 0; i < found->fault_count; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", inspect_fault_name(found->faults[i].kind));
	assert_int_equal(found->verified, bundle.at && found->fault_count == 0);
	inspect_free(found);
	return all;
}

static void issues_what_the_standard_asks(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct issued issued, other;
	struct inspection *found;
	struct text why = { 0 };
	assert_int_equal(ask(authority, &issued, ID, ID, 3600, NOW), 0);
	assert_string_equal(faults(&issued, text_slice(&issued.bundle), text_slice(&issued.key), NOW), "");
	const struct inspect_input input = { .chain = text_slice(&issued.svid.chain), .wall_ns = NOW };
	assert_int_equal(inspect(&input, &found, &why), 0);
	const struct inspect_certificate *leaf = &found->certificates[0];
	assert_int_equal(found->certificate_count, 1);
	assert_true(slice_equal(found->id, SLICE(ID)));
	assert_true(slice_equal(leaf->subject, SLICE("(empty)")));
	assert_true(slice_equal(leaf->key, SLICE("EC P-256")));
	assert_int_equal(leaf->name_count, 1);
	assert_int_equal(leaf->not_before_s, NOW / CLOCK_SECOND - AUTHORITY_BACKDATE_S);
	assert_int_equal(leaf->not_after_s, NOW / CLOCK_SECOND + 3600);
	assert_int_equal(leaf->serial.length, 3 * 16 - 1 + (leaf->serial.length > 47 ? 3 : 0));
	assert_false(leaf->is_ca);
	inspect_free(found);
	assert_int_equal(ask(authority, &other, ID, "", 0, NOW), 0);
	assert_int_equal(other.svid.not_after_s, NOW / CLOCK_SECOND + AUTHORITY_TTL_S);
	assert_string_not_equal(other.svid.serial.bytes, issued.svid.serial.bytes);
	forget(&issued);
	forget(&other);
	authority_free(authority);
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct issued issued, other;
	assert_int_equal(ask(authority, &issued, ID, ID, 0, NOW), 0);
	assert_int_equal(ask(authority, &other, ID, ID, 0, NOW), 0);
	struct slice bundle = text_slice(&issued.bundle);
	assert_string_equal(faults(&issued, bundle, text_slice(&other.key), NOW), "key-mismatch ");
	assert_string_equal(faults(&issued, bundle, text_slice(&issued.key), NOW + 25 * HOUR), "expired ");
	assert_string_equal(faults(&issued, bundle, text_slice(&issued.key), NOW - HOUR), "not-yet-valid not-yet-valid ");
	remove_all();
	assert_int_equal(mkdir(folder, 0700), 0);
	struct authority *stranger = make("example.org");
	assert_string_equal(faults(&issued, authority_bundle(stranger), text_slice(&issued.key), NOW), "missing-issuer ");
	authority_free(stranger);
	forget(&issued);
	forget(&other);
	authority_free(authority);
}

static void refuses_what_it_should_not_sign(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct issued issued;
	struct text why = { 0 };
	struct authority_svid svid;
	static const struct {
		const char *requested, *id;
		int64_t ttl_s;
		int error;
	} cases[] = {
		{ "spiffe://example.com/ns/web/sa/front", "", 0, ERROR_DENIED },
		{ "spiffe://example.org", "", 0, ERROR_DENIED },
		{ ID, ID "2", 0, ERROR_DENIED },
		{ ID, ID, AUTHORITY_TTL_S + 1, ERROR_LIMIT },
		{ ID, ID, -1, ERROR_LIMIT },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(ask(authority, &issued, cases[i].requested, cases[i].id, cases[i].ttl_s, NOW), cases[i].error);
		forget(&issued);
	}
	const struct authority_order garbage = { .request = SLICE("-----BEGIN CERTIFICATE REQUEST-----\nMII\n") };
	assert_int_equal(authority_issue(authority, &garbage, NOW, &svid, &why), ERROR_SYNTAX);
	text_clear(&why);
	assert_int_equal(ask(authority, &issued, ID, ID, 0, NOW + INT64_C(366) * 24 * HOUR), ERROR_TIMEOUT);
	/* One changed byte of the request's signature. */
	char *at = strstr(issued.request.bytes, "-----END") - 6;
	*at = *at == 'A' ? 'B' : 'A';
	const struct authority_order forged = { .request = text_slice(&issued.request) };
	assert_int_equal(authority_issue(authority, &forged, NOW, &svid, &why), ERROR_SYNTAX);
	forget(&issued);
	text_free(&why);
	authority_free(authority);
}

static void host_names_can_be_added(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct text key = { 0 }, request = { 0 }, why = { 0 };
	struct authority_svid svid;
	struct slice good[] = { SLICE("front.web.example"), SLICE("*.web.example") };
	struct slice wrong[] = { SLICE("a,URI:spiffe://example.org/x") };
	assert_int_equal(request_make(SLICE(ID), &key, &request), 0);
	struct authority_order order = { .request = text_slice(&request), .dns = good, .dns_count = 2 };
	assert_int_equal(authority_issue(authority, &order, NOW, &svid, &why), 0);
	struct issued issued = { .svid = svid };
	assert_string_equal(faults(&issued, authority_bundle(authority), text_slice(&key), NOW), "");
	authority_svid_free(&svid);
	order.dns = wrong;
	order.dns_count = 1;
	assert_int_equal(authority_issue(authority, &order, NOW, &svid, &why), ERROR_SYNTAX);
	request_wipe(&key);
	text_free(&request);
	text_free(&why);
	authority_free(authority);
}

static void an_authority_is_made_once(void **state)
{
	(void)state;
	struct text why = { 0 };
	struct stat about;
	char path[128];
	struct authority *authority;
	assert_int_equal(authority_open(directory, &authority, &why), ERROR_NOT_FOUND);
	authority_free(make("example.org"));
	const struct authority_options again = { .trust_domain = SLICE("example.org") };
	assert_int_equal(authority_create(directory, &again, NOW, &why), ERROR_EXISTS);
	assert_int_equal(stat(directory, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700);
	snprintf(path, sizeof path, "%s/" AUTHORITY_FILE, directory);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	assert_int_equal(file_write(path, SLICE("{\"version\": 1}"), 0600), 0);
	text_clear(&why);
	assert_int_equal(authority_open(directory, &authority, &why), ERROR_SYNTAX);
	assert_non_null(strstr(why.bytes, "trust_domain"));
	const struct authority_options bad = { .trust_domain = SLICE("Example.org") };
	assert_int_equal(authority_create(directory, &bad, NOW, &why), ERROR_SYNTAX);
	const struct authority_options short_lived = { .trust_domain = SLICE("example.org"), .max_ttl_s = 3600, .root_life_s = 7200 };
	assert_int_equal(authority_create(directory, &short_lived, NOW, &why), ERROR_INVALID);
	text_free(&why);
}

/* At each step, what was issued by either root verifies with the bundle of before and of behind. */
static void a_new_root_takes_over_without_a_gap(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct text why = { 0 };
	struct issued old, during, behind;
	int64_t due_s, added_s;
	assert_int_equal(authority_next(authority, &due_s), AUTHORITY_ADD);
	assert_int_equal(due_s, NOW / CLOCK_SECOND + AUTHORITY_ROOT_LIFE_S - AUTHORITY_ROOT_LIFE_S / 3);
	assert_int_equal(ask(authority, &old, ID, ID, 0, NOW), 0);

	assert_int_equal(authority_rotate(authority, AUTHORITY_ADD, NOW + HOUR, &why), 0);
	assert_int_equal(authority_generation(authority), 2);
	added_s = (NOW + HOUR) / CLOCK_SECOND;
	assert_int_equal(authority_next(authority, &due_s), AUTHORITY_SWITCH);
	assert_int_equal(due_s, added_s + AUTHORITY_TTL_S);
	assert_int_equal(ask(authority, &during, ID, ID, 0, NOW + HOUR), 0);
	assert_string_equal(faults(&during, text_slice(&old.bundle), text_slice(&during.key), NOW + HOUR), "");

	assert_int_equal(authority_rotate(authority, AUTHORITY_SWITCH, due_s * CLOCK_SECOND, &why), 0);
	assert_int_equal(ask(authority, &behind, ID, ID, 0, due_s * CLOCK_SECOND), 0);
	assert_string_equal(faults(&behind, text_slice(&during.bundle), text_slice(&behind.key), due_s * CLOCK_SECOND), "");
	assert_string_equal(faults(&during, text_slice(&behind.bundle), text_slice(&during.key), NOW + 2 * HOUR), "");
	assert_string_equal(faults(&behind, text_slice(&old.bundle), text_slice(&behind.key), due_s * CLOCK_SECOND), "missing-issuer ");

	assert_int_equal(authority_next(authority, &due_s), AUTHORITY_DROP);
	assert_int_equal(due_s, added_s + 2 * AUTHORITY_TTL_S + AUTHORITY_BACKDATE_S);
	assert_int_equal(authority_rotate(authority, AUTHORITY_DROP, due_s * CLOCK_SECOND, &why), 0);
	assert_int_equal(authority_generation(authority), 4);
	assert_string_equal(faults(&behind, authority_bundle(authority), text_slice(&behind.key), NOW + 26 * HOUR), "");
	struct authority_root roots[AUTHORITY_MOST_ROOTS];
	assert_int_equal(authority_roots(authority, roots), 1);
	assert_int_equal(roots[0].role, AUTHORITY_SIGNING);
	forget(&old);
	forget(&during);
	forget(&behind);
	authority_free(authority);
}

static void the_old_key_is_gone_from_the_disk(void **state)
{
	(void)state;
	struct authority *authority = make("example.org");
	struct text why = { 0 };
	struct slice before, after;
	char path[128];
	snprintf(path, sizeof path, "%s/" AUTHORITY_FILE, directory);
	assert_int_equal(file_read(path, 1 << 20, &before), 0);
	char *key = strstr((char *)(uintptr_t)before.at, "BEGIN PRIVATE KEY") + 50;
	key[80] = '\0';
	assert_int_equal(authority_rotate(authority, AUTHORITY_ADD, NOW, &why), 0);
	assert_int_equal(authority_rotate(authority, AUTHORITY_SWITCH, NOW, &why), 0);
	assert_int_equal(file_read(path, 1 << 20, &after), 0);
	assert_null(strstr(after.at, key));
	memory_free(before.at);
	memory_free(after.at);
	authority_free(authority);
}

static void two_writers_do_not_meet(void **state)
{
	(void)state;
	struct authority *authority = make("example.org"), *second;
	struct text why = { 0 };
	struct file_lock *lock;
	char path[128];
	assert_int_equal(authority_open(directory, &second, &why), 0);
	snprintf(path, sizeof path, "%s/lock", directory);
	assert_int_equal(file_lock_take(path, &lock), 0);
	assert_int_equal(authority_rotate(authority, AUTHORITY_ADD, NOW, &why), ERROR_BUSY);
	file_lock_release(lock);
	assert_int_equal(authority_rotate(authority, AUTHORITY_ADD, NOW, &why), 0);
	/* The other doesn't know that it was added: it must not add a third. */
	assert_int_equal(authority_rotate(second, AUTHORITY_ADD, NOW, &why), ERROR_BUSY);
	assert_int_equal(authority_reload(second, &why), 0);
	assert_int_equal(authority_generation(second), 2);
	assert_int_equal(authority_rotate(second, AUTHORITY_SWITCH, NOW, &why), 0);
	text_free(&why);
	authority_free(authority);
	authority_free(second);
}

_Noreturn static void rotate_for_ever(void)
{
	struct text why = { 0 };
	struct authority *authority;
	int64_t due_s;
	if (authority_open(directory, &authority, &why))
		_exit(1);
	for (;;) {
		if (authority_rotate(authority, authority_next(authority, &due_s), NOW, &why))
			_exit(1);
	}
}

/* Somebody who holds the state of before can go on with what is found after: it opens, signs, and can be rotated. */
static void being_killed_at_any_instant_leaves_it_usable(void **state)
{
	(void)state;
	struct text why = { 0 };
	authority_free(make("example.org"));
	for (int i = 0; i < 60; i++) {
		struct authority *authority;
		struct issued issued;
		int64_t due_s;
		int status;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			rotate_for_ever();
		usleep((useconds_t)(i * 317 % 9000));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status)); /* it never met a state that it could not go on with */
		assert_int_equal(authority_open(directory, &authority, &why), 0);
		assert_int_equal(ask(authority, &issued, ID, ID, 0, NOW), 0);
		assert_string_equal(faults(&issued, text_slice(&issued.bundle), text_slice(&issued.key), NOW), "");
		assert_int_equal(authority_rotate(authority, authority_next(authority, &due_s), NOW, &why), 0);
		forget(&issued);
		authority_free(authority);
	}
	/* Copies of keys are not strewn about: the state and the lock, and no temporary file behind a step that ended. */
	DIR *entries = opendir(directory);
	unsigned count = 0;
	assert_non_null(entries);
	for (const struct dirent *entry; (entry = readdir(entries));)
		count += entry->d_name[0] != '.';
	closedir(entries);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(issues_what_the_standard_asks, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(refuses_what_it_should_not_sign, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(host_names_can_be_added, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(an_authority_is_made_once, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_new_root_takes_over_without_a_gap, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(the_old_key_is_gone_from_the_disk, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(two_writers_do_not_meet, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(being_killed_at_any_instant_leaves_it_usable, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
