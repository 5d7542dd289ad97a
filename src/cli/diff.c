/* SPDX-License-Identifier: Apache-2.0 */
/* weft diff: which requests two configurations treat differently. Requests are made of what either configuration names
 * (cli/witness.h), each is forecast by both (proxy/forecast.h), and of those that differ in the same way, by the same lines, the first
 * is shown. */
#include <stdio.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/witness.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "proxy/forecast.h"
#include "proxy/live.h"
#include "wire/http1.h"

/* One of the two configurations. */
struct side_of_diff {
	const char *file;
	struct snapshot *snapshot;
	struct door door; /* that is compared */
	struct forecast forecast;
};

/* Requests that differ in the same way. */
struct class
{
	struct class *next;
	uint64_t key;
	struct text witness, old, new;
	struct slice what;
	unsigned more;
};

struct diff {
	struct side_of_diff sides[2];
	struct arena arena; /* of one request */
	struct class *classes, **last;
	char door[ADDRESS_TEXT];
	bool cut; /* not all requests could be tried */
};

/* ---- classes ---- */

static struct slice part(struct diff *diff, const struct side_of_diff *side)
{
	const struct forecast *f = &side->forecast;

	if (!side->door.router)
		return SLICE("nobody listens there");
	if (!f->status && !f->name.length)
		return arena_format(&diff->arena, "router %.*s", SLICE_ARGS(side->door.router->label));
	if (f->status)
		return arena_format(&diff->arena, "weft answers %u: %.*s", f->status, SLICE_ARGS(f->why));
	return arena_format(&diff->arena, "%.*s goes to %.*s", SLICE_ARGS(f->name), SLICE_ARGS(f->destination));
}

static void tell(struct diff *diff, const struct side_of_diff *side, struct text *out)
{
	const struct forecast *f = &side->forecast;

	text_append(out, part(diff, side));
	if (!side->door.router)
		return;
	text_format(out, "  %s:%d", side->file, side->door.router->line);
	for (unsigned i = 0; i < f->line_count; i++)
		if (f->lines[i])
			text_format(out, " :%d", f->lines[i]);
}

/* Requests differ in the same way when the same lines decide about them on both sides. */
static uint64_t key_of(const struct diff *diff, struct slice what)
{
	uint64_t key = slice_hash(slice_of(diff->door), slice_hash(what, 0));

	for (unsigned i = 0; i < 2; i++) {
		const struct forecast *f = &diff->sides[i].forecast;

		key = slice_hash(slice_make((const char *)&f->status, sizeof f->status), key);
		key = slice_hash(slice_make((const char *)f->lines, f->line_count * sizeof f->lines[0]), key);
	}
	return key;
}

static void add_witness(struct text *out, const struct diff *diff, const struct witness *witness)
{
	text_append(out, SLICE("curl "));
	if (!slice_equal(witness->method, SLICE("GET")))
		text_format(out, "-X %.*s ", SLICE_ARGS(witness->method));
	text_format(out, witness->host.length ? "-H 'Host: %.*s' " : "-H Host: ", SLICE_ARGS(witness->host));
	if (witness->header.length)
		text_format(out, "-H '%.*s: %.*s' ", SLICE_ARGS(witness->header), SLICE_ARGS(witness->value));
	text_format(out, "http://%s%.*s", diff->door, SLICE_ARGS(witness->target));
}

static void differs(struct diff *diff, const struct witness *witness, struct slice what)
{
	uint64_t key = key_of(diff, what);
	struct class *class = diff->classes;

	while (class && class->key != key)
		class = class->next;
	if (class) {
		class->more++;
		return;
	}
	class = memory_new(sizeof *class);
	class->key = key;
	class->what = what;
	add_witness(&class->witness, diff, witness);
	tell(diff, &diff->sides[0], &class->old);
	tell(diff, &diff->sides[1], &class->new);
	*diff->last = class;
	diff->last = &class->next;
}

/* ---- one request ---- */

static void forecast_side(struct diff *diff, struct side_of_diff *side, struct slice head_text)
{
	struct http1_parser parser;
	struct head *head = arena_get(&diff->arena, sizeof *head);
	char *bytes = arena_text(&diff->arena, head_text);
	size_t consumed;

	http1_parser_init(&parser, &(struct http1_limits){ side->door.router->max_line_bytes, side->door.router->max_head_bytes, 0 });
	if (http1_parse_request(&parser, bytes, head_text.length, head, &consumed))
		side->forecast = (struct forecast){ .status = 400, .why = SLICE("the request is malformed or too long") };
	else
		forecast_make(&diff->arena, side->snapshot, side->door.router, side->door.listener, head, &side->forecast);
}

static bool same_service(const struct side_of_diff *a, const struct side_of_diff *b)
{
	struct service_policy x, y;

	service_policy_resolve(a->door.router->service_rules, a->door.router->service_rule_count, &a->forecast.path, &x);
	service_policy_resolve(b->door.router->service_rules, b->door.router->service_rule_count, &b->forecast.path, &y);
	return live_same_service_policy(&x, &y);
}

/* Destinations are equal: so are the leaves, one by one. */
static bool same_clients(const struct side_of_diff *a, const struct side_of_diff *b)
{
	for (unsigned i = 0; i < a->forecast.leaf_count && i < b->forecast.leaf_count; i++) {
		struct client_policy x, y;

		client_policy_resolve(a->door.router->client_rules, a->door.router->client_rule_count, &a->forecast.leaves[i], &x);
		client_policy_resolve(b->door.router->client_rules, b->door.router->client_rule_count, &b->forecast.leaves[i], &y);
		if (!live_same_client_policy(&x, &y))
			return false;
	}
	return true;
}

static void compare(void *owner, const struct witness *witness)
{
	struct diff *diff = owner;
	struct side_of_diff *a = &diff->sides[0], *b = &diff->sides[1];
	struct slice head;

	head = arena_format(&diff->arena, "%.*s %.*s HTTP/1.1\r\n%s%.*s%s%.*s%s%.*s%s\r\n", SLICE_ARGS(witness->method),
		SLICE_ARGS(witness->target), witness->host.length ? "Host: " : "", SLICE_ARGS(witness->host),
		witness->host.length ? "\r\n" : "", SLICE_ARGS(witness->header), witness->header.length ? ": " : "",
		SLICE_ARGS(witness->value), witness->header.length ? "\r\n" : "");
	forecast_side(diff, a, head);
	forecast_side(diff, b, head);
	if (a->forecast.status != b->forecast.status)
		differs(diff, witness, SLICE("answer"));
	else if (!slice_equal(a->forecast.destination, b->forecast.destination))
		differs(diff, witness, SLICE("destination"));
	else if (!slice_equal(a->forecast.name, b->forecast.name))
		differs(diff, witness, SLICE("name"));
	else if (!a->forecast.status && !same_service(a, b))
		differs(diff, witness, SLICE("service settings"));
	else if (!a->forecast.status && !same_clients(a, b))
		differs(diff, witness, SLICE("client settings"));
	arena_reset(&diff->arena);
}

/* ---- doors: where requests come in ---- */

static struct door find_door(const struct snapshot *snapshot, const struct router *like, unsigned index)
{
	const struct address *address = &like->listeners[index].address;

	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct router *router = &snapshot->routers[i];

		/* Any port: by the label. */
		if (address->port == 0 && slice_equal(router->label, like->label) && index < router->listener_count &&
			router->listeners[index].address.port == 0)
			return (struct door){ router, &router->listeners[index] };
		for (unsigned j = 0; address->port && j < router->listener_count; j++)
			if (address_equal(&router->listeners[j].address, address))
				return (struct door){ router, &router->listeners[j] };
	}
	return (struct door){ NULL, NULL };
}

/* Whatever is sent there. */
static void one_listens(struct diff *diff)
{
	diff->sides[0].forecast = diff->sides[1].forecast = (struct forecast){ .status = 0 };
	differs(diff, &(struct witness){ .method = SLICE("GET"), .target = SLICE("/"), .host = SLICE("any") }, SLICE("listener"));
	arena_reset(&diff->arena);
}

/* Each address that one side listens on; `from` 1: those that side 0 doesn't. */
static void compare_doors(struct diff *diff, unsigned from)
{
	const struct snapshot *mine = diff->sides[from].snapshot, *theirs = diff->sides[!from].snapshot;

	for (unsigned i = 0; i < mine->router_count; i++) {
		const struct router *router = &mine->routers[i];

		for (unsigned j = 0; j < router->listener_count; j++) {
			diff->sides[from].door = (struct door){ router, &router->listeners[j] };
			diff->sides[!from].door = find_door(theirs, router, j);
			if (from == 1 && diff->sides[0].door.router)
				continue;
			address_format(&router->listeners[j].address, diff->door);
			if (!diff->sides[!from].door.router)
				one_listens(diff);
			else if (!witness_each(&diff->sides[0].door, &diff->sides[1].door, compare, diff))
				diff->cut = true;
		}
	}
}

/* ---- what is said ---- */

static void print_text(const struct diff *diff)
{
	struct text out = { 0 };

	for (const struct class *class = diff->classes; class; class = class->next) {
		text_format(&out, "%.*s", SLICE_ARGS(text_slice(&class->witness)));
		if (class->more)
			text_format(&out, "   and %u more like it", class->more);
		text_format(&out, "\n  %.*s\n- %.*s\n+ %.*s\n", SLICE_ARGS(class->what), SLICE_ARGS(text_slice(&class->old)),
			SLICE_ARGS(text_slice(&class->new)));
	}
	file_print(false, text_slice(&out));
	text_free(&out);
}

static void print_json(const struct diff *diff)
{
	struct text out = { 0 };
	struct json_writer json;

	json_write_start(&json, &out, true);
	json_write_array(&json);
	for (const struct class *class = diff->classes; class; class = class->next) {
		json_write_object(&json);
		json_write_member_text(&json, "witness", text_slice(&class->witness));
		json_write_member_text(&json, "differs", class->what);
		json_write_member_text(&json, "old", text_slice(&class->old));
		json_write_member_text(&json, "new", text_slice(&class->new));
		json_write_key(&json, SLICE("more"));
		json_write_int(&json, class->more);
		json_write_end(&json);
	}
	json_write_end(&json);
	text_append(&out, SLICE("\n"));
	file_print(false, text_slice(&out));
	text_free(&out);
}

static struct snapshot *load(const char *path)
{
	struct snapshot *snapshot = NULL;
	struct text why = { 0 };
	struct slice bytes;

	if (cli_read(path, &bytes, &why)) {
		snapshot = cli_parse(path, bytes, &why);
		memory_free(bytes.at);
	}
	if (!snapshot)
		file_print(true, text_slice(&why));
	text_free(&why);
	return snapshot;
}

static int finish(struct diff *diff)
{
	int result = diff->cut ? 2 : diff->classes ? 1 : 0;

	for (struct class *class = diff->classes, *next; class; class = next) {
		next = class->next;
		text_free(&class->witness);
		text_free(&class->old);
		text_free(&class->new);
		memory_free(class);
	}
	snapshot_unref(diff->sides[0].snapshot);
	snapshot_unref(diff->sides[1].snapshot);
	return result;
}

int cli_diff(int count, char **arguments)
{
	const char *words[2], *output = NULL;
	const char *const outputs[] = { "text", "json", NULL };
	const struct argument table[] = {
		{ "-o", .value = &output, .choices = outputs },
		{ .name = NULL },
	};
	struct diff diff = { .cut = false };
	int format = 0;

	if (!arguments_read("diff", count, arguments, table, words, 2, 2) ||
		(output && !arguments_choice("diff", "-o", output, outputs, &format)))
		return 2;
	for (unsigned i = 0; i < 2; i++) {
		diff.sides[i].file = words[i];
		diff.sides[i].snapshot = load(words[i]);
	}
	if (!diff.sides[0].snapshot || !diff.sides[1].snapshot) {
		snapshot_unref(diff.sides[0].snapshot);
		snapshot_unref(diff.sides[1].snapshot);
		return 2;
	}
	diff.last = &diff.classes;
	arena_init(&diff.arena, NULL, 0);
	compare_doors(&diff, 0);
	compare_doors(&diff, 1);
	if (format == 1)
		print_json(&diff);
	else
		print_text(&diff);
	if (diff.cut)
		cli_complain(
			"weft diff: these configurations name too much: only the first %u requests of a listener were tried", WITNESS_MOST);
	return finish(&diff);
}
