/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/targets.h"

#include "base/memory.h"
#include "client/resolver.h"

enum { DEFAULT_PORT = 9990, MOST_TARGETS = 256, MOST_PAGE = 256 << 20, MOST_PORT = 65535 };

static const char metrics_page[] = "/admin/metrics.json?tree=1&buckets=1";
static const int64_t head_time = 5 * CLOCK_SECOND, page_time = 15 * CLOCK_SECOND;

/* ---- one reading ---- */

static void done(struct target *target)
{
	struct targets *targets = target->targets;

	if (!target->waiting)
		return;
	target->waiting = false;
	if (--targets->waiting == 0)
		targets->options.read(targets->owner);
}

static void on_body(struct fetch *fetch, struct slice bytes)
{
	struct target *target = fetch->owner;

	if (target->targets->options.body)
		target->targets->options.body(target, bytes);
	else if (target->page.length + bytes.length <= MOST_PAGE)
		text_append(&target->page, bytes);
}

static void on_ended(struct fetch *fetch, int error)
{
	struct target *target = fetch->owner;

	text_clear(&target->why);
	if (target->targets->options.ended)
		target->targets->options.ended(target, error);
	else if (error)
		text_format(&target->why, "%s", error_text(error));
	else if (fetch->status != 200)
		text_format(&target->why, "status %u for its metrics", fetch->status);
	else
		target->now = reading_new(text_slice(&target->page), &target->why);
	text_free(&target->page);
}

/* Only now may it be asked again. */
static void on_over(struct fetch *fetch)
{
	done(fetch->owner);
}

static const struct fetch_events events = { .body = on_body, .ended = on_ended, .over = on_over };

static void ask(struct target *target)
{
	const struct targets_options *options = &target->targets->options;
	const struct fetch_limits limits = { .head_ns = head_time, .all_ns = options->endless ? 0 : page_time };
	int e = fetch_start(&target->fetch, network_host(), &target->address, options->page, &limits);

	if (!e)
		return;
	text_clear(&target->why);
	text_format(&target->why, "%s", error_text(e));
	if (fetch_is_over(&target->fetch))
		done(target);
}

/* Told from the loop: the first of its addresses, as other clients take it. */
static void resolved(void *owner, const struct resolution *resolution)
{
	struct target *target = owner;
	uint16_t port = target->address.port;
	bool known = target->address.family != ADDRESS_NONE;

	if (resolution->state == RESOLVER_FOUND) {
		target->address = resolution->addresses[0];
		target->address.port = port;
		if (!known && target->waiting)
			ask(target);
	} else if (!known) {
		text_clear(&target->why);
		text_format(&target->why, "%s", resolution->reason);
		done(target);
	}
}

static void look_up(struct target *target)
{
	struct targets *targets = target->targets;
	int e;

	/* A name that could not be found is asked for again. */
	resolver_unwatch(target->watch);
	target->watch = NULL;
	e = resolver_watch(targets->resolver, target->host, resolved, target, &target->watch);
	if (e) {
		text_clear(&target->why);
		text_format(&target->why, "`%.*s` is no host's name", SLICE_ARGS(target->host));
		done(target);
	}
}

void targets_read(struct targets *targets)
{
	/* One more, so that those that fail at once don't end the reading before all were asked. */
	targets->waiting = 1;
	TARGETS_EACH(targets, target) {
		if (target->now) {
			reading_free(target->before);
			target->before = target->now;
			target->now = NULL;
		}
		target->waiting = true;
		targets->waiting++;
		if (target->address.family == ADDRESS_NONE)
			look_up(target);
		else
			ask(target);
	}
	if (--targets->waiting == 0)
		targets->options.read(targets->owner);
}

/* ---- addresses ---- */

bool targets_address(struct slice text, struct slice *host, uint16_t *port)
{
	size_t colon = text.length;
	uint64_t number = DEFAULT_PORT;

	while (colon > 0 && text.at[colon - 1] != ':' && text.at[colon - 1] != ']')
		colon--;
	bool has_port = colon > 0 && text.at[colon - 1] == ':' &&
		(text.at[0] == '[' ? colon > 1 && text.at[colon - 2] == ']' : slice_find(text, ':') == colon - 1);

	*host = has_port ? slice_make(text.at, colon - 1) : text;
	if (has_port && (slice_to_u64(slice_from(text, colon), MOST_PORT, &number) || number == 0))
		return false;
	*port = (uint16_t)number;
	return host->length > 0;
}

static int add(struct targets *targets, struct slice text, struct text *why)
{
	struct target *target = &targets->at[targets->count];
	uint16_t port;

	if (targets->count == MOST_TARGETS) {
		text_format(why, "more than %d addresses", MOST_TARGETS);
		return ERROR_SYNTAX;
	}
	if (!targets_address(text, &target->host, &port)) {
		text_format(why,
			"--admin takes addresses such as 127.0.0.1:9990, [::1]:9990 or node-1, with commas between, "
			"not `%.*s`",
			SLICE_ARGS(text));
		return ERROR_SYNTAX;
	}
	target->name = text;
	target->targets = targets;
	if (address_parse(target->host, port, &target->address)) {
		target->address = (struct address){ .port = port };
	}
	fetch_init(&target->fetch, targets->loop, targets->pools, &events, target);
	targets->count++;
	return 0;
}

static int add_all(struct targets *targets, const struct argument_values *admins, struct text *why)
{
	int e = 0;

	for (unsigned i = 0; !e && i < admins->count; i++) {
		struct slice rest = slice_of(admins->at[i]), one;

		while (!e && slice_split(&rest, ',', &one))
			e = add(targets, slice_trim(one), why);
	}
	if (!e && targets->count == 0)
		e = add(targets, SLICE("127.0.0.1:9990"), why);
	return e;
}

/* Before anything was asked. */
static void targets_free(struct targets *targets)
{
	if (targets->resolver)
		resolver_free(targets->resolver);
	if (targets->pools)
		session_pools_free(targets->pools);
	memory_free(targets->at);
	memory_free(targets);
}

int targets_new(struct loop *loop, const struct argument_values *admins, const struct targets_options *options, struct targets **result,
	struct text *why)
{
	struct targets *targets = memory_new(sizeof *targets);
	int e;

	targets->loop = loop;
	targets->options = *options;
	targets->owner = options->owner;
	if (!options->page.length)
		targets->options.page = slice_of(metrics_page);
	targets->at = memory_array(MOST_TARGETS + 1, sizeof *targets->at);
	e = session_pools_new(loop, MOST_TARGETS, MOST_TARGETS, &targets->pools);
	if (!e)
		e = resolver_new(loop, network_host(), &(struct resolver_options){ 0 }, &targets->resolver);
	if (e)
		text_format(why, "cannot start: %s", error_text(e));
	else
		e = add_all(targets, admins, why);
	if (e) {
		targets_free(targets);
		return e;
	}
	*result = targets;
	return 0;
}
