/* SPDX-License-Identifier: Apache-2.0 */
#include "support/chain.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "client/resolver.h"
#include "dialect/linkerd/linkerd.h"
#include "observe/metrics.h"
#include "proxy/proxy.h"
#include "support/contract.h"
#include "support/dns_message.h"

#define GRACE (5 * CLOCK_SECOND)

static struct origin *graveyard;

/* --- origins --- */

static void origin_opened(void *owner, struct session *session, struct side *side)
{
	struct origin *origin = owner;

	CHECK(session == side->session);
	origin->opened++;
	origin->served = call_serve(&origin->calls, origin->loop, side, origin->serve, origin);
}

static void origin_closed(void *owner, struct session *session, int error)
{
	(void)owner;
	(void)error;
	list_remove(&session->link);
}

static const struct session_events origin_events = { .opened = origin_opened, .closed = origin_closed };

static void origin_accepted(void *owner, struct stream *stream)
{
	struct origin *origin = owner;
	struct session *session;
	int e = origin->chain->options.codec->ends.server(
		origin->pools, stream, &(struct session_limits){ 0 }, &origin_events, origin, NULL, &session);

	CHECK(e == 0);
	list_append(&origin->sessions, &session->link);
	origin->connections++;
}

static struct loop *new_loop(const char *name)
{
	struct loop *loop;
	int e = loop_new(&(struct loop_options){ .name = name }, &loop);

	CHECK(e == 0);
	return loop;
}

static struct session_pools *new_pools(struct loop *loop)
{
	struct session_pools *pools;
	int e = session_pools_new(loop, 0, 0, &pools);

	CHECK(e == 0);
	return pools;
}

static struct origin *origin_new(struct chain *chain, unsigned index)
{
	struct address any = { .family = ADDRESS_IP4, .port = CHAIN_ORIGIN_PORT };
	struct origin *origin = memory_new(sizeof *origin);
	char ip[32];
	int e;

	snprintf(ip, sizeof ip, "10.0.1.%u", index + 1);
	origin->chain = chain;
	origin->serve = chain->options.serve;
	list_init(&origin->sessions);
	origin->host = sim_host_new(chain->sim, ip);
	origin->process = sim_process_new(origin->host, "origin");
	sim_process_enter(origin->process);
	origin->loop = new_loop("origin");
	origin->pools = new_pools(origin->loop);
	e = listen_open(origin->host, &any, 1, &(struct listen_options){ 0 }, &origin->set);
	CHECK(e == 0);
	origin->listener = listen_start(origin->set, 0, origin->loop, origin_accepted, origin);
	return origin;
}

void origin_crash(struct origin *origin)
{
	if (origin->crashed)
		return;
	sim_process_crash(origin->process, SIM_CRASH_RESET);
	origin->crashed = true;
}

static void origin_free(struct origin *origin)
{
	calls_free(&origin->calls);
	if (origin->crashed) {
		origin->buried = graveyard;
		graveyard = origin;
		return;
	}
	sim_process_enter(origin->process);
	CHECK(list_empty(&origin->sessions) && loop_buffers(origin->loop)->in_use == 0);
	listen_stop(origin->listener);
	listen_close(origin->set);
	session_pools_free(origin->pools);
	loop_free(origin->loop);
	memory_free(origin);
}

/* --- callers --- */

static void caller_available(void *owner, struct session *session)
{
	struct caller *caller = owner;

	CHECK(caller->session == session);
	caller->available = true;
}

static void caller_closed(void *owner, struct session *session, int error)
{
	struct caller *caller = owner;

	(void)error;
	CHECK(caller->session == session);
	caller->session = NULL;
}

static const struct session_events caller_events = { .available = caller_available, .closed = caller_closed };

static bool is_undecided(void *owner)
{
	const struct caller *caller = owner;

	return caller->session && caller->session->undecided;
}

struct caller *chain_connect(struct chain *chain)
{
	struct caller *caller = memory_new(sizeof *caller);
	struct address address = *sim_host_address(chain->proxy_host);
	struct stream *stream;
	int e;

	caller->chain = chain;
	caller->next = chain->callers;
	chain->callers = caller;
	address.port = CHAIN_PROXY_PORT;
	sim_host_enter(chain->client_host);
	e = network_connect(chain->client_host, chain->client_loop, &address, &(struct socket_options){ 0 }, &stream);
	CHECK(e == 0);
	e = chain->options.codec->ends.client(
		chain->client_pools, stream, &(struct session_limits){ 0 }, &caller_events, caller, NULL, &caller->session);
	CHECK(e == 0);
	if (caller->session->undecided)
		(void)sim_run_while(chain->sim, is_undecided, caller, CLOCK_MINUTE);
	return caller;
}

struct call *caller_begin(struct caller *caller, const char *head, bool end, call_script *script)
{
	struct call *call = call_begin(&caller->chain->calls, caller->session, head, end, script, caller);

	CHECK(call);
	return call;
}

void caller_close(struct caller *caller)
{
	if (caller->session)
		session_close(caller->session, RESET_CANCEL);
}

/* --- the name server --- */

struct reply {
	struct chain *chain;
	struct sim_service *service;
	struct address to;
	struct dns_message message;
};

static void answer_late(void *owner)
{
	struct reply *reply = owner;

	sim_datagram_reply(reply->service, &reply->to, dns_message_slice(&reply->message));
	memory_free(reply);
}

static void name_asked(void *owner, struct sim_service *service, const struct address *from, struct slice bytes)
{
	struct chain *chain = owner;
	struct reply *reply = memory_new(sizeof *reply);
	const uint8_t *query = (const uint8_t *)bytes.at;
	unsigned type = (unsigned)query[12 + sizeof "\4late\4name" + 1]; /* nothing else is asked for */

	CHECK(bytes.length > 12 + sizeof "\4late\4name" + 1 && memcmp(query + 12, "\4late\4name", sizeof "\4late\4name") == 0);
	*reply = (struct reply){ .chain = chain, .service = service, .to = *from };
	dns_message_start(&reply->message, (uint16_t)(query[0] << 8 | query[1]), 0x8180);
	dns_message_question(&reply->message, "late.name", type);
	if (type == DNS_A)
		dns_message_a(&reply->message, "late.name", 60, "\x0a\x00\x01\x01");
	else
		dns_message_soa(&reply->message, "name", 60, 60);
	sim_at(chain->sim, sim_now(chain->sim) + chain->options.late_ns, answer_late, reply);
}

/* --- the proxy --- */

static void configure(struct chain *chain)
{
	struct problems problems;
	struct snapshot *snapshot;
	struct text yaml = { 0 }, why = { 0 };
	int e;

	text_format(&yaml,
		"namers:\n- kind: io.l5d.fs\n  rootDir: disco\n"
		"routers:\n- protocol: %s\n  label: out\n"
		"  dtab: /svc => /#/io.l5d.fs; /svc/late.name => /$/inet/late.name/%u\n"
		"  servers:\n  - port: %u\n    ip: 0.0.0.0\n%s",
		chain->options.protocol ? chain->options.protocol : "http", CHAIN_ORIGIN_PORT, CHAIN_PROXY_PORT,
		chain->options.policy ? chain->options.policy : "");
	problem_init(&problems);
	e = linkerd_load(SLICE("chain.yaml"), text_slice(&yaml), &problems, &snapshot);
	if (e) {
		problem_print(&problems, &why);
		fprintf(stderr, "%s%s", yaml.bytes, why.bytes);
		abort();
	}
	problem_fini(&problems);
	e = proxy_apply(chain->proxy, snapshot, &why);
	CHECK(e == 0);
	snapshot_unref(snapshot);
	text_free(&yaml);
	text_free(&why);
}

static void put_names(struct chain *chain)
{
	struct text file = { 0 };

	for (unsigned i = 0; i < chain->options.origins; i++)
		text_format(&file, "10.0.1.%u %u\n", i + 1, CHAIN_ORIGIN_PORT);
	sim_file_put(chain->proxy_host, "disco/web", text_slice(&file));
	sim_file_put(chain->proxy_host, "resolv.conf", SLICE("nameserver 10.0.0.3\n"));
	text_free(&file);
}

static void start_proxy(struct chain *chain)
{
	static const char *const names[CHAIN_WORKERS] = { "worker-0", "worker-1" };
	struct proxy_options options = { .network = chain->proxy_host,
		.worker_count = chain->options.workers,
		.workers = chain->workers,
		.codec = &chain->options.codec->checked };
	int e;

	put_names(chain);
	chain->process = sim_process_new(chain->proxy_host, "proxy");
	sim_process_enter(chain->process);
	chain->control = new_loop("control");
	for (unsigned i = 0; i < chain->options.workers; i++)
		chain->workers[i] = new_loop(names[i]);
	chain->metrics = metrics_new(chain->options.workers);
	e = resolver_new(chain->control, chain->proxy_host, &(struct resolver_options){ .resolv_conf = "resolv.conf", .hosts = "hosts" },
		&chain->resolver);
	CHECK(e == 0);
	options.control = chain->control;
	options.metrics = chain->metrics;
	options.resolver = chain->resolver;
	e = proxy_new(&options, &chain->proxy);
	CHECK(e == 0);
	configure(chain);
}

/* --- the chain --- */

struct chain *chain_new(const struct chain_options *options)
{
	struct chain *chain = memory_new(sizeof *chain);
	struct sim_options sim = { 0 };

	chain->options = *options;
	if (options->calm)
		sim.link = SIM_LINK_CALM;
	if (options->workers == 0)
		chain->options.workers = 1;
	if (options->origins == 0)
		chain->options.origins = 1;
	chain->sim = sim_new(options->seed, &sim);
	chain->client_host = sim_host_new(chain->sim, "10.0.0.1");
	chain->client_loop = new_loop("client");
	chain->client_pools = new_pools(chain->client_loop);
	chain->name_server = sim_host_new(chain->sim, "10.0.0.3");
	sim_datagram_serve(chain->name_server, 53, name_asked, chain);
	for (unsigned i = 0; i < chain->options.origins; i++)
		chain->origins[i] = origin_new(chain, i);
	chain->proxy_host = sim_host_new(chain->sim, "10.0.0.2");
	start_proxy(chain);
	sim_run_for(chain->sim, 10 * CLOCK_MS); /* it listens */
	return chain;
}

static void drained(void *owner, bool in_time)
{
	struct chain *chain = owner;

	chain->drained = true;
	chain->in_time = in_time;
}

void chain_drain(struct chain *chain)
{
	chain->draining = true;
	sim_process_enter(chain->process);
	proxy_drain(chain->proxy, GRACE, drained, chain);
}

static bool has_drained(struct chain *chain)
{
	return chain->drained;
}

static void stop_proxy(struct chain *chain)
{
	struct sim_open open;

	chain_drain(chain);
	CHECK(chain_run_until(chain, has_drained));
	CHECK(chain->in_time);
	sim_process_enter(chain->process);
	proxy_free(chain->proxy);
	resolver_free(chain->resolver);
	metrics_free(chain->metrics);
	for (unsigned i = 0; i < chain->options.workers; i++)
		CHECK(loop_buffers(chain->workers[i])->in_use == 0);
	sim_process_open(chain->process, &open);
	CHECK(open.streams == 0 && open.listeners == 0 && open.listen_sets == 0 && open.timers == 0 && open.channels == 0 &&
		open.buffers == 0);
	for (unsigned i = 0; i < chain->options.workers; i++)
		loop_free(chain->workers[i]);
	loop_free(chain->control);
}

void chain_free(struct chain *chain)
{
	/* Calls that were not answered are cut off here, as by a caller that goes away. */
	for (struct call *call = chain->calls; call; call = call->next)
		call_release(call, RESET_CANCEL);
	for (struct caller *caller = chain->callers; caller; caller = caller->next)
		caller_close(caller);
	sim_run_for(chain->sim, CLOCK_SECOND);
	chain_check_metrics(chain);
	stop_proxy(chain);
	sim_run_for(chain->sim, 10 * CLOCK_SECOND); /* what lingers ends */
	calls_free(&chain->calls);
	for (unsigned i = 0; i < chain->options.origins; i++)
		origin_free(chain->origins[i]);
	codecs_check_finished();
	while (chain->callers) {
		struct caller *caller = chain->callers;

		chain->callers = caller->next;
		CHECK(!caller->session);
		memory_free(caller);
	}
	CHECK(loop_buffers(chain->client_loop)->in_use == 0);
	session_pools_free(chain->client_pools);
	loop_free(chain->client_loop);
	sim_free(chain->sim);
	memory_free(chain);
}

/* --- running --- */

struct wish {
	struct chain *chain;
	const struct call *call;
	bool (*is_so)(struct chain *chain);
};

static bool not_so(void *owner)
{
	const struct wish *q = owner;

	return !q->is_so(q->chain);
}

static bool call_is_over(const struct call *call)
{
	return !call->side || call->ended || call->was_reset;
}

static bool not_over(void *owner)
{
	const struct wish *q = owner;

	return !call_is_over(q->call);
}

bool chain_run_until(struct chain *chain, bool (*is_so)(struct chain *chain))
{
	struct wish q = { .chain = chain, .is_so = is_so };

	return !not_so(&q) || sim_run_while(chain->sim, not_so, &q, CLOCK_MINUTE);
}

bool chain_run_until_over(struct chain *chain, const struct call *call)
{
	struct wish q = { .chain = chain, .call = call };

	return !not_over(&q) || sim_run_while(chain->sim, not_over, &q, CLOCK_MINUTE);
}

static bool all_over(struct chain *chain)
{
	for (const struct call *call = chain->calls; call; call = call->next)
		if (!call_is_over(call))
			return false;
	return true;
}

bool chain_run_until_all_over(struct chain *chain)
{
	return chain_run_until(chain, all_over);
}

unsigned chain_opened(const struct chain *chain)
{
	unsigned opened = 0;

	for (unsigned i = 0; i < chain->options.origins; i++)
		opened += chain->origins[i]->opened;
	return opened;
}

unsigned chain_connections(const struct chain *chain)
{
	unsigned connections = 0;

	for (unsigned i = 0; i < chain->options.origins; i++)
		connections += chain->origins[i]->connections;
	return connections;
}
