/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/targets.h"

#include "base/memory.h"
#include "cli/cluster/access.h"
#include "cli/cluster/objects.h"
#include "cli/cluster/proxies.h"
#include "cli/see/finder.h"
#include "client/resolver.h"
#include "discover/k8s_api.h"

enum { DEFAULT_PORT = 9990, MOST_TARGETS = 1024, MOST_ASKED = 64, MOST_PAGE = 256 << 20, MOST_PORT = 65535 };

static const char metrics_page[] = "/admin/metrics.json?tree=1&buckets=1";
static const int64_t head_time = 5 * CLOCK_SECOND, page_time = 15 * CLOCK_SECOND;
static const int64_t list_life = 10 * CLOCK_SECOND;  /* which pods there are is asked again after so long */
static const int64_t follow_time = 5 * CLOCK_SECOND; /* the same, of what streams */
static const int64_t cut_time = CLOCK_SECOND;        /* the same, once a stream has ended */
static const int64_t closing_time = CLOCK_SECOND;    /* for connections to be closed */

/* Whether pods that come are begun with while others stream. */
static bool follows(const struct targets *targets)
{
	return targets->finder && targets->options.endless;
}

static struct slice page_of(const struct targets *targets)
{
	return targets->options.page.length ? targets->options.page : targets->options.readings;
}

/* ---- one reading ---- */

static void ask_more(struct targets *targets);

static void follow_after(struct targets *targets, int64_t after)
{
	int64_t at = clock_after(loop_now(targets->loop), after);

	if (timer_is_set(&targets->follow) && at >= targets->follow_at)
		return;
	targets->follow_at = at;
	timer_set(targets->loop, &targets->follow, at);
}

static void all_done(struct targets *targets)
{
	if (!follows(targets) || !targets->streamed)
		targets->options.read(targets->owner);
}

static void done(struct target *target)
{
	struct targets *targets = target->targets;

	if (!target->waiting)
		return;
	target->waiting = false;
	targets->asked--;
	targets->failed = targets->failed || target->why.length;
	if (--targets->waiting == 0)
		all_done(targets);
	else
		ask_more(targets);
}

/* Why it could not be asked. */
static void fail(struct target *target, const char *why)
{
	text_clear(&target->why);
	text_append(&target->why, slice_of(why));
}

static void add_body(struct target *target, unsigned status, struct slice bytes)
{
	target->status = status;
	if (status == 200) {
		target->streams = target->targets->streamed = true;
		text_clear(&target->complaint);
		text_clear(&target->why);
	}
	if (target->targets->options.body)
		target->targets->options.body(target, bytes);
	else if (target->page.length + bytes.length <= MOST_PAGE)
		text_append(&target->page, bytes);
}

/* Of pods that are followed it is first looked whether the pod is still there: else nobody need know. */
static void end_page(struct target *target, int error)
{
	struct targets *targets = target->targets;

	if (follows(targets) && target->streams) {
		target->cut = true;
		target->error = error;
		follow_after(targets, cut_time);
		return;
	}
	targets->options.ended(target, error);
	if (follows(targets))
		follow_after(targets, follow_time);
}

static void end(struct target *target, unsigned status, int error)
{
	const struct targets_options *options = &target->targets->options;

	target->status = status;
	text_clear(&target->why);
	if (options->ended)
		end_page(target, error);
	else if (error)
		fail(target, error_text(error));
	else if (status != 200 && target->path.length)
		target_tell_status(target, &target->why);
	else if (status != 200)
		text_format(&target->why, "status %u for its metrics", status);
	else
		target->now = options->parse(text_slice(&target->page), &target->why);
	target->streams = false;
	text_free(&target->page);
}

void target_tell_status(const struct target *target, struct text *out)
{
	struct slice said = text_slice(&target->page);
	struct document *document = NULL;
	struct problems problems;
	struct text line = { 0 };

	problem_init(&problems);
	if (document_parse(said, SLICE("answer"), NULL, &problems, &document))
		document = NULL;
	problem_fini(&problems);
	object_tell_error(document, said, &line);
	text_format(out, "status %u: %.*s", target->status, SLICE_ARGS(text_slice(&line)));
	text_free(&line);
	document_free(document);
}

static void fetch_body(struct fetch *fetch, struct slice bytes)
{
	add_body(fetch->owner, fetch->status, bytes);
}

static int ask_itself(struct target *target)
{
	struct targets *targets = target->targets;
	const struct targets_options *options = &targets->options;
	const struct fetch_limits limits = { .head_ns = head_time, .all_ns = options->endless ? 0 : page_time };

	return fetch_send(&target->fetch,
		&(struct fetch_to){ .network = network_host(), .address = &target->address, .keep = !options->endless },
		&(struct fetch_request){ .target = page_of(targets) }, &limits);
}

/* One that was kept may have been closed by the other end just then. */
static void fetch_ended(struct fetch *fetch, int error)
{
	struct target *target = fetch->owner;

	if (error && fetch->reused && !fetch->status && error != ERROR_TIMEOUT)
		target->again = true;
	else
		end(target, fetch->status, error);
}

static void free_target(struct target *target);

/* Only now may it be asked again. */
static void fetch_over(struct fetch *fetch)
{
	struct target *target = fetch->owner;

	if (target->over) {
		target->targets->closing -= fetch_is_over(fetch);
		if (fetch_is_over(fetch))
			free_target(target);
		return;
	}
	if (target->again) {
		int e = ask_itself(target);

		target->again = false;
		if (!e)
			return;
		fail(target, error_text(e));
	}
	done(target);
}

static const struct fetch_events events = { .body = fetch_body, .ended = fetch_ended, .over = fetch_over };

static void call_body(void *owner, unsigned status, struct slice bytes)
{
	add_body(owner, status, bytes);
}

static void call_ended(void *owner, unsigned status, int error)
{
	struct target *target = owner;

	target->call = NULL;
	end(target, status, error);
	done(target);
}

static void ask(struct target *target)
{
	static const struct k8s_call_events call_events = { .body = call_body, .ended = call_ended };
	struct targets *targets = target->targets;
	const struct fetch_limits limits = { .head_ns = head_time, .all_ns = targets->options.endless ? 0 : page_time };
	bool over;
	int e;

	target->status = 0;
	if (target->path.length) {
		e = k8s_call_new(finder_api(targets->finder), text_slice(&target->path), &limits, &call_events, target, &target->call);
		over = e != 0;
	} else {
		e = ask_itself(target);
		over = fetch_is_over(&target->fetch);
	}
	if (!e)
		return;
	fail(target, error_text(e));
	if (over)
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
		fail(target, resolution->reason);
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

static void begin(struct target *target)
{
	target->queued = false;
	target->targets->asked++;
	if (target->absent.length) {
		fail(target, target->absent.bytes);
		done(target);
	} else if (target->path.length || target->address.family != ADDRESS_NONE) {
		ask(target);
	} else {
		look_up(target);
	}
}

/* What never ends is asked of all. */
static void ask_more(struct targets *targets)
{
	TARGETS_EACH(targets, target) {
		if (targets->asked >= MOST_ASKED && !targets->options.endless)
			return;
		if (target->queued)
			begin(target);
	}
}

static void read_all(struct targets *targets)
{
	/* One more, so that those that fail at once don't end the reading before all were asked. */
	targets->waiting = 1;
	targets->failed = targets->why.length > 0;
	TARGETS_EACH(targets, target) {
		if (target->now) {
			reading_free(target->before);
			target->before = target->now;
			target->now = NULL;
		}
		target->waiting = target->queued = true;
		targets->waiting++;
	}
	ask_more(targets);
	if (--targets->waiting == 0)
		all_done(targets);
}

/* ---- as Kubernetes knows them ---- */

/* What a list has told so far; its text is the arena's. */
struct listing {
	struct arena arena;
	struct listed_pod {
		struct listed_pod *next;
		struct proxy_pod pod;
		struct text absent;
	} * first, **end;
	unsigned count;
};

static struct target *add_target(struct targets *targets);

static void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	for (struct listed_pod *pod = listing->first; pod; pod = pod->next)
		text_free(&pod->absent);
	arena_reset(&listing->arena);
	memory_free(listing);
}

static struct listing *listing_new(void)
{
	struct listing *listing = memory_new(sizeof *listing);

	arena_init(&listing->arena, NULL, 0);
	listing->end = &listing->first;
	return listing;
}

static void add_listed(struct listing *listing, const struct document_node *object)
{
	struct listed_pod *listed;
	struct proxy_pod pod;
	struct text absent = { 0 };

	if (!proxies_read(object, &pod, &absent)) {
		text_free(&absent);
		return;
	}
	listed = arena_zeroed(&listing->arena, sizeof *listed);
	pod.name = arena_copy(&listing->arena, pod.name);
	pod.node = arena_copy(&listing->arena, pod.node);
	pod.address = arena_copy(&listing->arena, pod.address);
	listed->pod = pod;
	listed->absent = absent;
	*listing->end = listed;
	listing->end = &listed->next;
	listing->count++;
}

static struct target *find_pod(struct targets *targets, const struct proxy_pod *pod, struct slice label)
{
	struct target *target;

	TARGETS_EACH(targets, known)
		if (slice_equal(known->name, label))
			return known;
	/* One that has come since, and isn't ready, would only fail. */
	if (follows(targets) && targets->streamed && !pod->ready)
		return NULL;
	target = add_target(targets);
	if (!target) {
		text_clear(&targets->why);
		text_format(&targets->why, "there are more than %d proxies, the others are left out", MOST_TARGETS);
		return NULL;
	}
	text_append(&target->label, label);
	target->name = text_slice(&target->label);
	if (!targets->options.access->direct)
		proxies_page(targets->options.access->namespace, pod, page_of(targets), &target->path);
	return target;
}

/* `absent` is taken. */
static void take_pod(struct targets *targets, const struct proxy_pod *pod, struct text *absent)
{
	struct text label = { 0 };
	struct target *target;

	text_format(&label, "%.*s@%.*s", SLICE_ARGS(pod->name), SLICE_ARGS(pod->node));
	target = find_pod(targets, pod, text_slice(&label));
	text_free(&label);
	/* A stream that has ended at a pod that is about to end is over. */
	if (!target || (target->cut && pod->ending))
		return;
	target->listed = true;
	text_free(&target->absent);
	target->absent = *absent;
	*absent = (struct text){ 0 };
	if (targets->options.access->direct && pod->address.length && address_parse(pod->address, pod->port, &target->address))
		text_format(&target->absent, "`%.*s` is no address", SLICE_ARGS(pod->address));
}

static void take_listing(struct targets *targets, struct listing *listing)
{
	struct proxy_pod *pods = memory_array(listing->count + 1, sizeof *pods);
	unsigned count = 0;

	TARGETS_EACH(targets, target)
		target->listed = false;
	for (struct listed_pod *listed = listing->first; listed; listed = listed->next)
		pods[count++] = listed->pod;
	count = 0;
	for (struct listed_pod *listed = listing->first; listed; listed = listed->next, count++)
		if (!proxies_is_replaced(pods, listing->count, count))
			take_pod(targets, &pods[count], &listed->absent);
	memory_free(pods);
}

static void free_target(struct target *target)
{
	reading_free(target->before);
	reading_free(target->now);
	text_free(&target->why);
	text_free(&target->page);
	text_free(&target->label);
	text_free(&target->path);
	text_free(&target->absent);
	text_free(&target->complaint);
	memory_free(target);
}

/* What it still has running ends unheard. */
static void forget(struct target *target)
{
	struct targets *targets = target->targets;

	if (target->waiting) {
		target->waiting = false;
		targets->asked -= !target->queued;
		targets->waiting--;
	}
	k8s_call_drop(target->call);
	resolver_unwatch(target->watch);
	target->over = true;
	if (fetch_is_over(&target->fetch)) {
		free_target(target);
		return;
	}
	targets->closing++;
	fetch_stop(&target->fetch);
}

static void forget_unlisted(struct targets *targets)
{
	struct target **at = &targets->first, *target;

	while ((target = *at)) {
		if (target->listed) {
			at = &target->next;
			continue;
		}
		*at = target->next;
		targets->count--;
		forget(target);
	}
}

/* Streams that have ended, and were to go on, are told of and begun again; others are begun. */
static void begin_others(struct targets *targets)
{
	targets->waiting++;
	TARGETS_EACH(targets, target) {
		if (target->cut)
			targets->options.ended(target, target->error);
		target->cut = false;
		if (target->waiting)
			continue;
		target->waiting = target->queued = true;
		targets->waiting++;
	}
	ask_more(targets);
	if (--targets->waiting == 0)
		all_done(targets);
	follow_after(targets, follow_time);
}

static void found(void *owner, const struct found_list *list)
{
	struct targets *targets = owner;

	if (list->first || !list->items) {
		listing_free(targets->listing);
		targets->listing = list->items ? listing_new() : NULL;
	}
	for (unsigned i = 0; i < object_count(list->items); i++)
		add_listed(targets->listing, list->items->items[i]);
	if (!list->last)
		return;
	targets->finding = false;
	text_clear(&targets->why);
	if (!list->items) {
		text_append(&targets->why, slice_of(list->why));
	} else {
		targets->listed_at = loop_now(targets->loop);
		take_listing(targets, targets->listing);
		forget_unlisted(targets);
		if (!targets->count)
			text_format(&targets->why,
				"no pod labelled app=l5d or app=l5d-ingress in the namespace %s; --namespace says another",
				targets->options.access->namespace);
	}
	listing_free(targets->listing);
	targets->listing = NULL;
	if (follows(targets))
		begin_others(targets);
	else
		read_all(targets);
}

static void find_again(struct targets *targets)
{
	if (targets->finding)
		return;
	targets->finding = true;
	finder_find(targets->finder, found, targets);
}

static void on_follow(void *owner)
{
	find_again(owner);
}

void targets_read(struct targets *targets)
{
	bool old = loop_now(targets->loop) - targets->listed_at >= list_life;

	if (targets->finder && (!targets->count || targets->failed || old))
		find_again(targets);
	else
		read_all(targets);
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

/* At the end. NULL: there are as many as there may be. */
static struct target *add_target(struct targets *targets)
{
	struct target *target, **end = &targets->first;

	if (targets->count == MOST_TARGETS)
		return NULL;
	while (*end)
		end = &(*end)->next;
	target = *end = memory_new(sizeof *target);
	targets->count++;
	target->targets = targets;
	fetch_init(&target->fetch, targets->loop, targets->pools, &events, target);
	return target;
}

static int add(struct targets *targets, struct slice text, struct text *why)
{
	struct target *target;
	struct slice host;
	uint16_t port;

	if (!targets_address(text, &host, &port)) {
		text_format(why,
			"--admin takes addresses such as 127.0.0.1:9990, [::1]:9990 or node-1, with commas between, "
			"not `%.*s`",
			SLICE_ARGS(text));
		return ERROR_SYNTAX;
	}
	target = add_target(targets);
	if (!target) {
		text_format(why, "more than %d addresses", MOST_TARGETS);
		return ERROR_SYNTAX;
	}
	target->name = text;
	target->host = host;
	if (address_parse(host, port, &target->address))
		target->address = (struct address){ .port = port };
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

static int find(struct targets *targets, const struct access *access, struct text *why)
{
	struct text list = { 0 };
	int e;

	proxies_list(access->namespace, &list);
	e = finder_new(targets->loop, targets->resolver, access, text_slice(&list), MOST_TARGETS + 1, &targets->finder, why);
	text_free(&list);
	if (!e)
		targets->server = finder_server(targets->finder);
	return e;
}

static void on_closed(void *owner)
{
	loop_stop(((struct targets *)owner)->loop);
}

/* Connections end in the loop's turns. */
static void close_all(struct targets *targets)
{
	struct timer turn;
	int64_t give_up = clock_after(loop_now(targets->loop), closing_time);

	timer_init(&turn, on_closed, targets);
	do {
		timer_set(targets->loop, &turn, loop_now(targets->loop));
		loop_run(targets->loop);
	} while (targets->closing && loop_now(targets->loop) < give_up);
}

void targets_free(struct targets *targets)
{
	if (!targets)
		return;
	timer_cancel(targets->loop, &targets->follow);
	TARGETS_EACH(targets, target)
		target->listed = false;
	forget_unlisted(targets);
	finder_free(targets->finder);
	listing_free(targets->listing);
	if (targets->pools)
		close_all(targets);
	if (targets->resolver)
		resolver_free(targets->resolver);
	if (targets->pools)
		session_pools_free(targets->pools);
	text_free(&targets->why);
	memory_free(targets);
}

int targets_new(struct loop *loop, const struct targets_options *options, struct targets **result, struct text *why)
{
	struct targets *targets = memory_new(sizeof *targets);
	int e;

	targets->loop = loop;
	targets->options = *options;
	targets->owner = options->owner;
	timer_init(&targets->follow, on_follow, targets);
	if (!options->readings.length)
		targets->options.readings = slice_of(metrics_page);
	if (!options->parse)
		targets->options.parse = reading_new;
	e = session_pools_new(loop, MOST_TARGETS, MOST_TARGETS, &targets->pools);
	if (!e)
		e = resolver_new(loop, network_host(), &(struct resolver_options){ 0 }, &targets->resolver);
	if (e)
		text_format(why, "cannot start: %s", error_text(e));
	else if (options->access && options->access->kubernetes)
		e = find(targets, options->access, why);
	else
		e = add_all(targets, options->admins, why);
	if (e) {
		targets_free(targets);
		return e;
	}
	*result = targets;
	return 0;
}
