/* SPDX-License-Identifier: Apache-2.0 */
/* weft explain: where a request would go and why, by a configuration or as a running proxy sees it; or what became of one that such a
 * proxy has seen. What is shown is what proxy/explain.h writes, here or in the proxy that is asked. */
#include <stdio.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/cluster/access.h"
#include "cli/cluster/node_page.h"
#include "client/fetch.h"
#include "client/resolver.h"
#include "discover/k8s_clusters.h"
#include "doc/document.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "io/loop.h"
#include "proxy/explain.h"
#include "proxy/proxy.h"

enum { MOST_WORDS = 3, ADMIN_PORT = 9990, INDENT = 2, MOST_ANSWER = 32 * 1024 * 1024 };

struct explained {
	const char *file, *admin, *router, *id, *peer; /* peer: who calls, its SPIFFE ID; NULL: not known */
	const char *from_node, *from_pod;              /* with access.kubernetes: whose node's proxy is asked */
	struct access access;
	struct text head; /* of the request that is asked about */
	struct loop *loop;
	struct text json; /* the answer */
	unsigned status;
	int error;
	/* What is asked with; ends with the process, and stays where the leak checker finds it. */
	struct snapshot *snapshot;
	struct metrics *metrics;
	struct resolver *resolver;
	struct k8s_clusters *clusters;
	struct binder *binder;
	struct live live;
	struct session_pools *pools;
	struct fetch fetch;
};

/* ---- the question ---- */

static bool has_word(const struct argument_values *headers, const char *name)
{
	for (unsigned i = 0; i < headers->count; i++) {
		struct slice header = slice_of(headers->at[i]);

		if (slice_equal_nocase(slice_make(header.at, slice_find(header, ':')), slice_of(name)))
			return true;
	}
	return false;
}

/* "GET http://hello/x", or a path and -H 'Host: hello'. */
static void make_head(struct explained *asking, const char *method, const char *target, const struct argument_values *headers)
{
	struct slice rest = slice_of(target), host = { 0 };

	if (slice_starts(rest, SLICE("http://"))) {
		rest = slice_from(rest, sizeof "http://" - 1);
		host = slice_make(rest.at, slice_find(rest, '/'));
		rest = slice_from(rest, host.length);
	}
	text_format(&asking->head, "%s %.*s HTTP/1.1\r\n", method, SLICE_ARGS(rest.length ? rest : SLICE("/")));
	if (!has_word(headers, "host"))
		text_format(&asking->head, "Host: %.*s\r\n", SLICE_ARGS(host));
	for (unsigned i = 0; i < headers->count; i++)
		text_format(&asking->head, "%s\r\n", headers->at[i]);
	text_append(&asking->head, SLICE("\r\n"));
}

static void answered(void *owner, unsigned status, struct slice json)
{
	struct explained *asking = owner;

	asking->status = status;
	text_append(&asking->json, json);
	loop_stop(asking->loop);
}

/* ---- by a configuration: its control side is made, without listeners and workers ---- */

static bool find_router(const struct snapshot *snapshot, const char *label, unsigned *index)
{
	for (*index = 0; *index < snapshot->router_count; ++*index) {
		if (!label || slice_equal(snapshot->routers[*index].label, slice_of(label)))
			return true;
	}
	cli_complain("weft explain: no router is labelled `%s`", label);
	return false;
}

static void post_nothing(void *owner, unsigned worker, struct message message)
{
	(void)owner;
	(void)worker;
	(void)message;
}

static void forget(void *owner, struct binder *binder)
{
	(void)owner;
	(void)binder;
}

static int ask_binder(struct explained *asking, struct text *why)
{
	struct snapshot *snapshot = asking->snapshot;
	struct resolver_options options = { .resolv_conf = snapshot->resolv_conf.length ? snapshot->resolv_conf.at : NULL };
	struct slice peer = asking->peer ? slice_of(asking->peer) : (struct slice){ 0 };
	unsigned router;
	int e = resolver_new(asking->loop, network_host(), &options, &asking->resolver);

	if (e)
		return e;
	asking->metrics = metrics_new(1);
	live_init(&asking->live, asking->metrics);
	asking->clusters = k8s_clusters_new(asking->loop, network_host(), asking->resolver, NULL);
	e = binder_new(&(struct binder_options){ .loop = asking->loop,
			       .network = network_host(),
			       .resolver = asking->resolver,
			       .clusters = asking->clusters,
			       .live = &asking->live,
			       .post = post_nothing,
			       .gone = forget },
		snapshot, &asking->binder, why);
	if (!e && find_router(snapshot, asking->router, &router)) {
		explain_start(asking->binder, router, text_slice(&asking->head), NULL, asking->peer ? &peer : NULL, answered, asking);
		if (!asking->status)
			loop_run(asking->loop);
	} else if (!e) {
		e = ERROR_NOT_FOUND;
	}
	return e;
}

static int ask_file(struct explained *asking)
{
	struct text why = { 0 };
	struct slice bytes;
	int e = 0;

	if (cli_read(asking->file, &bytes, &why)) {
		asking->snapshot = cli_parse(asking->file, bytes, &why);
		memory_free(bytes.at);
	}
	if (asking->snapshot) {
		asking->snapshot->generation = 1;
		e = ask_binder(asking, &why);
	}
	if (why.length)
		file_print(true, text_slice(&why));
	else if (e && e != ERROR_NOT_FOUND)
		cli_complain("weft explain: %s", error_text(e));
	text_free(&why);
	return asking->snapshot && !e ? 0 : 2;
}

/* ---- as a running proxy sees it ---- */

static void add_body(struct fetch *fetch, struct slice bytes)
{
	struct explained *asking = fetch->owner;

	text_append(&asking->json, bytes);
}

static void fetched(struct fetch *fetch, int error)
{
	struct explained *asking = fetch->owner;

	asking->error = error;
	asking->status = fetch->status;
	loop_stop(asking->loop);
}

static void add_encoded(struct text *out, struct slice value)
{
	for (size_t i = 0; i < value.length; i++) {
		unsigned char c = (unsigned char)value.at[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		text_format(out, plain ? "%c" : "%%%02X", c);
	}
}

static void make_page(const struct explained *asking, struct text *target)
{
	text_format(target, asking->id ? "/explain.json?id=" : "/explain.json?router=");
	add_encoded(target, slice_of(asking->id ? asking->id : asking->router ? asking->router : ""));
	if (!asking->id) {
		text_format(target, "&request=");
		add_encoded(target, text_slice(&asking->head));
		if (asking->peer) {
			text_format(target, "&peer=");
			add_encoded(target, slice_of(asking->peer));
		}
	}
}

static int ask_proxy(struct explained *asking)
{
	static const struct fetch_events events = { .body = add_body, .ended = fetched };
	const struct fetch_limits limits = { .head_ns = 5 * CLOCK_SECOND, .all_ns = 10 * CLOCK_SECOND };
	struct address address;
	struct text target = { 0 };
	int e;

	if (address_parse_with_port(slice_of(asking->admin), &address) && address_parse(slice_of(asking->admin), ADMIN_PORT, &address)) {
		cli_complain("weft explain: --admin takes an address, 127.0.0.1:9990, not `%s`", asking->admin);
		return 2;
	}
	e = session_pools_new(asking->loop, 1, 1, &asking->pools);
	if (e) {
		cli_complain("weft explain: cannot start: %s", error_text(e));
		return 2;
	}
	make_page(asking, &target);
	fetch_init(&asking->fetch, asking->loop, asking->pools, &events, asking);
	e = fetch_start(&asking->fetch, network_host(), &address, text_slice(&target), &limits);
	if (!e) {
		loop_run(asking->loop);
		e = asking->error;
	}
	text_free(&target);
	if (e)
		cli_complain("weft explain: %s doesn't answer: %s", asking->admin, error_text(e));
	return e ? 2 : 0;
}

static int ask_node(struct explained *asking)
{
	const struct node_page_where where = {
		.command = "explain", .access = &asking->access, .node = asking->from_node, .pod = asking->from_pod
	};
	struct text page = { 0 };
	struct answer answer;
	bool good;

	make_page(asking, &page);
	good = node_page_get(&where, text_slice(&page), &answer);
	text_free(&page);
	if (!good)
		return 2;
	asking->status = answer.status;
	text_append(&asking->json, text_slice(&answer.body));
	answer_free(&answer);
	return 0;
}

/* ---- as people read it ---- */

struct page {
	struct text out;
	struct slice file; /* the configuration's */
};

static struct slice text_at(const struct document_node *map, const char *key)
{
	struct slice text = { 0 };

	if (!document_read_text(document_get(map, key), &text, NULL))
		return (struct slice){ 0 };
	return text;
}

/* "node.yaml:35", or nothing. */
static void show_place(struct page *page, const struct document_node *node)
{
	struct slice line = text_at(node, "line");

	if (line.length)
		text_format(&page->out, "  %.*s:%.*s", SLICE_ARGS(page->file), SLICE_ARGS(line));
}

static void show_label(struct page *page, const char *label)
{
	text_format(&page->out, "%-12s", label);
}

static void show_identify(struct page *page, const struct document_node *identify)
{
	const struct document_node *tried = document_get(identify, "tried");

	for (uint32_t i = 0; tried && i < tried->count; i++) {
		const struct document_node *one = tried->items[i];
		struct slice header = text_at(one, "header"), name = text_at(one, "name");

		show_label(page, i ? "" : "identified");
		text_format(&page->out, "by %.*s%s%.*s: ", SLICE_ARGS(text_at(one, "identifier")), header.length ? " " : "",
			SLICE_ARGS(header));
		text_append(&page->out, name.length ? name : text_at(one, "why"));
		show_place(page, one);
		text_append(&page->out, SLICE("\n"));
	}
}

static void show_node(struct page *page, const struct document_node *node, struct slice weight, unsigned depth)
{
	const struct document_node *dentry = document_get(node, "dentry"), *bound = document_get(node, "bound");
	const struct document_node *below = document_get(node, "delegate"), *list = document_get(node, "alt");
	struct slice type = text_at(node, "type");

	if (!list)
		list = document_get(node, "union");
	if (!below)
		below = document_get(node, "tree");
	text_format(&page->out, "%*s%.*s%s%.*s", (int)(12 + INDENT * depth), "", SLICE_ARGS(weight), weight.length ? " * " : "",
		SLICE_ARGS(text_at(node, "path")));
	if (dentry) {
		text_format(&page->out, "  by %.*s => %.*s", SLICE_ARGS(text_at(dentry, "prefix")), SLICE_ARGS(text_at(dentry, "dst")));
		show_place(page, dentry);
	}
	if (bound && !below)
		text_format(&page->out, "  %.*s", SLICE_ARGS(text_at(document_get(bound, "addr"), "type")));
	else if (slice_equal(type, SLICE("exception")))
		text_format(&page->out, "  fails: %.*s", SLICE_ARGS(text_at(node, "message")));
	else if (!below && !list)
		text_format(&page->out, "  %.*s", SLICE_ARGS(type));
	text_append(&page->out, SLICE("\n"));
	if (below)
		show_node(page, below, (struct slice){ 0 }, depth + 1);
	for (uint32_t i = 0; list && i < list->count; i++) {
		const struct document_node *branch = list->items[i], *tree = document_get(branch, "tree");

		if (slice_equal(type, SLICE("union")) && tree)
			show_node(page, tree, text_at(branch, "weight"), depth + 1);
		else
			show_node(page, branch, (struct slice){ 0 }, depth + 1);
	}
}

static void show_rules(struct page *page, const struct document_node *rules)
{
	for (uint32_t i = 0; rules && i < rules->count; i++) {
		const struct document_node *sets = document_get(rules->items[i], "sets");

		show_label(page, "");
		for (uint32_t j = 0; sets && j < sets->count; j++)
			text_format(&page->out, "%s%.*s", j ? ", " : "", SLICE_ARGS(sets->items[j]->text));
		show_place(page, rules->items[i]);
		text_append(&page->out, SLICE("\n"));
	}
}

/* Whether a request that was sent went there. */
static void show_choice(struct page *page, const struct document_node *node)
{
	struct slice why = text_at(node, "why");

	if (document_get(node, "chosen"))
		text_append(&page->out, SLICE("  <- chosen"));
	else if (why.length)
		text_format(&page->out, "  not chosen: %.*s", SLICE_ARGS(why));
}

static void show_leaf(struct page *page, const struct document_node *leaf, const char *label)
{
	const struct document_node *endpoints = document_get(leaf, "endpoints");
	double share = 1;

	document_read_number(document_get(leaf, "share"), 0, 1, &share, NULL);
	show_label(page, label);
	text_append(&page->out, text_at(leaf, "client"));
	if (share < 1)
		text_format(&page->out, "  for %.3g %%", 100 * share);
	text_format(&page->out, "  by %.*s, endpoints: %.*s", SLICE_ARGS(text_at(leaf, "balancer")), SLICE_ARGS(text_at(leaf, "state")));
	if (text_at(leaf, "why").length)
		show_choice(page, leaf);
	text_append(&page->out, SLICE("\n"));
	show_rules(page, document_get(leaf, "rules"));
	for (uint32_t i = 0; endpoints && i < endpoints->count; i++) {
		const struct document_node *endpoint = endpoints->items[i];

		show_label(page, "");
		text_format(&page->out, "  %.*s  weight %.*s  %.*s", SLICE_ARGS(text_at(endpoint, "address")),
			SLICE_ARGS(text_at(endpoint, "weight")), SLICE_ARGS(text_at(endpoint, "state")));
		show_choice(page, endpoint);
		text_append(&page->out, SLICE("\n"));
	}
}

/* What a server's peerIds say: by which of them the caller may call; or all of them, when it may not, or isn't known. */
static void show_caller(struct page *page, const struct document_node *caller, struct slice peer, const char *label)
{
	const struct document_node *patterns = document_get(caller, "patterns");
	bool allowed = slice_equal(text_at(caller, "allowed"), SLICE("true"));

	show_label(page, label);
	text_format(&page->out, "%.*s %s %.*s", SLICE_ARGS(peer.length ? peer : SLICE("unknown;")),
		!peer.length      ? "who may call"
			: allowed ? "may call"
				  : "may not call",
		SLICE_ARGS(text_at(caller, "server")));
	for (uint32_t i = 0; patterns && i < patterns->count; i++) {
		if (allowed && !document_get(patterns->items[i], "matches"))
			continue;
		text_append(&page->out, SLICE("\n"));
		show_label(page, "");
		text_format(&page->out, "%s%.*s", allowed ? "by " : "only ", SLICE_ARGS(text_at(patterns->items[i], "pattern")));
		show_place(page, patterns->items[i]);
	}
	text_append(&page->out, SLICE("\n"));
}

static void show_callers(struct page *page, const struct document_node *callers, struct slice peer)
{
	for (uint32_t i = 0; callers && i < callers->count; i++)
		show_caller(page, callers->items[i], peer, i ? "" : "caller");
}

static void show_destinations(struct page *page, const struct document_node *list)
{
	const char *label = "goes to";

	for (uint32_t i = 0; list && i < list->count; i++) {
		if (slice_equal(text_at(list->items[i], "kind"), SLICE("leaf"))) {
			show_leaf(page, list->items[i], label);
			label = "";
		}
	}
}

static void show(struct page *page, const struct document_node *root)
{
	const struct document_node *request = document_get(root, "request"), *router = document_get(root, "router");
	const struct document_node *service = document_get(root, "service"), *verdict = document_get(root, "verdict");

	page->file = text_at(router, "file");
	if (request) {
		show_label(page, "request");
		text_format(&page->out, "%.*s %.*s, host %.*s\n", SLICE_ARGS(text_at(request, "method")),
			SLICE_ARGS(text_at(request, "target")), SLICE_ARGS(text_at(request, "authority")));
	}
	show_label(page, "router");
	text_append(&page->out, text_at(router, "label"));
	show_place(page, router);
	text_append(&page->out, SLICE("\n"));
	show_identify(page, document_get(root, "identify"));
	show_callers(page, document_get(root, "callers"), text_at(request, "peer"));
	if (text_at(root, "dtab").length) {
		show_label(page, "own dtab");
		text_format(&page->out, "%.*s\n", SLICE_ARGS(text_at(root, "dtab")));
	}
	if (document_get(root, "delegation")) {
		show_label(page, "delegated");
		text_append(&page->out, SLICE("\n"));
		show_node(page, document_get(root, "delegation"), (struct slice){ 0 }, 0);
	}
	if (service) {
		show_label(page, "service");
		text_format(&page->out, "%.*s\n", SLICE_ARGS(text_at(service, "name")));
		show_rules(page, document_get(service, "rules"));
	}
	show_destinations(page, document_get(root, "destinations"));
	if (text_at(verdict, "status").length) {
		show_label(page, "answer");
		text_format(
			&page->out, "%.*s from here: %.*s\n", SLICE_ARGS(text_at(verdict, "status")), SLICE_ARGS(text_at(verdict, "why")));
	}
}

/* ---- a request that was sent ---- */

static double number_at(const struct document_node *map, const char *key)
{
	double number = 0;

	if (document_get(map, key))
		document_read_number(document_get(map, key), 0, 1e15, &number, NULL);
	return number;
}

static void show_tries(struct page *page, const struct document_node *tries)
{
	char label[24];

	for (uint32_t i = 0; tries && i < tries->count; i++) {
		const struct document_node *try = tries->items[i];
		struct slice status = text_at(try, "status"), endpoint = text_at(try, "endpoint");

		snprintf(label, sizeof label, "attempt %u", i + 1);
		show_label(page, label);
		text_format(&page->out, "%.*s  ", SLICE_ARGS(endpoint.length ? endpoint : SLICE("?")));
		if (document_get(try, "began_us"))
			text_format(&page->out, "at %.3f ms, ", number_at(try, "began_us") / 1000);
		text_format(&page->out, "took %.3f ms: %.*s%s%.*s", number_at(try, "took_us") / 1000, SLICE_ARGS(text_at(try, "outcome")),
			status.length ? " " : "", SLICE_ARGS(status));
		if (document_get(try, "again_after_us"))
			text_format(&page->out, "; again after %.3f ms", number_at(try, "again_after_us") / 1000);
		text_append(&page->out, SLICE("\n"));
	}
}

/* The first line of a text of several. */
static struct slice first_line(struct slice text)
{
	return slice_make(text.at, slice_find(text, '\n'));
}

static void show_story(struct page *page, const struct document_node *story)
{
	const struct document_node *flags = document_get(story, "flags"), *now = document_get(story, "now");
	struct slice reloaded = text_at(story, "reloaded_since"), why = first_line(text_at(story, "why"));
	char when[CLOCK_TEXT];

	clock_format((int64_t)number_at(story, "at_ms") * CLOCK_MS, when);
	show_label(page, "request");
	text_format(&page->out, "at %s, router %.*s, trace %.*s\n", when, SLICE_ARGS(text_at(story, "router")),
		SLICE_ARGS(text_at(story, "trace")));
	show_tries(page, document_get(story, "tries"));
	show_label(page, "ended");
	text_format(&page->out, "by the %.*s after %.3f ms, status %.*s", SLICE_ARGS(text_at(story, "ended_by")),
		number_at(story, "duration_us") / 1000, SLICE_ARGS(text_at(story, "status")));
	for (uint32_t i = 0; flags && i < flags->count; i++)
		text_format(&page->out, "%s%.*s", i ? ", " : "; ", SLICE_ARGS(flags->items[i]->text));
	text_append(&page->out, SLICE("\n"));
	if (why.length) {
		show_label(page, "");
		text_format(&page->out, "%.*s\n", SLICE_ARGS(why));
	}
	if (slice_equal(reloaded, SLICE("true"))) {
		show_label(page, "");
		text_append(&page->out, SLICE("the configuration was loaded anew since; what follows is by the present one\n"));
	}
	if (now)
		show(page, now);
}

static void show_stories(struct page *page, const struct document_node *stories)
{
	for (uint32_t i = 0; i < stories->count; i++) {
		if (i)
			text_append(&page->out, SLICE("\n"));
		show_story(page, stories->items[i]);
	}
}

static int print(const struct explained *asking, bool as_json)
{
	struct document *document;
	struct page page = { .file = { 0 } };
	/* A dtab that goes in circles is written down level after level, until that is cut off. */
	const struct document_limits limits = {
		.max_depth = 2 * JSON_WRITE_DEPTH,
		.max_bytes = MOST_ANSWER,
		.max_nodes = MOST_ANSWER / 8,
	};
	struct problems problems;
	struct slice error;
	int result = 0;

	problem_init(&problems);
	if (document_parse(text_slice(&asking->json), SLICE("the answer"), &limits, &problems, &document)) {
		problem_fini(&problems);
		cli_complain("weft explain: the answer (status %u) is not what this weft understands", asking->status);
		return 2;
	}
	error = asking->id && asking->status == 200 ? (struct slice){ 0 } : text_at(document_root(document), "error");
	if (asking->id && asking->status == 200) {
		if (as_json)
			text_format(&page.out, "%.*s\n", SLICE_ARGS(text_slice(&asking->json)));
		else
			show_stories(&page, document_root(document));
	} else if (error.length) {
		cli_complain("weft explain: %.*s", SLICE_ARGS(error));
		result = 2;
	} else if (!document_get(document_root(document), "request")) {
		cli_complain("weft explain: that is no weft, or one that can't explain (status %u)", asking->status);
		result = 2;
	} else if (as_json) {
		text_format(&page.out, "%.*s\n", SLICE_ARGS(text_slice(&asking->json)));
	} else {
		show(&page, document_root(document));
	}
	if (!result && !asking->id && text_at(document_get(document_root(document), "verdict"), "status").length)
		result = 1;
	file_print(false, text_slice(&page.out));
	text_free(&page.out);
	document_free(document);
	problem_fini(&problems);
	return result;
}

/* What is asked, from the words that are no options. */
static bool read_question(struct explained *asking, const char *const *words, const struct argument_values *headers)
{
	const char *method = "GET";
	unsigned at = 0;

	bool running = asking->admin || asking->access.kubernetes;

	if (asking->id) {
		if (running && !words[0])
			return true;
		cli_complain("weft explain: --id asks a running proxy: weft explain --admin ADDRESS --id ID");
		return false;
	}
	if (!running)
		asking->file = words[at++];
	if (at + 1 < MOST_WORDS && words[at] && words[at + 1])
		method = words[at++];
	if (at >= MOST_WORDS || !words[at]) {
		cli_complain("weft explain: which request? usage: weft explain FILE.yaml [-H 'Name: value']... [METHOD] URL");
		return false;
	}
	make_head(asking, method, words[at], headers);
	return true;
}

static bool read_access(struct explained *asking)
{
	bool from = asking->from_node || asking->from_pod;

	if (!access_read_optional("explain", &asking->access, asking->admin))
		return false;
	if (from && !asking->access.kubernetes) {
		cli_complain("weft explain: --from-node and --from-pod go with --kubernetes");
		return false;
	}
	if (asking->from_node && asking->from_pod) {
		cli_complain("weft explain: --from-node or --from-pod, not both");
		return false;
	}
	if (asking->access.kubernetes && !from) {
		cli_complain("weft explain: from where? --from-node NODE or --from-pod POD says whose proxy is asked");
		return false;
	}
	return true;
}

int cli_explain(int count, char **arguments)
{
	static struct explained asking;
	struct argument_values headers = { .count = 0 };
	const char *words[MOST_WORDS], *output = NULL;
	const char *const outputs[] = { "text", "json", NULL };
	const struct argument table[] = {
		{ "--admin", .value = &asking.admin },
		{ "--router", .value = &asking.router },
		{ "--id", .value = &asking.id },
		{ "--peer", .value = &asking.peer },
		{ "-H", .values = &headers },
		{ "--kubernetes", .flag = &asking.access.kubernetes },
		{ "--from-node", .value = &asking.from_node },
		{ "--from-pod", .value = &asking.from_pod },
		ACCESS_ARGUMENTS(asking.access),
		{ "-o", .value = &output, .choices = outputs },
		{ .name = NULL },
	};
	int format = 0, e;

	if (!arguments_read("explain", count, arguments, table, words, 0, MOST_WORDS) ||
		(output && !arguments_choice("explain", "-o", output, outputs, &format)) || !read_question(&asking, words, &headers) ||
		!read_access(&asking))
		return 2;
	e = loop_new(&(struct loop_options){ .name = "explain" }, &asking.loop);
	if (e) {
		cli_complain("weft explain: cannot start: %s", error_text(e));
		return 2;
	}
	e = asking.file ? ask_file(&asking) : asking.admin ? ask_proxy(&asking) : ask_node(&asking);
	return e ? e : print(&asking, format == 1);
}
