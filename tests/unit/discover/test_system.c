/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/text.h"
#include "discover/system.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void unexpected(void *owner)
{
	(void)owner;
	fail_msg("no answer here changes");
}

/* "tree", "leaf ID [RESIDUAL] ENDPOINTS", "status CODE ID", "neg", "failed: MESSAGE". */
static void show_answer(struct text *out, const struct namer_answer *answer)
{
	switch (answer->state) {
	case NAMER_PENDING:
		text_format(out, "pending");
		return;
	case NAMER_NEG:
		text_format(out, "neg");
		return;
	case NAMER_TREE:
		name_tree_show_text(out, answer->tree);
		return;
	case NAMER_FAILED:
		text_format(out, "failed: %.*s", SLICE_ARGS(answer->message));
		return;
	case NAMER_LEAF:
		break;
	}
	if (answer->status)
		text_format(out, "status %u ", answer->status);
	path_show_text(out, answer->id);
	if (answer->residual.count) {
		text_format(out, " [");
		path_show_text(out, answer->residual);
		text_format(out, "]");
	}
	if (answer->endpoints->state != ENDPOINTS_BOUND)
		text_format(out, " %s", endpoints_state_text(answer->endpoints->state));
	if (answer->endpoints->message.length)
		text_format(out, ": %.*s", SLICE_ARGS(answer->endpoints->message));
	for (uint32_t i = 0; i < answer->endpoints->count; i++)
		text_format(out, " %.*s", SLICE_ARGS(answer->endpoints->list[i].id));
}

static const struct {
	const char *name, *answer; /* answer NULL: the name doesn't parse */
} cases[] = {
	{ "/$", "neg" },
	/* inet */
	{ "/$/inet/127.0.1.1/80", "/$/inet/127.0.1.1/80 127.0.1.1:80" },
	{ "/$/inet/127.0.1.1/80/a/b", "/$/inet/127.0.1.1/80 [/a/b] 127.0.1.1:80" },
	{ "/$/inet/::1/80", "/$/inet/::1/80 [::1]:80" },
	{ "/$/inet/8080", "/$/inet/8080 127.0.0.1:8080" },
	{ "/$/inet/8080/rest", "/$/inet/8080 [/rest] 127.0.0.1:8080" },
	{ "/$/inet/127.0.1.1/0", "/$/inet/127.0.1.1/0 failed: not a port from 1 to 65535: '0'" },
	{ "/$/inet/127.0.1.1/65536", "/$/inet/127.0.1.1/65536 failed: not a port from 1 to 65535: '65536'" },
	{ "/$/inet/a\\x20b/80", "/$/inet/a\\x20b/80 failed: neither an IP address nor a name of a host: 'a b'" },
	{ "/$/inet", "failed: expected /$/inet/HOST/PORT or /$/inet/PORT: /$/inet" },
	{ "/$/inet/host/http", "failed: expected /$/inet/HOST/PORT or /$/inet/PORT: /$/inet/host/http" },
	/* rinet */
	{ "/$/io.buoyant.rinet/80/127.0.1.1", "/$/io.buoyant.rinet/80/127.0.1.1 127.0.1.1:80" },
	{ "/$/io.buoyant.rinet/80/127.0.1.1/a", "/$/io.buoyant.rinet/80/127.0.1.1 [/a] 127.0.1.1:80" },
	{ "/$/io.buoyant.rinet/80", "neg" },
	{ "/$/io.buoyant.rinet/http/127.0.1.1", "/$/io.buoyant.rinet/http/127.0.1.1 failed: not a port from 1 to 65535: 'http'" },
	/* nil and fail */
	{ "/$/nil", "$" },
	{ "/$/nil/whatever", "$" },
	{ "/$/fail", "!" },
	{ "/$/fail/whatever", "!" },
	/* status */
	{ "/$/io.buoyant.http.status/404", "status 404 /$/io.buoyant.http.status/404" },
	{ "/$/io.buoyant.http.status/200/a", "status 200 /$/io.buoyant.http.status/200 [/a]" },
	{ "/$/io.buoyant.http.status/199", "neg" },
	{ "/$/io.buoyant.http.status/599", "status 599 /$/io.buoyant.http.status/599" },
	{ "/$/io.buoyant.http.status/99", "neg" },
	{ "/$/io.buoyant.http.status/600", "neg" },
	{ "/$/io.buoyant.http.status/x", "neg" },
	{ "/$/io.buoyant.http.status", "neg" },
	/* hostportPfx and porthostPfx */
	{ "/$/io.buoyant.hostportPfx/pfx/host:80/etc", "/pfx/host/80/etc" },
	{ "/$/io.buoyant.porthostPfx/pfx/host:80/etc", "/pfx/80/host/etc" },
	{ "/$/io.buoyant.porthostPfx/ph/example.org:http", "/ph/http/example.org" },
	{ "/$/io.buoyant.porthostPfx/ph/h:" LABEL_63, "/ph/" LABEL_63 "/h" },
	{ "/$/io.buoyant.porthostPfx/ph/h:" LABEL_63 "4", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/example.org", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/host:", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/:80", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/host:80:90", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/host:HTTP", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph/host:-80", "neg" },
	{ "/$/io.buoyant.porthostPfx/ph", "neg" },
	{ "/$/io.buoyant.hostportPfx", "neg" },
	/* methods */
	{ "/$/io.buoyant.http.anyMethod/GET/svc/a", "/svc/a" },
	{ "/$/io.buoyant.http.anyMethod/GET", "/" },
	{ "/$/io.buoyant.http.anyMethod/get/svc", "neg" },
	{ "/$/io.buoyant.http.anyMethod", "neg" },
	{ "/$/io.buoyant.http.anyMethodPfx/pfx/POST/a", "/pfx/a" },
	{ "/$/io.buoyant.http.anyMethodPfx/pfx", "neg" },
	{ "/$/io.buoyant.http.anyMethodPfx/pfx/P0ST/a", "neg" },
	/* hosts */
	{ "/$/io.buoyant.http.anyHost/example.org:80/a", "/a" },
	{ "/$/io.buoyant.http.anyHost/example.org%/a", "neg" },
	{ "/$/io.buoyant.http.anyHostPfx/pfx/under_score-host/a", "/pfx/a" },
	{ "/$/io.buoyant.http.anyHostPfx/pfx", "neg" },
	/* subdomains */
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/foo.buoyant.io/a", "/foo/a" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/foo.bar.buoyant.io:80", "/foo.bar" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/foo.BUOYANT.io", "neg" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/buoyant.io", "neg" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/.buoyant.io", "neg" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/xbuoyant.io", "neg" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io/foo.example.org", "neg" },
	{ "/$/io.buoyant.http.subdomainOf/buoyant.io", "neg" },
	{ "/$/io.buoyant.http.subdomainOfPfx/buoyant.io/pfx/foo.buoyant.io/a", "/pfx/foo/a" },
	{ "/$/io.buoyant.http.subdomainOfPfx/buoyant.io/foo.buoyant.io", "neg" },
	/* domains as paths */
	{ "/$/io.buoyant.http.domainToPath/www.hello.world/a", "/world/hello/www/a" },
	{ "/$/io.buoyant.http.domainToPath/hello", "/hello" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www.hello.world", "/domain/world/hello/www" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www.hello.world:80", "/domain/world:80/hello/www" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/a.b.c.d.e.f/g", "/domain/f/e/d/c/b/a/g" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www.hello.", "/domain/hello/www" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www..hello", "neg" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/.hello", "neg" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www!hello", NULL },
	{ "/$/io.buoyant.http.domainToPathPfx/domain/www\\x21hello", "neg" },
	{ "/$/io.buoyant.http.domainToPathPfx/domain", "neg" },
	/* anything else */
	{ "/$/io.buoyant.nothing/a", "failed: UnknownNamer: /$/io.buoyant.nothing/a" },
	{ "/$/io.buoyant.http.anymethod/GET", "failed: UnknownNamer: /$/io.buoyant.http.anymethod/GET" },
};

static void answers(void **state)
{
	struct discover discover = { 0 };
	struct namer *system = system_new(&discover);
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct path path;
		struct slice why;
		struct text shown = { 0 };
		arena_init(&arena, NULL, 0);
		int e = path_parse(slice_of(cases[i].name), &arena, &path, &why);
		assert_int_equal(e == 0, cases[i].answer != NULL);
		if (e) {
			arena_reset(&arena);
			continue;
		}
		assert_true(path_starts(path, system->prefix));
		struct namer_watch *watch = namer_lookup(system, path_from(path, 1), unexpected, NULL);
		arena_reset(&arena); /* the watch has its own copy */
		show_answer(&shown, namer_answer(watch));
		if (strcmp(shown.bytes, cases[i].answer) != 0)
			fail_msg("%s: expected %s, found %s", cases[i].name, cases[i].answer, shown.bytes);
		text_free(&shown);
		namer_cancel(watch);
	}
	namer_free(system);
}

static void long_hosts_become_long_paths(void **state)
{
	struct discover discover = { 0 };
	struct namer *system = system_new(&discover);
	char host[20001];
	(void)state;
	for (size_t i = 0; i < sizeof host; i++)
		host[i] = i % 2 ? '.' : 'a';
	struct slice segments[] = { SLICE("io.buoyant.http.domainToPathPfx"), SLICE("domain"), { host, sizeof host } };
	struct namer_watch *watch = namer_lookup(system, (struct path){ segments, 3 }, unexpected, NULL);
	assert_int_equal(namer_answer(watch)->state, NAMER_TREE);
	assert_int_equal(namer_answer(watch)->tree->path.count, 10002);
	namer_cancel(watch);
	namer_free(system);
}

static void namers_are_asked_later_ones_first(void **state)
{
	struct discover discover = { 0 };
	struct namers namers = { 0 };
	struct slice segments[] = { SLICE("$"), SLICE("nil") };
	struct path path = { segments, 2 }, other = { segments + 1, 1 };
	uint32_t cursor;
	(void)state;
	namers_add(&namers, system_new(&discover));
	namers_add(&namers, system_new(&discover));
	cursor = namers.count;
	assert_ptr_equal(namers_next(&namers, path, &cursor), namers.list[1]);
	assert_ptr_equal(namers_next(&namers, path, &cursor), namers.list[0]);
	assert_null(namers_next(&namers, path, &cursor));
	cursor = namers.count;
	assert_null(namers_next(&namers, other, &cursor));
	namers_free(&namers);
	assert_int_equal(namers.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(long_hosts_become_long_paths),
		cmocka_unit_test(namers_are_asked_later_ones_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
