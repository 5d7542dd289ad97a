/* SPDX-License-Identifier: Apache-2.0 */
/* weft proxy: loads a configuration, makes the loops and their threads, and lives until it is told to end. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/reload.h"
#include "cli/succession.h"
#include "cli/supervise.h"
#include "client/resolver.h"
#include "export/dns.h"
#include "control/supervised.h"
#include "export/exporter.h"
#include "io/file.h"
#include "io/inherit.h"
#include "io/process.h"
#include "io/thread.h"
#include "observe/access_log.h"
#include "proxy/credentials.h"
#include "proxy/proxy.h"
#include "tls/store.h"

enum { MOST_THREADS = 256, IDLE_MINUTES = 10, NAME_BYTES = 32 };

#define FLUSH_GRACE CLOCK_SECOND /* for the last spans */
#define READY_LOOK CLOCK_MS

/* The process's one object: everything else hangs below it. */
struct process {
	const char *path;
	unsigned threads;
	const char *handover;   /* the socket's path; NULL: none */
	int64_t drain_ns;       /* after a handover; 0: as after SIGTERM */
	bool supervise;         /* by this process, if it has no supervisor itself */
	bool stay;              /* drained after a handover it waits for SIGTERM, which is still to come */
	struct slice bytes;     /* of the file, until reload takes them */
	struct snapshot *first; /* as it was at the start */
	struct loop *control, *admin_loop, *log_loop;
	struct access_logs *access_logs;
	struct loop **loops;     /* the workers' */
	struct thread **running; /* the workers', then admin's */
	unsigned running_count;
	struct metrics *metrics;
	struct scope *dns;
	struct resolver *resolver;
	struct proxy *proxy;
	struct admin *admin;
	struct exporter *exporter;
	struct tls_store *store;
	struct scope *certificates; /* struct tls_store_counters */
	struct credentials *credentials;
	struct signals *signals;
	unsigned signalled, told; /* how often it was told to end, by a signal and by the supervisor */
	struct supervised *supervised;
	struct inherited *inherited;
	struct scope *restarts;
	struct reload *reload;
	struct succession *succession;
	struct timer minute, ready, delay;
	struct text shown; /* the lines about listeners that were printed and still hold */
	bool ending, cut_off;
	bool accepts; /* and those that it matters to know */
	bool given;   /* ending, because another process has the sockets */
	bool hurried; /* that, and then SIGTERM came */
	bool idle;    /* that, drained, and it stays */
	bool refused; /* the process before goes on */
};

/* ---- ending ---- */

static void flushed(void *owner)
{
	struct process *process = owner;

	for (unsigned i = 0; i < process->threads; i++)
		loop_stop(process->loops[i]);
	loop_stop(process->admin_loop);
	loop_stop(process->log_loop);
	loop_stop(process->control);
}

static void drained(void *owner, bool in_time)
{
	struct process *process = owner;

	process->cut_off = !in_time;
	if (!in_time)
		LOG(LOG_WARN, "cli", "the grace is over: what still ran was cut off");
	process->idle = process->given && process->stay && !process->hurried;
	if (process->idle)
		LOG(LOG_INFO, "cli", "drained; waiting for SIGTERM");
	else
		exporter_flush(process->exporter, FLUSH_GRACE, flushed, process);
}

static void stop_changing(struct process *process)
{
	process->ending = true;
	timer_cancel(process->control, &process->ready);
	reload_stop(process->reload);
	credentials_stop(process->credentials);
}

static void drain(void *owner)
{
	struct process *process = owner;
	int64_t grace = reload_snapshot(process->reload)->admin.shutdown_grace_ns;

	LOG(LOG_INFO, "cli", "draining for at most %lld ms", (long long)(grace / CLOCK_MS));
	if (succession_end(process->succession)) {
		admin_leave(process->admin); /* its callers are the other process's, too */
		proxy_leave(process->proxy, grace, drained, process);
	} else {
		proxy_drain(process->proxy, grace, drained, process);
	}
}

/* First it says that it isn't ready, and goes on until that is known. */
static void begin_ending(void *owner)
{
	struct process *process = owner;
	int64_t delay = reload_snapshot(process->reload)->admin.drain_delay_ns;

	if (process->ending)
		return;
	stop_changing(process);
	/* Not after a handover: systemd would count TimeoutStopSec from then, kill what still drains, and start it again. */
	process_notify("STOPPING=1");
	admin_drain(process->admin);
	if (delay == 0 || !process->accepts || process->refused) {
		drain(process);
		return;
	}
	LOG(LOG_INFO, "cli", "not ready; draining in %lld ms", (long long)(delay / CLOCK_MS));
	timer_set(process->control, &process->delay, loop_now(process->control) + delay);
}

/* It drains after a handover, with patience for long connections, and is told to end. One that would stay is told so in an upgrade that
 * goes as planned, and keeps its patience; told again, it hurries. */
static void hurry(struct process *process)
{
	if (process->stay && !process->idle) {
		process->stay = false;
		LOG(LOG_INFO, "cli", "told to end: it drains on, within the limit");
		return;
	}
	process->hurried = true;
	if (process->idle)
		exporter_flush(process->exporter, FLUSH_GRACE, flushed, process);
	else
		proxy_hurry(process->proxy, reload_snapshot(process->reload)->admin.shutdown_grace_ns);
}

static void end_when_told(struct process *process)
{
	if (!process->reload)
		process_exit(0); /* while it waits for its identity, or for the process before it */
	if (process->given && !process->hurried) {
		hurry(process);
	} else if (process->ending) {
		process_exit(1);
	} else {
		begin_ending(process);
	}
}

static void load_when_told(struct process *process)
{
	if (!process->reload)
		return;
	reload_now(process->reload);
	access_logs_reopen(process->access_logs);
}

/* A terminal's Ctrl-C, or systemd, may tell the supervisor and this process, too; once told by both is told once. */
static void received(void *owner, enum process_signal which)
{
	struct process *process = owner;

	if (which == PROCESS_RELOAD)
		load_when_told(process);
	else if (++process->signalled > process->told)
		end_when_told(process);
}

static void told(void *owner, enum process_signal which)
{
	struct process *process = owner;

	if (which == PROCESS_RELOAD)
		load_when_told(process);
	else if (++process->told > process->signalled)
		end_when_told(process);
}

/* ---- the supervisor ---- */

static void supervisor_lost(void *owner)
{
	struct process *process = owner;

	if (!process->reload)
		process_exit(2);
	if (!process->given)
		begin_ending(process);
}

static void supervisor_began(void *owner)
{
	struct process *process = owner;

	loop_stop(process->control);
}

static void find_supervisor(struct process *process)
{
	const struct supervised_options options = {
		.loop = process->control,
		.inherited = process->inherited,
		.began = supervisor_began,
		.told = told,
		.lost = supervisor_lost,
		.owner = process,
	};

	if (supervised_new(&options, &process->supervised) == 0)
		loop_run(process->control);
}

/* ---- one process after another ---- */

static void handover_begins(void *owner)
{
	struct process *process = owner;

	reload_hold(process->reload, true);
}

static void add_sockets(void *owner, const int *descriptors, unsigned count, uint8_t role)
{
	sockets_add(owner, descriptors, count, role);
}

static void collect_sockets(void *owner, struct sockets *sockets)
{
	struct process *process = owner;

	proxy_each_socket(process->proxy, add_sockets, sockets);
	admin_each_socket(process->admin, add_sockets, sockets);
}

static void handover_failed(void *owner)
{
	struct process *process = owner;

	if (!process->ending)
		reload_hold(process->reload, false);
}

/* Who is connected stays here until it is done, or until the limit; all others are the new process's. */
static void handover_given(void *owner)
{
	struct process *process = owner;
	int64_t limit = reload_snapshot(process->reload)->admin.shutdown_grace_ns;

	process->given = true;
	process->hurried = process->ending; /* SIGTERM has come, and it still waited for that to be known */
	timer_cancel(process->control, &process->delay);
	if (!process->ending)
		stop_changing(process);
	if (process->drain_ns && !process->hurried)
		limit = process->drain_ns;
	LOG(LOG_INFO, "cli", "draining for at most %lld ms", (long long)(limit / CLOCK_MS));
	admin_leave(process->admin);
	proxy_leave(process->proxy, limit, drained, process);
}

static void handover_refused(void *owner)
{
	struct process *process = owner;

	process->refused = true;
	begin_ending(process);
}

static int make_succession(struct process *process, struct text *why)
{
	const struct succession_options options = {
		.loop = process->control,
		.path = process->handover,
		.supervised = process->supervised,
		.inherited = process->inherited,
		.begins = handover_begins,
		.collect = collect_sockets,
		.failed = handover_failed,
		.given = handover_given,
		.refused = handover_refused,
		.owner = process,
	};

	return succession_new(&options, &process->succession, why);
}

/* Once the workers accept, it is told to whom it matters: the process before, systemd. */
static void look_whether_ready(void *owner)
{
	struct process *process = owner;

	if (!proxy_is_configured(process->proxy)) {
		timer_set(process->control, &process->ready, loop_now(process->control) + READY_LOOK);
		return;
	}
	process->accepts = true;
	admin_ready(process->admin);
	succession_ready(process->succession);
	process_notify("READY=1"); /* if there is a supervisor, it does that */
}

/* ---- starting ---- */

static void has_identity(void *owner)
{
	struct process *process = owner;

	loop_stop(process->control);
}

/* With an identity from a signer nothing begins before there is one: callers are refused, not served in some other way. */
static bool make_credentials(struct process *process, struct text *why)
{
	const struct credentials_options options = {
		.network = network_host(),
		.loop = process->control,
		.store = process->store,
		.policy = &process->first->identity,
		.ready = has_identity,
		.owner = process,
	};
	int e = credentials_new(&options, &process->credentials);

	if (e) {
		text_format(why, "weft proxy: cannot start: %s\n", error_text(e));
		return false;
	}
	if (credentials_are_ready(process->credentials))
		return true;
	LOG(LOG_INFO, "cli", "waiting for an identity from %s", process->first->identity.socket.text.at);
	loop_run(process->control);
	return true;
}

static bool load(struct process *process)
{
	struct text why = { 0 };

	if (cli_read(process->path, &process->bytes, &why))
		process->first = cli_parse(process->path, process->bytes, &why);
	if (process->first &&
		!(make_credentials(process, &why) && cli_secure(process->first, process->store, process->credentials, &why))) {
		snapshot_unref(process->first);
		process->first = NULL;
	}
	if (process->first)
		process->first->generation = 1;
	else
		file_print(true, text_slice(&why));
	text_free(&why);
	return process->first != NULL;
}

static int make_loops(struct process *process)
{
	int e = loop_new(&(struct loop_options){ .name = "admin" }, &process->admin_loop);

	if (!e)
		e = loop_new(&(struct loop_options){ .name = "log" }, &process->log_loop);
	process->loops = memory_array(process->threads, sizeof *process->loops);
	process->running = memory_array(process->threads + 2, sizeof *process->running);
	for (unsigned i = 0; i < process->threads && !e; i++)
		e = loop_new(&(struct loop_options){ .name = "worker" }, &process->loops[i]);
	return e;
}

static int make_resolver(struct process *process)
{
	struct resolver_options options = { 0 };

	process->dns = dns_metrics(process->metrics, &options.counts);
	if (process->first->resolv_conf.length)
		options.resolv_conf = process->first->resolv_conf.at;
	return resolver_new(process->control, network_host(), &options, &process->resolver);
}

static int make_access_logs(struct process *process)
{
	const struct access_logs_options options = {
		.loop = process->log_loop,
		.metrics = process->metrics,
		.workers = process->threads,
		.takes_over = succession_takes_over(process->succession),
	};

	return access_logs_new(&options, &process->access_logs);
}

static int make_proxy(struct process *process)
{
	const struct proxy_options options = {
		.network = network_host(),
		.control = process->control,
		.workers = process->loops,
		.worker_count = process->threads,
		.metrics = process->metrics,
		.resolver = process->resolver,
		.access_logs = process->access_logs,
		.records = process->first->admin.request_records,
		.inherited = process->inherited,
	};

	return proxy_new(&options, &process->proxy);
}

static int make_admin(struct process *process, struct text *why)
{
	const struct admin_options options = {
		.network = network_host(),
		.loop = process->admin_loop,
		.proxy = process->proxy,
		.metrics = process->metrics,
		.worker_count = process->threads,
		.inherited = process->inherited,
		.shut_down = begin_ending,
		.owner = process,
	};

	return admin_new(&options, &process->first->admin, &process->admin, why);
}

static int make_exporter(struct process *process)
{
	const struct exporter_options options = {
		.network = network_host(),
		.loop = process->control,
		.resolver = process->resolver,
		.proxy = process->proxy,
		.metrics = process->metrics,
		.process = admin_process(process->admin),
		.worker_count = process->threads,
	};

	return exporter_new(&options, &process->exporter);
}

static void count_certificates(struct process *process)
{
	static const struct metric metrics[] = {
		METRIC(struct tls_store_counters, reloads, METRIC_COUNTER, "reloads"),
		METRIC(struct tls_store_counters, failures, METRIC_COUNTER, "failures"),
	};
	static const struct metric_kind kind = { "certificates", metrics, 2, sizeof(struct tls_store_counters), 1 };
	const struct scope_label name = { SLICE("certificates"), { 0 } };

	process->certificates = metrics_scope(process->metrics, &kind, &name, 1);
	tls_store_count(process->store, scope_shard(process->certificates, 0));
}

struct restart_stats {
	struct counter restarts;
};

/* Counted since the supervisor began, not since this process did. */
static void count_restarts(struct process *process)
{
	static const struct metric metrics[] = { METRIC(struct restart_stats, restarts, METRIC_COUNTER, "restarts") };
	static const struct metric_kind kind = { "process", metrics, 1, sizeof(struct restart_stats), 1 };
	const struct scope_label name = { SLICE("process"), { 0 } };
	struct restart_stats *stats;

	if (!process->supervised)
		return;
	process->restarts = metrics_scope(process->metrics, &kind, &name, 1);
	stats = scope_shard(process->restarts, 0);
	counter_add(&stats->restarts, supervised_restarts(process->supervised));
}

/* *why stays empty when the error says all. */
static int make_parts(struct process *process, struct text *why)
{
	int e = make_loops(process);

	process->metrics = metrics_new(process->threads);
	count_certificates(process);
	count_restarts(process);
	credentials_show(process->credentials, process->metrics);
	if (!e)
		e = make_resolver(process);
	if (!e)
		e = make_succession(process, why);
	if (!e)
		e = make_access_logs(process);
	if (!e)
		e = make_proxy(process);
	if (!e)
		e = proxy_apply(process->proxy, process->first, why);
	if (!e)
		e = make_admin(process, why);
	if (!e)
		e = make_exporter(process);
	return e;
}

static void each_minute(void *owner)
{
	struct process *process = owner;

	metrics_rotate(process->metrics, IDLE_MINUTES);
	timer_set(process->control, &process->minute, loop_now(process->control) + CLOCK_MINUTE);
}

/* ---- telling where it listens ---- */

struct showing {
	struct process *process;
	struct text lines;
};

static void show_listener(void *owner, struct slice label, const struct address *bound)
{
	struct showing *showing = owner;
	struct text line = { 0 };
	char text[ADDRESS_TEXT];

	address_format(bound, text);
	text_format(&line, "listening on %s (rt/%.*s)\n", text, SLICE_ARGS(label));
	if (!strstr(text_slice(&showing->process->shown).at, line.bytes))
		file_print(false, text_slice(&line));
	text_append(&showing->lines, text_slice(&line));
	text_free(&line);
}

/* Those that were not there before. */
static void show_listeners(void *owner)
{
	struct process *process = owner;
	struct showing showing = { .process = process };

	proxy_each_listener(process->proxy, show_listener, &showing);
	text_free(&process->shown);
	process->shown = showing.lines;
}

static void loaded(void *owner)
{
	struct process *process = owner;

	show_listeners(process);
	succession_changed(process->succession);
}

static void show_admin(struct process *process)
{
	struct address bound;
	char text[ADDRESS_TEXT];

	admin_address(process->admin, &bound);
	address_format(&bound, text);
	cli_say("admin on %s", text);
	if (!admin_identifier_address(process->admin, &bound))
		return;
	address_format(&bound, text);
	cli_say("identifiers on %s", text);
}

/* What only begins once everything is made. */
static void begin(struct process *process)
{
	process->reload = reload_new(&(struct reload_options){
		.loop = process->control,
		.path = process->path,
		.bytes = process->bytes,
		.snapshot = process->first,
		.store = process->store,
		.credentials = process->credentials,
		.proxy = process->proxy,
		.admin = process->admin,
		.exporter = process->exporter,
		.metrics = process->metrics,
		.loaded = loaded,
		.owner = process,
	});
	admin_configure(process->admin, process->first);
	exporter_configure(process->exporter, process->first);
	timer_init(&process->minute, each_minute, process);
	timer_set(process->control, &process->minute, loop_now(process->control) + CLOCK_MINUTE);
	timer_init(&process->delay, drain, process);
	timer_init(&process->ready, look_whether_ready, process);
	timer_set(process->control, &process->ready, loop_now(process->control));
}

/* ---- running ---- */

static void run_loop(void *loop)
{
	loop_run(loop);
}

static int start_thread(struct process *process, const char *name, struct loop *loop)
{
	int e = thread_start(name, run_loop, loop, &process->running[process->running_count]);

	process->running_count += !e;
	return e;
}

static int start_threads(struct process *process)
{
	int e = start_thread(process, "admin", process->admin_loop);

	if (!e)
		e = start_thread(process, "log", process->log_loop);
	for (unsigned i = 0; i < process->threads && !e; i++) {
		char name[NAME_BYTES];

		snprintf(name, sizeof name, "worker-%u", i);
		e = start_thread(process, name, process->loops[i]);
	}
	return e;
}

/* Loops and metrics stay, and after a cut everything: calls still lie in them, and the process ends now. */
static void close_down(struct process *process)
{
	for (unsigned i = 0; i < process->running_count; i++)
		thread_join(process->running[i]);
	access_logs_free(process->access_logs);
	if (process->cut_off)
		return;
	timer_cancel(process->control, &process->minute);
	reload_free(process->reload);
	admin_free(process->admin);
	exporter_free(process->exporter);
	proxy_free(process->proxy);
	succession_free(process->succession);
	supervised_free(process->supervised);
	inherited_free(process->inherited);
	resolver_free(process->resolver);
	scope_unref(process->dns);
	signals_free(process->signals);
	snapshot_unref(process->first);
	tls_store_free(process->store);
	credentials_free(process->credentials);
	scope_unref(process->certificates);
	if (process->restarts)
		scope_unref(process->restarts);
}

static int run(struct process *process)
{
	struct text why = { 0 };
	int e;

	process_start();
	e = loop_new(&(struct loop_options){ .name = "control" }, &process->control);
	if (e) {
		cli_complain("weft proxy: cannot start: %s", error_text(e));
		return 2;
	}
	e = signals_new(process->control, received, process, &process->signals);
	if (e) {
		cli_complain("weft proxy: cannot start: %s", error_text(e));
		return 2;
	}
	process->inherited = inherited_new();
	find_supervisor(process);
	process->store = tls_store_new(process->control);
	if (!load(process))
		return 2;
	e = make_parts(process, &why);
	if (e) {
		cli_complain("weft proxy: cannot start: %s", why.length ? why.bytes : error_text(e));
		text_free(&why);
		return 2;
	}
	begin(process);
	e = start_threads(process);
	if (e) {
		cli_complain("weft proxy: cannot start a thread: %s", error_text(e));
		process_exit(2);
	}
	show_listeners(process);
	show_admin(process);
	loop_run(process->control);
	close_down(process);
	if (process->refused)
		return 2;
	return process->cut_off ? 1 : 0;
}

/* ---- the command ---- */

static bool read_threads(const char *text, unsigned *threads)
{
	uint64_t value;

	if (!text || slice_to_u64(slice_of(text), MOST_THREADS, &value) || value == 0) {
		cli_complain("weft proxy: --threads takes a number from 1 to %d, not `%s`", MOST_THREADS, text ? text : "");
		return false;
	}
	*threads = (unsigned)value;
	return true;
}

int cli_proxy(int count, char **arguments)
{
	static struct process process;
	const char *threads = NULL, *drain = NULL, *files[2];
	const struct argument table[] = {
		{ "--threads", .value = &threads },
		{ "--handover", .value = &process.handover },
		{ "--supervise", .flag = &process.supervise },
		{ "--drain", .value = &drain },
		{ "--stay", .flag = &process.stay },
		{ .name = NULL },
	};

	process.threads = thread_cores();
	if (!arguments_read("proxy", count, arguments, table, files, 0, 2) || (threads && !read_threads(threads, &process.threads)) ||
		!arguments_span("proxy", "--drain", drain, &process.drain_ns))
		return 2;
	if ((drain || process.stay) && !process.handover) {
		cli_complain("weft proxy: %s is for after a handover: it goes with --handover SOCKET", drain ? "--drain" : "--stay");
		return 2;
	}
	process.path = files[0];
	if (files[1]) {
		cli_complain("weft proxy: one file, not `%s` and `%s`", files[0], files[1]);
		return 2;
	}
	if (!process.path) {
		cli_complain("weft proxy: which file? usage: weft proxy FILE.yaml [--threads N]");
		return 2;
	}
	if (process.supervise)
		return supervise(count, arguments, process.path, process.stay);
	return run(&process);
}
