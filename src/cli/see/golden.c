/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/golden.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "cli/see/ends.h"

void golden_start(struct golden *golden, const struct golden_choice *choice)
{
	*golden = (struct golden){ .choice = *choice };
	arena_init(&golden->arena, NULL, 0);
	map_init(&golden->map, 0);
}

void golden_free(struct golden *golden)
{
	map_fini(&golden->map);
	arena_reset(&golden->arena);
	memory_free(golden->rows);
	golden->rows = NULL;
	golden->count = 0;
}

/* ---- which ---- */

bool golden_matches(struct slice name, const char *pattern)
{
	size_t slash = slice_find(name, '/');

	return slice_like(name, pattern) || (slash < name.length && slice_like(slice_from(name, slash + 1), pattern));
}

/* "shop/deploy/cart" is like what any of its names is: that itself, "deploy/cart", "shop/cart", "cart". */
static bool matches_end(struct slice namespace, struct slice name, const char *pattern)
{
	size_t slash = slice_find(name, '/');
	struct slice last = slash < name.length ? slice_from(name, slash + 1) : name;
	struct text whole = { 0 }, brief = { 0 };
	bool found;

	text_format(&whole, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
	text_format(&brief, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(last));
	found = golden_matches(text_slice(&whole), pattern) || golden_matches(text_slice(&brief), pattern);
	text_free(&whole);
	text_free(&brief);
	return found;
}

static bool is_wanted_flow(const struct golden_choice *choice, const struct ends_told *told)
{
	const char *const *pattern = choice->patterns;
	bool pairs = choice->by == GOLDEN_PAIRS;

	if (pairs ? told->from_proxy : told->to_proxy)
		return false;
	if (choice->namespace && !slice_equal(told->namespace, slice_of(choice->namespace)) &&
		!(pairs && slice_equal(told->caller_namespace, slice_of(choice->namespace))))
		return false;
	if (!pattern || !*pattern)
		return true;
	while (*pattern && !matches_end(told->namespace, told->called, *pattern) &&
		!(pairs && matches_end(told->caller_namespace, told->caller, *pattern)))
		pattern++;
	return *pattern != NULL;
}

/* Any of the Services that it leads to, or the workload that calls. */
static bool matches_kubernetes(const struct meter *meter, const char *pattern)
{
	struct slice spaces = meter->kube.namespace, space, services, service;
	struct text name = { 0 };
	bool found = meter->kind == METER_CALLER && golden_matches(meter->workload, pattern);

	while (!found && slice_split(&spaces, ',', &space)) {
		services = meter->kube.service;
		while (!found && slice_split(&services, ',', &service)) {
			text_clear(&name);
			text_format(&name, "%.*s/%.*s", SLICE_ARGS(space), SLICE_ARGS(service));
			found = golden_matches(text_slice(&name), pattern);
		}
	}
	text_free(&name);
	return found;
}

static bool has_namespace(const struct meter *meter, const char *namespace)
{
	struct slice rest = meter->kube.namespace, one;

	while (slice_split(&rest, ',', &one))
		if (slice_equal(one, slice_of(namespace)))
			return true;
	return false;
}

static bool is_wanted(const struct golden *golden, const struct meter *meter)
{
	const struct golden_choice *choice = &golden->choice;
	const char *const *pattern = choice->patterns;
	bool edge =
		choice->kind == METER_CLIENT && choice->by == GOLDEN_NAMES && (meter->kind == METER_SERVER || meter->kind == METER_CALLER);

	if (meter->kind != choice->kind && !edge)
		return false;
	if (choice->router && !slice_equal(meter->router, slice_of(choice->router)))
		return false;
	if (choice->kind == METER_FLOW)
		return true; /* who is at its ends is asked later */
	if (choice->namespace && !has_namespace(meter, choice->namespace))
		return false;
	if (!pattern || !*pattern)
		return true;
	while (*pattern && !golden_matches(meter->name, *pattern) && !golden_matches(meter->service, *pattern) &&
		!(choice->kubernetes && matches_kubernetes(meter, *pattern)))
		pattern++;
	return *pattern != NULL;
}

/* ---- rows ---- */

static struct slice join(struct golden *golden, const char *before, struct slice s)
{
	size_t length = strlen(before);
	char *bytes = arena_get(&golden->arena, length + s.length + 1);

	memcpy(bytes, before, length);
	if (s.length)
		memcpy(bytes + length, s.at, s.length);
	return slice_make(bytes, length + s.length);
}

/* How a caller came, as its name says: only that of an identity has a colon (proxy/caller.h). */
static struct slice security_of(struct slice caller)
{
	if (slice_equal(caller, SLICE("plaintext")))
		return SLICE("no");
	if (slice_equal(caller, SLICE("tls")))
		return SLICE("tls");
	return slice_find(caller, ':') < caller.length ? SLICE("mutual") : SLICE("");
}

static void name_row(struct golden *golden, struct golden_row *row, const struct meter *meter)
{
	row->router = meter->router;
	switch (meter->kind) {
	case METER_SERVICE:
	case METER_METHOD:
		row->service = meter->name;
		break;
	case METER_ROUTE:
		row->service = meter->service;
		row->client = meter->name;
		break;
	case METER_CLIENT:
		row->from = join(golden, "rt/", meter->router);
		row->to = meter->name;
		break;
	case METER_SERVER:
		row->from = SLICE("callers");
		row->to = join(golden, "server/", meter->name);
		break;
	case METER_CALLER:
		row->from = meter->service;
		row->to = meter->name;
		row->secured = security_of(meter->service);
		break;
	case METER_PEER:
	case METER_FLOW:
		CHECK(meter->kind != METER_PEER && meter->kind != METER_FLOW);
	}
}

/* With `kubernetes` clients that lead to the same port of a Service are one: transformers name them after the node. */
static void append_key(const struct golden *golden, const struct meter *meter, struct text *key)
{
	const struct kube_name *kube = &meter->kube;
	bool client = meter->kind == METER_CLIENT || meter->kind == METER_ROUTE || meter->kind == METER_CALLER;

	if (golden->choice.by == GOLDEN_NAMESPACES)
		text_format(key, "%.*s %.*s", SLICE_ARGS(meter->router), SLICE_ARGS(kube->namespace));
	else if (golden->choice.by == GOLDEN_SERVICES && kube->service.length)
		text_format(key, "%.*s %.*s/%.*s", SLICE_ARGS(meter->router), SLICE_ARGS(kube->namespace), SLICE_ARGS(kube->service));
	else if (golden->choice.kubernetes && client && kube->service.length)
		text_format(key, "%d %.*s %.*s/%.*s:%.*s %.*s", (int)meter->kind, SLICE_ARGS(meter->router), SLICE_ARGS(kube->namespace),
			SLICE_ARGS(kube->service), SLICE_ARGS(kube->port), SLICE_ARGS(meter->service));
	else
		text_append(key, meter->entry.key);
}

/* Of several clients, what they have in common. */
static void join_clients(struct slice *client, struct slice other)
{
	if (client->length && other.length && !slice_equal(*client, other))
		*client = kube_name_bound(*client);
}

/* Proxies may differ in what a name leads to. */
static void add_kubernetes(struct golden *golden, struct golden_row *row, const struct meter *meter)
{
	row->kube.namespace = kube_name_join(&golden->arena, row->kube.namespace, meter->kube.namespace);
	if (golden->choice.by == GOLDEN_NAMESPACES)
		return; /* all its Services would be a long list */
	row->kube.service = kube_name_join(&golden->arena, row->kube.service, meter->kube.service);
	row->kube.port = kube_name_join(&golden->arena, row->kube.port, meter->kube.port);
	row->caller = meter->kind == METER_CALLER ? meter->workload : row->from;
	if (!row->kube.service.length)
		row->kube.service = row->to;
	if (meter->kind == METER_ROUTE)
		join_clients(&row->client, meter->name);
	else if (meter->kind == METER_CLIENT || meter->kind == METER_CALLER)
		join_clients(&row->to, meter->name);
}

static struct golden_row *find_row(const struct golden *golden, const struct text *key)
{
	struct map_entry *found = map_find(&golden->map, text_slice(key));

	return found ? MAP_OF(found, struct golden_row, entry) : NULL;
}

static struct golden_row *add_row(struct golden *golden, struct slice proxy, const struct text *key)
{
	struct golden_row *row = arena_zeroed(&golden->arena, sizeof *row);

	row->latency = arena_zeroed(&golden->arena, sizeof *row->latency);
	row->available = row->endpoints = row->connections = row->pending = NAN;
	if (golden->choice.apart)
		row->proxy = proxy;
	map_insert(&golden->map, &row->entry, join(golden, "", text_slice(key)));
	return row;
}

static void begin_key(const struct golden *golden, struct slice proxy, struct text *key)
{
	if (golden->choice.apart)
		text_format(key, "%.*s ", SLICE_ARGS(proxy));
}

static struct golden_row *row_of(struct golden *golden, struct slice proxy, const struct meter *meter)
{
	struct text key = { 0 };
	struct golden_row *row;

	begin_key(golden, proxy, &key);
	append_key(golden, meter, &key);
	row = find_row(golden, &key);
	if (!row) {
		row = add_row(golden, proxy, &key);
		name_row(golden, row, meter);
	}
	text_free(&key);
	return row;
}

static void name_flow(struct golden *golden, struct golden_row *row, const struct meter *flow, const struct ends_told *told)
{
	row->router = flow->router;
	row->kube.namespace = told->namespace;
	row->called = row->shown = told->called;
	if (told->inferred && told->called.length)
		row->shown = arena_format(&golden->arena, "(%.*s)", SLICE_ARGS(told->called));
	row->inferred = told->inferred;
	if (told->all) {
		row->endpoints = told->all;
		row->available = told->ready;
	}
	if (golden->choice.by != GOLDEN_PAIRS)
		return;
	row->caller = told->caller_shown;
	row->secured = flow->secured;
}

/* NULL: it isn't wanted. `idle`: nothing has happened; who is gone since is told no more. */
static struct golden_row *row_of_flow(struct golden *golden, struct slice proxy, const struct meter *flow, bool idle)
{
	bool pairs = golden->choice.by == GOLDEN_PAIRS;
	struct ends_told told;
	struct text key = { 0 };
	struct golden_row *row;

	ends_tell(golden->choice.ends, flow, &golden->arena, &told);
	if (!is_wanted_flow(&golden->choice, &told) || (idle && !told.known))
		return NULL;
	begin_key(golden, proxy, &key);
	text_format(&key, "%.*s %.*s %.*s", SLICE_ARGS(flow->router), SLICE_ARGS(told.namespace), SLICE_ARGS(told.called));
	if (pairs)
		text_format(&key, " %.*s %.*s %d", SLICE_ARGS(told.caller_shown), SLICE_ARGS(flow->secured), told.inferred);
	row = find_row(golden, &key);
	if (!row) {
		row = add_row(golden, proxy, &key);
		name_flow(golden, row, flow, &told);
	}
	row->kube.service = kube_name_join(&golden->arena, row->kube.service, flow->kube.service);
	text_free(&key);
	return row;
}

/* NaN + x is x: a number that nobody has stays unknown. */
static void sum(double *into, double value)
{
	if (!isnan(value))
		*into = isnan(*into) ? value : *into + value;
}

/* ---- one proxy ---- */

struct step {
	struct golden *golden;
	struct slice proxy;
	const struct reading *before, *now;
	double seconds;
};

/* A scope that expired and came again counts from nothing. */
static double grown(const struct meter *before, const struct meter *now, enum meter_count count)
{
	double difference = now->counts[count] - (before ? before->counts[count] : 0);

	return difference < 0 ? now->counts[count] : difference;
}

static bool is_idle(const struct step *step, const struct meter *meter)
{
	return grown(step->before ? reading_same(step->before, meter) : NULL, meter, COUNT_REQUESTS) <= 0;
}

static void add_traffic(const struct step *step, struct golden_row *row, const struct meter *meter)
{
	const struct meter *before = step->before ? reading_same(step->before, meter) : NULL;
	double requests, retries, failures;

	if (before && before->counts[COUNT_REQUESTS] > meter->counts[COUNT_REQUESTS])
		before = NULL;
	requests = grown(before, meter, COUNT_REQUESTS);
	failures = grown(before, meter, COUNT_FAILURES);
	retries = grown(before, meter, COUNT_RETRIES) + grown(before, meter, COUNT_REQUEUES);
	row->requests += requests;
	row->success += grown(before, meter, COUNT_SUCCESS);
	row->failures += failures;
	row->retries += retries;
	if (step->seconds > 0) {
		row->rate += requests / step->seconds;
		row->failure_rate += failures / step->seconds;
		row->retry_rate += retries / step->seconds;
		row->client_errors += grown(before, meter, COUNT_4XX) / step->seconds;
		row->server_errors += grown(before, meter, COUNT_5XX) / step->seconds;
	}
	sum(&row->pending, meter->gauges[GAUGE_PENDING]);
	meter_add_latency(meter, false, row->latency);
	if (before)
		meter_add_latency(before, true, row->latency);
}

static void add_client(struct golden_row *row, const struct meter *client)
{
	sum(&row->connections, client->gauges[GAUGE_CONNECTIONS]);
	sum(&row->proxy_available, client->gauges[GAUGE_AVAILABLE]);
	sum(&row->proxy_endpoints, client->gauges[GAUGE_ENDPOINTS]);
}

/* The endpoints of a service are those of the clients that it was sent to. */
static void add_clients(const struct step *step, struct golden_row *row, const struct meter *meter)
{
	const struct meter *client;

	if (meter->kind == METER_CLIENT) {
		add_client(row, meter);
	} else if (meter->kind == METER_SERVER) {
		sum(&row->connections, meter->gauges[GAUGE_CONNECTIONS]);
	} else if (meter->kind == METER_ROUTE) {
		client = reading_find(step->now, METER_CLIENT, meter->router, meter->name, SLICE(""));
		if (client)
			add_client(row, client);
	}
}

/* Once over all routes, not once for each service. */
static void add_routes_to_services(const struct step *step)
{
	READING_EACH(step->now, route) {
		const struct meter *service, *client;

		if (route->kind != METER_ROUTE)
			continue;
		service = reading_find(step->now, METER_SERVICE, route->router, route->service, SLICE(""));
		client = reading_find(step->now, METER_CLIENT, route->router, route->name, SLICE(""));
		if (service && client && is_wanted(step->golden, service))
			add_client(row_of(step->golden, step->proxy, service), client);
	}
}

static void add_security(struct golden_row *row, const struct meter *meter)
{
	row->handshakes += meter->counts[COUNT_HANDSHAKES];
	row->plaintext += meter->counts[COUNT_PLAINTEXT];
	row->connects += meter->counts[COUNT_CONNECTS];
}

/* Keeps what the proxy sees that has the smallest part of its endpoints up, and of several such the one with most endpoints. */
static void fold_endpoints(struct golden_row *row)
{
	double all = row->proxy_endpoints, up = row->proxy_available;
	double part = all > 0 ? up / all : 1, least = row->endpoints > 0 ? row->available / row->endpoints : 1;

	if (isnan(all) || isnan(up))
		return;
	if (isnan(row->endpoints) || part < least || (part == least && all > row->endpoints)) {
		row->available = up;
		row->endpoints = all;
	}
}

static double seconds_between(const struct reading *before, const struct reading *now)
{
	double from = before && before->uptime_ms <= now->uptime_ms ? before->uptime_ms : 0;

	return (now->uptime_ms - from) / 1000;
}

static void add_peer(struct golden *golden, struct golden_row *row, struct slice id)
{
	struct slice rest = row->peers, one;
	struct text text = { 0 };

	while (rest.length && slice_split(&rest, ' ', &one))
		if (slice_equal(one, id))
			return;
	text_append(&text, row->peers);
	if (text.length)
		text_append(&text, SLICE(" "));
	text_append(&text, id);
	row->peers = join(golden, "", text_slice(&text));
	text_free(&text);
}

static void add_peers(const struct step *step)
{
	READING_EACH(step->now, peer) {
		const struct meter *end;

		if (peer->kind != METER_PEER)
			continue;
		for (unsigned kind = METER_CLIENT; kind <= METER_SERVER; kind++) {
			end = reading_find(step->now, (enum meter_kind)kind, peer->router, peer->name, SLICE(""));
			if (end && is_wanted(step->golden, end))
				add_peer(step->golden, row_of(step->golden, step->proxy, end), peer->service);
		}
	}
}

void golden_add(struct golden *golden, struct slice proxy, const struct reading *before, const struct reading *now)
{
	struct step step = { .golden = golden, .proxy = proxy, .before = before, .now = now };

	if (before && before->uptime_ms > now->uptime_ms)
		step.before = NULL;
	step.seconds = seconds_between(step.before, now);
	golden->added++;
	MAP_EACH(&golden->map, e) {
		struct golden_row *row = MAP_OF(e, struct golden_row, entry);

		row->proxy_available = row->proxy_endpoints = NAN;
	}
	READING_EACH(now, meter) {
		struct golden_row *row;

		if (!is_wanted(golden, meter))
			continue;
		row = meter->kind == METER_FLOW ? row_of_flow(golden, proxy, meter, is_idle(&step, meter)) : row_of(golden, proxy, meter);
		if (!row)
			continue;
		if (row->proxies == 0)
			row->proxy_available = row->proxy_endpoints = NAN;
		row->proxies += row->counted != golden->added;
		row->counted = golden->added;
		if (golden->choice.kubernetes && meter->kind != METER_FLOW)
			add_kubernetes(golden, row, meter);
		add_traffic(&step, row, meter);
		add_clients(&step, row, meter);
		add_security(row, meter);
	}
	if (golden->choice.kind == METER_SERVICE)
		add_routes_to_services(&step);
	if (golden->choice.kind == METER_CLIENT && golden->choice.by == GOLDEN_NAMES)
		add_peers(&step);
	MAP_EACH(&golden->map, e)
		fold_endpoints(MAP_OF(e, struct golden_row, entry));
}

/* ---- the end ---- */

static int by_name(const void *a, const void *b)
{
	const struct golden_row *x = *(struct golden_row *const *)a, *y = *(struct golden_row *const *)b;
	const struct slice of_x[] = { x->router, x->kube.namespace, x->called, x->kube.service, x->service, x->client, x->from, x->to,
		x->caller, x->proxy };
	const struct slice of_y[] = { y->router, y->kube.namespace, y->called, y->kube.service, y->service, y->client, y->from, y->to,
		y->caller, y->proxy };
	int order = 0;

	for (unsigned i = 0; !order && i < sizeof of_x / sizeof *of_x; i++)
		order = slice_compare(of_x[i], of_y[i]);
	return order;
}

static double quantile(const struct histogram_view *view, double fraction)
{
	return view->count ? histogram_view_quantile(view, fraction) / 1000 : NAN;
}

static void finish_row(struct golden *golden, struct golden_row *row)
{
	double judged = row->success + row->failures, secure = row->handshakes + row->plaintext;
	struct text text = { 0 };

	row->success_percent = judged > 0 ? 100 * row->success / judged : NAN;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		row->latency->count += row->latency->buckets[i];
	row->p50_ms = quantile(row->latency, 0.5);
	row->p95_ms = quantile(row->latency, 0.95);
	row->p99_ms = quantile(row->latency, 0.99);
	if (row->connects == 0 && secure == 0)
		return;
	if (row->handshakes == 0)
		row->secured = SLICE("no");
	else if (row->plaintext == 0)
		row->secured = row->peers.length ? SLICE("mutual") : SLICE("tls");
	else {
		text_format(&text, "%.0f%%", floor(100 * row->handshakes / secure));
		row->secured = join(golden, "", text_slice(&text));
		text_free(&text);
	}
}

void golden_finish(struct golden *golden)
{
	golden->rows = memory_array(golden->map.count + 1, sizeof(struct golden_row *));
	MAP_EACH(&golden->map, e) {
		struct golden_row *row = MAP_OF(e, struct golden_row, entry);

		finish_row(golden, row);
		golden->rows[golden->count++] = row;
	}
	qsort(golden->rows, golden->count, sizeof(struct golden_row *), by_name);
}
