/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "discover/k8s_clusters.h"
#include "io/inherit.h"
#include "observe/access_log.h"
#include "observe/record.h"
#include "observe/span.h"
#include "proxy/binder.h"
#include "proxy/flows.h"
#include "proxy/joining.h"
#include "proxy/live.h"
#include "proxy/router.h"
#include "proxy/stats.h"
#include "tls/server.h"

enum {
	PROXY_MAGIC = 0x70726f78,
	CONTROL_INBOX = 65536,
	SPANS_KEPT = 4096, /* of a worker, until the exporter has seen them */
};

#define OUTBOX_RETRY CLOCK_MS
#define DRAIN_LOOK (5 * CLOCK_MS)
#define SHUT_DOWN_GRACE (2 * CLOCK_SECOND)
#define QUEUE_GRACE (500 * CLOCK_MS)    /* for accepting what waits */
#define HANDSHAKE_GRACE (20 * CLOCK_MS) /* for handshakes under way, which are in no queue yet */
#define HOUSEKEEPING CLOCK_SECOND

struct proxy {
	uint32_t magic;
	struct proxy_options options;
	struct channel *control;
	struct live live;
	struct k8s_clusters *clusters; /* outlive configurations */
	struct worker *workers;
	struct ring **recents, **spans; /* per worker; NULL until a configuration wants them */
	struct joining *joining;        /* NULL until a configuration wants it */
	struct list *outboxes;          /* per worker: struct letter, when its inbox was full */
	struct timer outbox_timer, house_timer, drain_timer;
	struct snapshot *snapshot; /* counted; NULL before the first */
	int64_t since;             /* wall clock: when it was applied */
	struct binder *binder;
	unsigned binders;        /* alive, retired ones too */
	unsigned configuring;    /* workers that have not taken over the newest configuration yet */
	struct binder *retiring; /* the one before, until they have */
	struct list ports;
	unsigned generation;
	bool shutting_down;
	int64_t drain_end, queue_end, handshake_end;
	bool told;      /* draining: the workers, that they are to stop accepting */
	bool listening; /* draining: some worker may still accept */
	void (*drained)(void *owner, bool in_time);
	void *drain_owner;
	bool in_time;
};

/* ---- messages to workers are never lost ---- */

struct letter {
	struct list link;
	struct message message;
};

static void flush_outboxes(void *owner)
{
	struct proxy *proxy = owner;
	bool left = false;

	for (unsigned i = 0; i < proxy->options.worker_count; i++) {
		LIST_EACH_SAFE(&proxy->outboxes[i], link, after) {
			struct letter *letter = LIST_OF(link, struct letter, link);

			if (channel_post(proxy->workers[i].inbox, letter->message)) {
				left = true;
				break;
			}
			list_remove(link);
			memory_free(letter);
		}
	}
	if (left)
		timer_set(proxy->options.control, &proxy->outbox_timer, loop_now(proxy->options.control) + OUTBOX_RETRY);
}

static void post(void *owner, unsigned worker, struct message message)
{
	struct proxy *proxy = owner;

	if (list_empty(&proxy->outboxes[worker]) && channel_post(proxy->workers[worker].inbox, message) == 0)
		return;
	struct letter *letter = memory_new(sizeof *letter);
	letter->message = message;
	list_append(&proxy->outboxes[worker], &letter->link);
	if (!timer_is_set(&proxy->outbox_timer))
		timer_set(proxy->options.control, &proxy->outbox_timer, loop_now(proxy->options.control) + OUTBOX_RETRY);
}

/* ---- ports ---- */

static struct port *port_at(struct list *link)
{
	return LIST_OF(link, struct port, link);
}

static double read_certificate_left(void *owner)
{
	const struct port *port = owner;

	return (double)tls_server_left(port->tls);
}

/* What it shows of its certificate. */
static void port_secure(struct proxy *proxy, struct port *port, struct tls_server *tls)
{
	if (tls == port->tls && (!tls || port->tls_scope == port->scope))
		return;
	metrics_gauge_remove(proxy->options.metrics, port);
	if (tls)
		tls_server_ref(tls);
	tls_server_unref(port->tls);
	port->tls = tls;
	port->tls_scope = port->scope;
	if (tls)
		metrics_gauge(proxy->options.metrics, port->scope, "tls/certificate_expires_in_s", read_certificate_left, port);
}

static void port_free(struct proxy *proxy, struct port *port)
{
	list_remove(&port->link);
	listen_close(port->set);
	port_secure(proxy, port, NULL);
	if (port->scope)
		scope_unref(port->scope);
	for (unsigned i = 0; i < port->past_count; i++)
		scope_unref(port->past[i]);
	memory_free(port->past);
	memory_free(port);
}

/* Ports of older configurations. Their workers have stopped accepting: who comes now is refused, and another process may listen there. They
 * are freed once no session has them any more. */
static void free_old_ports(struct proxy *proxy)
{
	if (proxy->configuring)
		return;
	LIST_EACH_SAFE(&proxy->ports, link, after) {
		struct port *port = port_at(link);

		if (port->generation == proxy->generation)
			continue;
		listen_close(port->set);
		port->set = NULL;
		port_secure(proxy, port, NULL);
		if (atomic_load_explicit(&port->references, memory_order_acquire) == 1)
			port_free(proxy, port);
	}
}

static struct port *port_find(struct proxy *proxy, const struct address *asked, unsigned generation)
{
	LIST_EACH(&proxy->ports, link) {
		struct port *port = port_at(link);

		/* Two listeners may both ask for port 0: each gets one of its own. */
		if (port->set && address_equal(&port->asked, asked) && !(asked->port == 0 && port->generation == generation))
			return port;
	}
	return NULL;
}

static struct scope *server_scope(struct proxy *proxy, struct slice label, const struct address *bound)
{
	char ip[ADDRESS_TEXT];
	struct text at = { 0 };
	struct scope *scope;

	address_format_ip(bound, ip);
	text_format(&at, "%s/%u", ip, bound->port);
	scope = metrics_scope(proxy->options.metrics, &server_kind,
		(const struct scope_label[]){ { SLICE("rt"), label }, { SLICE("server"), text_slice(&at) } }, 2);
	text_free(&at);
	return scope;
}

/* The label of the router that has the port from now on. Each label that it ever had is kept once. */
static void port_relabel(struct proxy *proxy, struct port *port, struct slice label)
{
	struct scope *before = port->scope;

	port->scope = server_scope(proxy, label, &port->bound);
	if (!before)
		return;
	for (unsigned i = 0; i < port->past_count; i++) {
		if (port->past[i] == port->scope) {
			scope_unref(port->past[i]);
			port->past[i] = before;
			return;
		}
	}
	if (before == port->scope) {
		scope_unref(before);
		return;
	}
	port->past = memory_grow(port->past, port->past_count + 1, sizeof *port->past);
	port->past[port->past_count++] = before;
}

static int port_open(struct proxy *proxy, struct slice label, const struct listener_policy *policy, struct port **out, struct text *why)
{
	struct port *port = memory_new(sizeof *port);
	struct listen_options options = {
		.backlog = policy->backlog,
		.exclusive = policy->exclusive,
		.socket = { .keep_alive = policy->keep_alive, .delay = policy->delay },
		.inherited = proxy->options.inherited,
		.role = INHERITED_PROXY,
	};
	int e = listen_open(proxy->options.network, &policy->address, proxy->options.worker_count, &options, &port->set);

	if (e) {
		char text[ADDRESS_TEXT];

		address_format(&policy->address, text);
		text_format(why, "cannot listen on %s (router %.*s): %s", text, SLICE_ARGS(label),
			e == ERROR_EXISTS                ? "the address is in use"
				: e == ERROR_UNREACHABLE ? "not an address of this host"
							 : error_text(e));
		memory_free(port);
		return e;
	}
	port->asked = policy->address;
	listen_address(port->set, &port->bound);
	atomic_init(&port->references, 1);
	list_append(&proxy->ports, &port->link);
	*out = port;
	return 0;
}

/* ---- configurations ---- */

static unsigned count_listeners(const struct snapshot *snapshot)
{
	unsigned count = 0;

	for (unsigned i = 0; i < snapshot->router_count; i++)
		count += snapshot->routers[i].listener_count;
	return count;
}

static void label_ports(const struct snapshot *snapshot, struct proxy *proxy, struct port **ports)
{
	unsigned n = 0;

	for (unsigned i = 0; i < snapshot->router_count; i++)
		for (unsigned j = 0; j < snapshot->routers[i].listener_count; j++)
			port_relabel(proxy, ports[n++], snapshot->routers[i].label);
}

/* Finds or opens a port for each listener, in order. On an error those opened now are closed again. */
static int ports_for(struct proxy *proxy, const struct snapshot *snapshot, struct port **ports, struct text *why)
{
	unsigned generation = proxy->generation + 1, n = 0;
	int e = 0;

	for (unsigned i = 0; i < snapshot->router_count && !e; i++) {
		const struct router *router = &snapshot->routers[i];

		for (unsigned j = 0; j < router->listener_count && !e; j++) {
			struct port *port = port_find(proxy, &router->listeners[j].address, generation);

			if (!port)
				e = port_open(proxy, router->label, &router->listeners[j], &port, why);
			if (!e) {
				port->previous_generation = port->generation;
				port->generation = generation;
				ports[n++] = port;
			}
		}
	}
	if (!e) {
		label_ports(snapshot, proxy, ports);
		return 0;
	}
	while (n-- > 0) {
		ports[n]->generation = ports[n]->previous_generation;
		if (ports[n]->generation == 0)
			port_free(proxy, ports[n]);
	}
	return e;
}

/* A ring once made is kept, and only read from when a later configuration doesn't want it any more. */
static struct ring *recents_for(struct proxy *proxy, unsigned worker, const struct telemetry_policy *telemetry)
{
	if (!telemetry->recent_requests)
		return NULL;
	if (!proxy->recents[worker])
		proxy->recents[worker] = ring_new(sizeof(struct recent), telemetry->recent_capacity);
	return proxy->recents[worker];
}

static struct ring *spans_for(struct proxy *proxy, unsigned worker, const struct telemetry_policy *telemetry)
{
	if (!telemetry_wants_spans(telemetry))
		return NULL;
	if (!proxy->spans[worker])
		proxy->spans[worker] = ring_new(sizeof(struct span), SPANS_KEPT);
	return proxy->spans[worker];
}

/* Once made it is kept: attempts that are in it end there, whatever the configuration is by then. */
static struct joining *joining_for(struct proxy *proxy, const struct snapshot *snapshot)
{
	for (unsigned i = 0; i < snapshot->router_count && !proxy->joining; i++)
		if (snapshot->routers[i].joins_count)
			proxy->joining = joining_new(proxy->workers[0].hash_key);
	return proxy->joining;
}

static bool writes_log(const struct proxy *proxy, const struct router *router)
{
	return proxy->options.access_logs && router->access_log.path.length > 0;
}

static struct worker_config *config_make(
	struct proxy *proxy, struct worker *worker, struct snapshot *snapshot, struct binder *binder, struct port **ports)
{
	unsigned listeners = count_listeners(snapshot), n = 0;
	struct worker_config *config = memory_new(sizeof *config + listeners * sizeof config->entries[0]);

	config->routers = memory_array(snapshot->router_count, sizeof *config->routers);
	config->router_count = snapshot->router_count;
	config->entry_count = listeners;
	config->recents = recents_for(proxy, worker->index, &snapshot->telemetry);
	config->recent_rate = snapshot->telemetry.recent_sample_rate;
	config->spans = spans_for(proxy, worker->index, &snapshot->telemetry);
	config->span_rate = telemetry_span_rate(&snapshot->telemetry);
	config->joining = joining_for(proxy, snapshot);
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct router *router = &snapshot->routers[i];

		config->routers[i] = router_make(worker, snapshot, i, binder, proxy->options.metrics);
		if (writes_log(proxy, router))
			config->routers[i]->access_lines =
				access_log_lines(access_logs_find(proxy->options.access_logs, router->access_log.path), worker->index);
		for (unsigned j = 0; j < router->listener_count; j++, n++) {
			ports[n]->router = i;
			ports[n]->listener = j;
			config->entries[n].port = ports[n];
			config->entries[n].scope = ports[n]->scope;
			config->entries[n].router = i;
			config->entries[n].policy = &router->listeners[j];
			port_secure(proxy, ports[n], router->listeners[j].tls_server);
		}
	}
	return config;
}

void proxy_configured(struct proxy *proxy)
{
	CHECK_MAGIC(proxy, PROXY_MAGIC);
	CHECK(proxy->configuring > 0);
	if (--proxy->configuring)
		return;
	if (proxy->retiring)
		binder_retire(proxy->retiring);
	proxy->retiring = NULL;
	free_old_ports(proxy);
}

struct worker *proxy_workers(struct proxy *proxy, unsigned *count)
{
	*count = proxy->options.worker_count;
	return proxy->workers;
}

static void deliver_config(const struct message *message)
{
	worker_configure(message->owner, message->a);
	worker_acknowledge(message->owner);
}

static void binder_gone(void *owner, struct binder *binder)
{
	struct proxy *proxy = owner;

	(void)binder;
	proxy->binders--;
}

static int open_logs(struct proxy *proxy, const struct snapshot *snapshot, struct text *why)
{
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct router *router = &snapshot->routers[i];
		struct access_log *log;
		int e = writes_log(proxy, router) ? access_logs_open(proxy->options.access_logs, &router->access_log, &log) : 0;

		if (e) {
			text_format(why, "the access log of the router `%.*s` can't be written to %.*s: %s", SLICE_ARGS(router->label),
				SLICE_ARGS(router->access_log.path), error_text(e));
			return e;
		}
	}
	return 0;
}

int proxy_apply(struct proxy *proxy, struct snapshot *snapshot, struct text *why)
{
	struct binder_options options = {
		.loop = proxy->options.control,
		.network = proxy->options.network,
		.resolver = proxy->options.resolver,
		.clusters = proxy->clusters,
		.live = &proxy->live,
		.post = post,
		.gone = binder_gone,
		.owner = proxy,
		.workers = proxy->workers,
		.worker_count = proxy->options.worker_count,
	};
	struct binder *binder;
	int e;

	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (proxy->configuring) {
		text_format(why, "the configuration before is still being taken over");
		return ERROR_BUSY;
	}
	struct port **ports = memory_array(count_listeners(snapshot) + 1, sizeof *ports);
	e = binder_new(&options, snapshot, &binder, why);
	if (e)
		goto no_binder;
	proxy->binders++;
	e = open_logs(proxy, snapshot, why);
	if (!e)
		e = ports_for(proxy, snapshot, ports, why);
	if (e)
		goto no_ports;
	if (proxy->options.access_logs)
		access_logs_begin(proxy->options.access_logs);
	proxy->generation++;
	proxy->retiring = proxy->binder;
	proxy->binder = binder;
	if (proxy->snapshot)
		snapshot_unref(proxy->snapshot);
	proxy->snapshot = snapshot_ref(snapshot);
	proxy->since = loop_wall(proxy->options.control);
	proxy->configuring = proxy->options.worker_count;
	for (unsigned i = 0; i < proxy->options.worker_count; i++)
		post(proxy, i,
			(struct message){ .deliver = deliver_config,
				.owner = &proxy->workers[i],
				.a = config_make(proxy, &proxy->workers[i], snapshot, binder, ports) });
	binder_tell_ingresses(binder);
	memory_free(ports);
	return 0;

no_ports:
	binder_retire(binder);
no_binder:
	memory_free(ports);
	return e;
}

void proxy_each_listener(struct proxy *proxy, void (*visit)(void *owner, struct slice label, const struct address *bound), void *owner)
{
	for (unsigned i = 0; i < proxy->snapshot->router_count; i++) {
		const struct router *router = &proxy->snapshot->routers[i];

		for (unsigned j = 0; j < router->listener_count; j++)
			LIST_EACH(&proxy->ports, link)
				if (port_at(link)->generation == proxy->generation && port_at(link)->router == i &&
					port_at(link)->listener == j)
					visit(owner, router->label, &port_at(link)->bound);
	}
}

void proxy_each_socket(struct proxy *proxy, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner)
{
	LIST_EACH(&proxy->ports, link) {
		const struct port *port = port_at(link);
		const int *descriptors;
		unsigned count;

		if (port->generation != proxy->generation || !port->set)
			continue;
		descriptors = listen_descriptors(port->set, &count);
		visit(owner, descriptors, count, port->asked.port ? INHERITED_BY_NUMBER : INHERITED_PROXY);
	}
}

bool proxy_is_configured(const struct proxy *proxy)
{
	return proxy->configuring == 0;
}

/* ---- life ---- */

static void housekeeping(void *owner)
{
	struct proxy *proxy = owner;

	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (proxy->binder)
		binder_end_probation(proxy->binder);
	flows_tidy(proxy, &proxy->live, loop_now(proxy->options.control));
	live_bury(&proxy->live);
	free_old_ports(proxy);
	timer_set(proxy->options.control, &proxy->house_timer, loop_now(proxy->options.control) + HOUSEKEEPING);
}

static void drain_look(void *owner);

int proxy_new(const struct proxy_options *options, struct proxy **out)
{
	struct proxy *proxy = memory_new(sizeof *proxy);
	unsigned made = 0;
	int e;

	CHECK(options->worker_count > 0 && options->worker_count <= PLACES_WORKERS);
	proxy->magic = PROXY_MAGIC;
	proxy->options = *options;
	list_init(&proxy->ports);
	live_init(&proxy->live, options->metrics);
	proxy->live.began = loop_wall(options->control);
	proxy->clusters = k8s_clusters_new(options->control, options->network, options->resolver, options->metrics);
	timer_init(&proxy->outbox_timer, flush_outboxes, proxy);
	timer_init(&proxy->house_timer, housekeeping, proxy);
	timer_init(&proxy->drain_timer, drain_look, proxy);
	e = channel_new(options->control, CONTROL_INBOX, &proxy->control);
	if (e)
		goto no_channel;
	proxy->workers = memory_array(options->worker_count, sizeof *proxy->workers);
	proxy->outboxes = memory_array(options->worker_count, sizeof *proxy->outboxes);
	proxy->recents = memory_array(options->worker_count, sizeof *proxy->recents);
	proxy->spans = memory_array(options->worker_count, sizeof *proxy->spans);
	for (; made < options->worker_count; made++) {
		list_init(&proxy->outboxes[made]);
		e = worker_init(&proxy->workers[made], proxy, made, options->workers[made], options->network, options->codec,
			proxy->control, options->records);
		if (e)
			goto no_worker;
	}
	timer_set(options->control, &proxy->house_timer, loop_now(options->control) + HOUSEKEEPING);
	*out = proxy;
	return 0;

no_worker:
	while (made-- > 0)
		worker_fini(&proxy->workers[made]);
	memory_free(proxy->workers);
	memory_free(proxy->outboxes);
	memory_free(proxy->recents);
	memory_free(proxy->spans);
	channel_free(proxy->control);
no_channel:
	k8s_clusters_free(proxy->clusters);
	live_fini(&proxy->live);
	memory_free(proxy);
	return e;
}

/* Once no worker accepts any more, callers are refused at once and can go elsewhere, instead of waiting in a queue that nobody
 * empties. */
static void close_ports(struct proxy *proxy)
{
	for (unsigned i = 0; i < proxy->options.worker_count; i++)
		if (atomic_load_explicit(&proxy->workers[i].left_draining, memory_order_acquire) == UINT32_MAX)
			return;
	proxy->listening = false;
	LIST_EACH(&proxy->ports, link) {
		listen_close(port_at(link)->set);
		port_at(link)->set = NULL;
	}
}

static void deliver_drain(const struct message *message)
{
	worker_drain(message->owner);
}

static void deliver_shut_down(const struct message *message)
{
	worker_shut_down(message->owner);
}

static void tell_workers(struct proxy *proxy, void (*deliver)(const struct message *))
{
	for (unsigned i = 0; i < proxy->options.worker_count; i++)
		post(proxy, i, (struct message){ .deliver = deliver, .owner = &proxy->workers[i] });
}

static bool workers_are_quiet(struct proxy *proxy)
{
	for (unsigned i = 0; i < proxy->options.worker_count; i++) {
		struct worker *worker = &proxy->workers[i];

		if (atomic_load_explicit(proxy->shutting_down ? &worker->left_shutting_down : &worker->left_draining, memory_order_acquire))
			return false;
	}
	return true;
}

static bool queues_are_empty(struct proxy *proxy)
{
	LIST_EACH(&proxy->ports, link)
		if (port_at(link)->set && listen_waiting(port_at(link)->set))
			return false;
	return true;
}

/* Nothing enters the queues any more; once nobody is in them the workers stop. */
static void tell_to_stop(struct proxy *proxy, int64_t now)
{
	if (now < proxy->drain_end && (now < proxy->handshake_end || (now < proxy->queue_end && !queues_are_empty(proxy))))
		return;
	proxy->told = true;
	tell_workers(proxy, deliver_drain);
}

/* First what runs may finish, for as long as the grace allows; then everything is closed. */
static void drain_look(void *owner)
{
	struct proxy *proxy = owner;
	int64_t now = loop_now(proxy->options.control);
	bool quiet = workers_are_quiet(proxy);

	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (!proxy->told)
		tell_to_stop(proxy, now);
	if (proxy->listening)
		close_ports(proxy);
	if (!proxy->shutting_down && (quiet || now >= proxy->drain_end)) {
		proxy->in_time = quiet;
		proxy->shutting_down = true;
		proxy->drain_end = now + SHUT_DOWN_GRACE;
		tell_workers(proxy, deliver_shut_down);
	} else if (proxy->shutting_down && (quiet || now >= proxy->drain_end)) {
		proxy->drained(proxy->drain_owner, proxy->in_time && quiet);
		return;
	}
	timer_set(proxy->options.control, &proxy->drain_timer, now + DRAIN_LOOK);
}

static void begin_draining(struct proxy *proxy, int64_t queue_ns, int64_t grace_ns, void (*drained)(void *owner, bool in_time), void *owner)
{
	int64_t now = loop_now(proxy->options.control);

	proxy->drained = drained;
	proxy->drain_owner = owner;
	proxy->queue_end = now + queue_ns;
	proxy->handshake_end = queue_ns ? now + HANDSHAKE_GRACE : now;
	proxy->drain_end = clock_after(now, grace_ns);
	proxy->listening = true;
	tell_to_stop(proxy, now);
	timer_set(proxy->options.control, &proxy->drain_timer, now + DRAIN_LOOK);
}

void proxy_drain(struct proxy *proxy, int64_t grace_ns, void (*drained)(void *owner, bool in_time), void *owner)
{
	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (proxy->drained)
		return;
	LIST_EACH(&proxy->ports, link)
		if (port_at(link)->set)
			listen_deafen(port_at(link)->set);
	begin_draining(proxy, QUEUE_GRACE, grace_ns, drained, owner);
}

void proxy_leave(struct proxy *proxy, int64_t grace_ns, void (*drained)(void *owner, bool in_time), void *owner)
{
	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (proxy->drained)
		return;
	begin_draining(proxy, 0, grace_ns, drained, owner);
}

void proxy_hurry(struct proxy *proxy, int64_t grace_ns)
{
	int64_t end = clock_after(loop_now(proxy->options.control), grace_ns);

	CHECK_MAGIC(proxy, PROXY_MAGIC);
	if (proxy->drained && !proxy->shutting_down && end < proxy->drain_end)
		proxy->drain_end = end;
}

void proxy_free(struct proxy *proxy)
{
	CHECK_MAGIC(proxy, PROXY_MAGIC);
	timer_cancel(proxy->options.control, &proxy->outbox_timer);
	timer_cancel(proxy->options.control, &proxy->house_timer);
	timer_cancel(proxy->options.control, &proxy->drain_timer);
	if (!proxy->shutting_down || !workers_are_quiet(proxy))
		return; /* the process ends with calls cut off: nothing is left to be tidy for */
	for (unsigned i = 0; i < proxy->options.worker_count; i++) {
		worker_fini(&proxy->workers[i]);
		ring_free(proxy->recents[i]);
		ring_free(proxy->spans[i]);
	}
	channel_free(proxy->control);
	if (proxy->binders > 1 || (proxy->binder && binder_is_held(proxy->binder)))
		return; /* the same: a delegation was asked for that has no answer yet */
	proxy->generation++;
	LIST_EACH_SAFE(&proxy->ports, link, after)
		port_free(proxy, port_at(link));
	if (proxy->binder)
		binder_retire(proxy->binder);
	CHECK(proxy->binders == 0);
	if (proxy->snapshot)
		snapshot_unref(proxy->snapshot);
	k8s_clusters_free(proxy->clusters);
	live_fini(&proxy->live);
	memory_free(proxy->workers);
	memory_free(proxy->outboxes);
	memory_free(proxy->recents);
	memory_free(proxy->spans);
	joining_free(proxy->joining);
	memory_free(proxy);
}

/* ---- what is seen from outside ---- */

struct binder *proxy_binder(struct proxy *proxy)
{
	return proxy->binder;
}

int64_t proxy_since(struct proxy *proxy)
{
	return proxy->since;
}

struct ring *proxy_records(struct proxy *proxy, unsigned worker)
{
	return proxy->workers[worker].records;
}

struct ring *proxy_notes(struct proxy *proxy, unsigned worker)
{
	return proxy->workers[worker].notes;
}

struct ring *proxy_recents(struct proxy *proxy, unsigned worker)
{
	return proxy->recents[worker];
}

struct ring *proxy_spans(struct proxy *proxy, unsigned worker)
{
	return proxy->spans[worker];
}

struct live *proxy_live(struct proxy *proxy)
{
	return &proxy->live;
}

struct channel *proxy_channel(struct proxy *proxy)
{
	return proxy->control;
}
