/* SPDX-License-Identifier: Apache-2.0 */
/* weft diff: which requests two configurations treat differently. Requests are made of what either configuration names
 * (cli/witness.h), each is forecast by both (proxy/forecast.h), and of those that differ in the same way, by the same lines, the first
 * is shown. Then those who may not come in any more, or may now (cli/callers.h), and what else is set differently (cli/settings.h). */
#include <stdio.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/callers.h"
#include "cli/cli.h"
#include "cli/policy_keys.h"
#include "cli/settings.h"
#include "cli/witness.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "proxy/forecast.h"
#include "wire/http1.h"

/* One of the two configurations. */
struct side_of_diff {
	const char *file;
	struct slice bytes; /* of the file */
	struct snapshot *snapshot;
	struct door door; /* that is compared */
	struct forecast forecast;
};

/* Requests that differ in the same way; or a key that is set differently, which is then the witness. */
struct class
{
	struct class *next;
	uint64_t key;
	struct text witness, old, new;
	struct text keys; /* the settings in which they differ: "tls, loadBalancer" */
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
static uint64_t key_of(const struct diff *diff, struct slice what, struct slice keys)
{
	uint64_t key = slice_hash(slice_of(diff->door), slice_hash(keys, slice_hash(what, 0)));

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

static struct class *find_class(const struct diff *diff, uint64_t key)
{
	struct class *class = diff->classes;

	while (class && class->key != key)
		class = class->next;
	return class;
}

static struct class *add_class(struct diff *diff, struct slice what)
{
	struct class *class = memory_new(sizeof *class);

	class->what = what;
	*diff->last = class;
	diff->last = &class->next;
	return class;
}

/* `keys`: of settings, or empty. */
static void differs(struct diff *diff, const struct witness *witness, struct slice what, struct slice keys)
{
	uint64_t key = key_of(diff, what, keys);
	struct class *class = find_class(diff, key);

	if (class) {
		class->more++;
		return;
	}
	class = add_class(diff, what);
	class->key = key;
	text_append(&class->keys, keys);
	add_witness(&class->witness, diff, witness);
	tell(diff, &diff->sides[0], &class->old);
	tell(diff, &diff->sides[1], &class->new);
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

static void compare_services(struct diff *diff, struct text *keys)
{
	struct service_policy policies[2];

	for (unsigned i = 0; i < 2; i++) {
		const struct side_of_diff *side = &diff->sides[i];

		service_policy_resolve(
			side->door.router->service_rules, side->door.router->service_rule_count, &side->forecast.path, &policies[i]);
	}
	policy_keys_service(&policies[0], &policies[1], keys);
}

/* Destinations are equal: so are the leaves, one by one. The first that differs speaks for all. */
static void compare_clients(struct diff *diff, struct text *keys)
{
	const struct side_of_diff *old = &diff->sides[0], *new = &diff->sides[1];

	for (unsigned i = 0; i < old->forecast.leaf_count && i < new->forecast.leaf_count && !keys->length; i++) {
		struct client_policy a, b;

		client_policy_resolve(old->door.router->client_rules, old->door.router->client_rule_count, &old->forecast.leaves[i], &a);
		client_policy_resolve(new->door.router->client_rules, new->door.router->client_rule_count, &new->forecast.leaves[i], &b);
		policy_keys_client(&a, &b, keys);
	}
}

/* Of a request that goes to the same place by the same name. */
static void compare_settings(struct diff *diff, const struct witness *witness)
{
	struct text keys = { 0 };

	compare_services(diff, &keys);
	if (keys.length) {
		differs(diff, witness, SLICE("service settings"), text_slice(&keys));
		text_clear(&keys);
	}
	compare_clients(diff, &keys);
	if (keys.length)
		differs(diff, witness, SLICE("client settings"), text_slice(&keys));
	text_free(&keys);
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
		differs(diff, witness, SLICE("answer"), SLICE(""));
	else if (!slice_equal(a->forecast.destination, b->forecast.destination))
		differs(diff, witness, SLICE("destination"), SLICE(""));
	else if (!slice_equal(a->forecast.name, b->forecast.name))
		differs(diff, witness, SLICE("name"), SLICE(""));
	else if (!a->forecast.status)
		compare_settings(diff, witness);
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
	differs(diff, &(struct witness){ .method = SLICE("GET"), .target = SLICE("/"), .host = SLICE("any") }, SLICE("listener"),
		SLICE(""));
	arena_reset(&diff->arena);
}

/* Somebody who comes in on one side only, or is answered differently. */
static void caller_differs(void *owner, const struct caller *caller)
{
	struct diff *diff = owner;
	uint64_t key = slice_hash(caller->who, slice_hash(slice_of(diff->door), 0));
	struct class *class = find_class(diff, key);

	/* Both may name it. */
	if (class)
		return;
	class = add_class(diff, SLICE("caller"));
	class->key = key;
	text_format(&class->witness, "%.*s at %s", SLICE_ARGS(caller->who), diff->door);
	text_format(&class->old, "%.*s  %s:%d", SLICE_ARGS(caller->old), diff->sides[0].file, diff->sides[0].door.router->line);
	text_format(&class->new, "%.*s  %s:%d", SLICE_ARGS(caller->new), diff->sides[1].file, diff->sides[1].door.router->line);
}

static void compare_door(struct diff *diff)
{
	const struct door *old = &diff->sides[0].door, *new = &diff->sides[1].door;

	if (!witness_each(old, new, compare, diff))
		diff->cut = true;
	callers_each(old->listener, new->listener, caller_differs, diff);
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
			else
				compare_door(diff);
		}
	}
}

/* ---- what no request shows ---- */

static void add_value(struct text *out, const struct side_of_diff *side, struct slice value, int line)
{
	if (value.at)
		text_format(out, "%.*s  %s:%d", SLICE_ARGS(value), side->file, line);
	else
		text_append(out, SLICE("not set"));
}

static void setting_differs(void *owner, const struct setting *setting)
{
	struct diff *diff = owner;
	struct class *class = add_class(diff, SLICE("setting"));

	text_append(&class->witness, setting->key);
	add_value(&class->old, &diff->sides[0], setting->old, setting->old_line);
	add_value(&class->new, &diff->sides[1], setting->new, setting->new_line);
}

/* Both have been loaded already, so there is nothing wrong with them. */
static void compare_files(struct diff *diff)
{
	struct document *documents[2] = { NULL, NULL };
	struct problems problems;

	problem_init(&problems);
	for (unsigned i = 0; i < 2; i++)
		if (document_parse(diff->sides[i].bytes, slice_of(diff->sides[i].file), NULL, &problems, &documents[i]))
			diff->cut = true;
	if (documents[0] && documents[1])
		settings_each(document_root(documents[0]), document_root(documents[1]), setting_differs, diff);
	for (unsigned i = 0; i < 2; i++)
		document_free(documents[i]);
	problem_fini(&problems);
}

/* ---- what is said ---- */

static bool is_setting(const struct class *class)
{
	return slice_equal(class->what, SLICE("setting"));
}

static void print_text(const struct diff *diff)
{
	struct text out = { 0 };

	for (const struct class *class = diff->classes; class; class = class->next) {
		text_format(&out, "%.*s", SLICE_ARGS(text_slice(&class->witness)));
		if (class->more)
			text_format(&out, "   and %u more like it", class->more);
		text_format(&out, "\n  %.*s%s%.*s\n- %.*s\n+ %.*s\n", SLICE_ARGS(class->what), class->keys.length ? ": " : "",
			SLICE_ARGS(text_slice(&class->keys)), SLICE_ARGS(text_slice(&class->old)), SLICE_ARGS(text_slice(&class->new)));
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
		json_write_member_text(&json, is_setting(class) ? "key" : "witness", text_slice(&class->witness));
		json_write_member_text(&json, "differs", class->what);
		if (class->keys.length)
			json_write_member_text(&json, "keys", text_slice(&class->keys));
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

static void load(struct side_of_diff *side)
{
	struct text why = { 0 };

	if (cli_read(side->file, &side->bytes, &why))
		side->snapshot = cli_parse(side->file, side->bytes, &why);
	if (!side->snapshot)
		file_print(true, text_slice(&why));
	text_free(&why);
}

static int finish(struct diff *diff)
{
	int result = diff->cut ? 2 : diff->classes ? 1 : 0;

	for (struct class *class = diff->classes, *next; class; class = next) {
		next = class->next;
		text_free(&class->witness);
		text_free(&class->old);
		text_free(&class->new);
		text_free(&class->keys);
		memory_free(class);
	}
	for (unsigned i = 0; i < 2; i++) {
		snapshot_unref(diff->sides[i].snapshot);
		memory_free(diff->sides[i].bytes.at);
	}
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
		load(&diff.sides[i]);
	}
	if (!diff.sides[0].snapshot || !diff.sides[1].snapshot) {
		(void)finish(&diff);
		return 2;
	}
	diff.last = &diff.classes;
	arena_init(&diff.arena, NULL, 0);
	compare_doors(&diff, 0);
	compare_doors(&diff, 1);
	compare_files(&diff);
	if (format == 1)
		print_json(&diff);
	else
		print_text(&diff);
	if (diff.cut)
		cli_complain(
			"weft diff: these configurations name too much: only the first %u requests of a listener were tried", WITNESS_MOST);
	return finish(&diff);
}
