/* SPDX-License-Identifier: Apache-2.0 */
/* weft proxy: loads a configuration, makes the loops and their threads, and lives until it is told to end. */
#include <stdlib.h>

#include "admin/admin.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "client/resolver.h"
#include "io/file.h"
#include "io/process.h"
#include "io/thread.h"
#include "proxy/proxy.h"

enum { MAX_THREADS = 256, IDLE_MINUTES = 10 };

#define RELOAD_AGAIN (50 * CLOCK_MS)

/* The process's one object: everything else hangs below it. */
struct process {
	const char *path;
	unsigned threads;
	struct loop *control, *admin_loop;
	struct loop **loops;           /* the workers' */
	struct thread **thread_list;   /* the workers', then admin's */
	unsigned started;
	struct metrics *metrics;
	struct resolver *resolver;
	struct proxy *proxy;
	struct admin *admin;
	struct signals *signals;
	struct watch *watch;
	struct timer minute, reload_again;
	struct snapshot *snapshot;     /* the newest that was applied */
	uint64_t generation;
	struct scope *scope;
	struct reload_stats *stats;
	bool ending;
};

struct reload_stats {
	struct counter successes, failures;
};

static const struct metric reload_metrics[] = {
	METRIC(struct reload_stats, successes, METRIC_COUNTER, "reloads"),
	METRIC(struct reload_stats, failures, METRIC_COUNTER, "failures"),
};
static const struct metric_kind reload_kind = { "configuration", reload_metrics, 2, sizeof(struct reload_stats), 1 };

/* ---- ending ---- */

static void stop(struct process *process)
{
	for (unsigned i = 0; i < process->threads; i++)
		loop_stop(process->loops[i]);
	loop_stop(process->admin_loop);
	loop_stop(process->control);
}

static void drained(void *owner, bool in_time)
{
	struct process *process = owner;

	if (!in_time)
		LOG(LOG_WARN, "proxy", "the grace is over: what still ran was cut off");
	stop(process);
}

static void begin_ending(void *owner)
{
	struct process *process = owner;

	if (process->ending)
		return;
	process->ending = true;
	LOG(LOG_INFO, "proxy", "draining for at most %lld ms", (long long)(process->snapshot->admin.shutdown_grace_ns / CLOCK_MS));
	proxy_drain(process->proxy, process->snapshot->admin.shutdown_grace_ns, drained, process);
}

/* ---- reloading ---- */

static void reload(void *owner)
{
	struct process *process = owner;
	struct text why = { 0 };
	struct snapshot *snapshot;
	int e;

	if (process->ending || strcmp(process->path, "-") == 0)
		return;
	snapshot = cli_load(process->path, &why);
	if (!snapshot) {
		counter_add(&process->stats->failures, 1);
		file_print(true, text_slice(&why));
		LOG(LOG_ERROR, "proxy", "%s is refused; the configuration before stays", process->path);
		text_free(&why);
		return;
	}
	snapshot->generation = process->generation + 1;
	e = proxy_apply(process->proxy, snapshot, &why);
	if (e == ERROR_BUSY) {
		timer_set(process->control, &process->reload_again, loop_now(process->control) + RELOAD_AGAIN);
	} else if (e) {
		counter_add(&process->stats->failures, 1);
		LOG(LOG_ERROR, "proxy", "%.*s; the configuration before stays", SLICE_ARGS(text_slice(&why)));
	} else {
		process->generation++;
		counter_add(&process->stats->successes, 1);
		snapshot_unref(process->snapshot);
		process->snapshot = snapshot_ref(snapshot);
		admin_configure(process->admin, snapshot);
		LOG(LOG_INFO, "proxy", "%s is loaded (configuration %llu)", process->path, (unsigned long long)process->generation);
	}
	snapshot_unref(snapshot);
	text_free(&why);
}

static void received(void *owner, enum process_signal which)
{
	struct process *process = owner;

	if (which == PROCESS_RELOAD)
		reload(process);
	else if (process->ending)
		process_exit(1);
	else
		begin_ending(process);
}

/* The file's directory is watched: editors and Kubernetes replace files rather than write them. `..data` is the link that
 * Kubernetes swaps when a ConfigMap has changed. */
static void changed(void *owner, struct slice name)
{
	struct process *process = owner;
	const char *slash = strrchr(process->path, '/');
	struct slice file = slice_of(slash ? slash + 1 : process->path);

	if (name.length == 0 || slice_equal(name, file) || slice_equal(name, SLICE("..data")))
		reload(process);
}

static int watch_file(struct process *process)
{
	const char *slash = strrchr(process->path, '/');
	char *directory;
	int e;

	if (strcmp(process->path, "-") == 0)
		return 0;
	directory = slash ? memory_text(slice_make(process->path, slash == process->path ? 1 : (size_t)(slash - process->path))) : memory_text(SLICE("."));
	e = watch_new(process->control, directory, changed, process, &process->watch);
	memory_free(directory);
	return e;
}

/* ---- starting ---- */

static void each_minute(void *owner)
{
	struct process *process = owner;

	metrics_rotate(process->metrics, IDLE_MINUTES);
	timer_set(process->control, &process->minute, loop_now(process->control) + CLOCK_MINUTE);
}

static void run_loop(void *loop)
{
	loop_run(loop);
}

static int make_loops(struct process *process)
{
	int e = loop_new(&(struct loop_options){ .name = "control" }, &process->control);

	if (!e)
		e = loop_new(&(struct loop_options){ .name = "admin" }, &process->admin_loop);
	process->loops = memory_array(process->threads, sizeof *process->loops);
	process->thread_list = memory_array(process->threads + 1, sizeof *process->thread_list);
	for (unsigned i = 0; i < process->threads && !e; i++)
		e = loop_new(&(struct loop_options){ .name = "worker" }, &process->loops[i]);
	return e;
}

static int start_threads(struct process *process)
{
	char name[16];
	int e = 0;

	for (unsigned i = 0; i < process->threads && !e; i++) {
		struct text text = { 0 };

		text_format(&text, "worker-%u", i);
		memcpy(name, text.bytes, text.length + 1);
		text_free(&text);
		e = thread_start(name, run_loop, process->loops[i], &process->thread_list[process->started]);
		process->started += !e;
	}
	if (!e) {
		e = thread_start("admin", run_loop, process->admin_loop, &process->thread_list[process->started]);
		process->started += !e;
	}
	return e;
}

static void show_listener(void *owner, struct slice label, const struct address *bound)
{
	char text[ADDRESS_TEXT];

	(void)owner;
	address_format(bound, text);
	cli_say("listening on %s (rt/%.*s)", text, SLICE_ARGS(label));
}

static void show_addresses(struct process *process)
{
	struct address bound;
	char text[ADDRESS_TEXT];

	proxy_each_listener(process->proxy, show_listener, NULL);
	admin_address(process->admin, &bound);
	address_format(&bound, text);
	cli_say("admin on %s", text);
}

static int make_parts(struct process *process, struct text *why)
{
	struct proxy_options proxy = { .network = network_host(), .control = process->control, .workers = process->loops, .worker_count = process->threads };
	struct admin_options admin = { .network = network_host(), .loop = process->admin_loop, .worker_count = process->threads,
		                       .shut_down = begin_ending, .owner = process };
	int e = signals_new(process->control, received, process, &process->signals);

	process->metrics = proxy.metrics = admin.metrics = metrics_new(process->threads);
	process->scope = metrics_scope(process->metrics, &reload_kind, (const struct scope_label[]){ { SLICE("configuration"), { 0 } } }, 1);
	process->stats = scope_shard(process->scope, 0);
	if (!e)
		e = resolver_new(process->control, network_host(), &(struct resolver_options){ .resolv_conf = process->snapshot->resolv_conf.length ? process->snapshot->resolv_conf.at : NULL },
		                 &process->resolver);
	proxy.resolver = process->resolver;
	if (!e)
		e = proxy_new(&proxy, &process->proxy);
	if (e) {
		text_format(why, "cannot start: %s", error_text(e));
		return e;
	}
	admin.proxy = process->proxy;
	e = proxy_apply(process->proxy, process->snapshot, why);
	return e ? e : admin_new(&admin, &process->snapshot->admin.address, &process->admin, why);
}

static int live(struct process *process)
{
	int e = watch_file(process);

	if (e)
		LOG(LOG_WARN, "proxy", "%s is not watched for changes: %s", process->path, error_text(e));
	timer_init(&process->minute, each_minute, process);
	timer_init(&process->reload_again, reload, process);
	timer_set(process->control, &process->minute, loop_now(process->control) + CLOCK_MINUTE);
	admin_configure(process->admin, process->snapshot);
	show_addresses(process);
	e = start_threads(process);
	if (e) {
		cli_complain("weft proxy: cannot start a thread: %s", error_text(e));
		process_exit(1);
	}
	loop_run(process->control);
	for (unsigned i = 0; i < process->started; i++)
		thread_join(process->thread_list[i]);
	return 0;
}

static void close_down(struct process *process)
{
	timer_cancel(process->control, &process->minute);
	timer_cancel(process->control, &process->reload_again);
	watch_free(process->watch);
	admin_free(process->admin);
	proxy_free(process->proxy);
	resolver_free(process->resolver);
	signals_free(process->signals);
	scope_unref(process->scope);
	snapshot_unref(process->snapshot);
}

static int run(struct process *process)
{
	struct text why = { 0 };

	process_start();
	process->snapshot = cli_load(process->path, &why);
	if (!process->snapshot) {
		file_print(true, text_slice(&why));
		return 2;
	}
	process->snapshot->generation = process->generation = 1;
	if (make_loops(process)) {
		cli_complain("weft proxy: cannot make an event loop");
		return 1;
	}
	if (make_parts(process, &why)) {
		cli_complain("weft proxy: %.*s", SLICE_ARGS(text_slice(&why)));
		return 2;
	}
	live(process);
	close_down(process);
	return 0;
}

/* ---- the command ---- */

static int read_threads(const char *text, unsigned *threads)
{
	uint64_t value;

	if (!text || slice_to_u64(slice_of(text), MAX_THREADS, &value) || value == 0) {
		cli_complain("weft proxy: --threads takes a number from 1 to %d, not `%s`", MAX_THREADS, text ? text : "");
		return 2;
	}
	*threads = (unsigned)value;
	return 0;
}

int cli_proxy(int count, char **arguments)
{
	struct process process = { .threads = thread_cores() };

	for (int i = 0; i < count; i++) {
		if (strcmp(arguments[i], "--threads") == 0) {
			if (read_threads(i + 1 < count ? arguments[i + 1] : NULL, &process.threads))
				return 2;
			i++;
		} else if (arguments[i][0] == '-' && arguments[i][1]) {
			return cli_unknown("option", arguments[i], (const char *const[]){ "--threads", "--help", NULL });
		} else if (process.path) {
			cli_complain("weft proxy: one file, not `%s` and `%s`", process.path, arguments[i]);
			return 2;
		} else {
			process.path = arguments[i];
		}
	}
	if (!process.path) {
		cli_complain("weft proxy: which file? usage: weft proxy FILE.yaml [--threads N]");
		return 2;
	}
	return run(&process);
}
