/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reload.h"

#include "admin/admin.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/recent_log.h"
#include "cli/cli.h"
#include "export/exporter.h"
#include "io/file.h"
#include "proxy/proxy.h"

static const int64_t try_again = 50 * CLOCK_MS;

struct reload {
	struct reload_options options; /* bytes and snapshot: the newest */
	struct slice tried;            /* the last bytes that were looked at, good or bad; heap */
	struct watch *watch;
	struct timer again;
	struct scope *scope;
	struct reload_stats *stats;
	bool stopped, held;
	bool missed, missed_anyhow; /* while held: a reload that is due, and whether by a signal */
};

struct reload_stats {
	struct counter reloads, failures;
};

static const struct metric metrics[] = {
	METRIC(struct reload_stats, reloads, METRIC_COUNTER, "reloads"),
	METRIC(struct reload_stats, failures, METRIC_COUNTER, "failures"),
};
static const struct metric_kind kind = {
	"configuration",
	metrics,
	sizeof metrics / sizeof *metrics,
	sizeof(struct reload_stats),
	1,
};

static bool from_stdin(const struct reload *reload)
{
	return strcmp(reload->options.path, "-") == 0;
}

/* What was printed line by line, for those who read the log elsewhere. */
static void remember(const struct reload *reload, struct slice printed)
{
	struct slice line;

	while (slice_split(&printed, '\n', &line))
		if (line.length)
			recent_log_put(loop_now(reload->options.loop), LOG_ERROR, "cli", line);
}

static void refuse(struct reload *reload, const struct text *why)
{
	counter_add(&reload->stats->failures, 1);
	file_print(true, text_slice(why));
	remember(reload, text_slice(why));
	LOG(LOG_ERROR, "cli", "%s is refused, the configuration before stays", reload->options.path);
}

static void take_over(struct reload *reload, struct snapshot *snapshot)
{
	struct snapshot *before = reload->options.snapshot;

	counter_add(&reload->stats->reloads, 1);
	if (!slice_equal(before->resolv_conf, snapshot->resolv_conf))
		LOG(LOG_WARN, "cli", "dns.resolvConf has changed: that takes effect at the next start");
	reload->options.snapshot = snapshot_ref(snapshot);
	snapshot_unref(before);
	admin_configure(reload->options.admin, snapshot);
	exporter_configure(reload->options.exporter, snapshot);
	LOG(LOG_INFO, "cli", "%s is loaded (configuration %llu)", reload->options.path, (unsigned long long)snapshot->generation);
	reload->options.loaded(reload->options.owner);
}

/* Compiles and applies `tried`. */
static void apply(struct reload *reload)
{
	struct text why = { 0 };
	struct snapshot *snapshot =
		cli_compile(reload->options.path, reload->tried, reload->options.store, reload->options.credentials, &why);
	int e;

	if (!snapshot) {
		refuse(reload, &why);
		goto done;
	}
	snapshot->generation = reload->options.snapshot->generation + 1;
	e = proxy_apply(reload->options.proxy, snapshot, &why);
	if (e == ERROR_BUSY) {
		/* The workers are still taking over the configuration before. */
		timer_set(reload->options.loop, &reload->again, loop_now(reload->options.loop) + try_again);
	} else if (e) {
		text_append(&why, SLICE("\n"));
		refuse(reload, &why);
	} else {
		take_over(reload, snapshot);
	}
done:
	snapshot_unref(snapshot);
	text_free(&why);
}

static void apply_again(void *owner)
{
	struct reload *reload = owner;

	if (reload->held)
		timer_set(reload->options.loop, &reload->again, loop_now(reload->options.loop) + try_again);
	else
		apply(reload);
}

/* Reads the file; applies it if it is new, or if `anyhow`. */
static void look(struct reload *reload, bool anyhow)
{
	struct text why = { 0 };
	struct slice bytes;

	if (reload->stopped || from_stdin(reload))
		return;
	if (reload->held) {
		reload->missed = true;
		reload->missed_anyhow |= anyhow;
		return;
	}
	if (!cli_read(reload->options.path, &bytes, &why)) {
		refuse(reload, &why);
		text_free(&why);
		return;
	}
	if (!anyhow && slice_equal(bytes, reload->tried)) {
		memory_free(bytes.at);
		return;
	}
	memory_free(reload->tried.at);
	reload->tried = bytes;
	timer_cancel(reload->options.loop, &reload->again);
	apply(reload);
}

void reload_now(struct reload *reload)
{
	look(reload, true);
}

void reload_hold(struct reload *reload, bool held)
{
	bool missed = reload->missed, anyhow = reload->missed_anyhow;

	reload->held = held;
	if (held)
		return;
	reload->missed = reload->missed_anyhow = false;
	if (missed)
		look(reload, anyhow);
}

/* ---- being told ---- */

/* A path's directory, on the heap, and what follows. */
static char *split(const char *path, struct slice *file)
{
	const char *slash = strrchr(path, '/');

	*file = slice_of(slash ? slash + 1 : path);
	if (!slash)
		return memory_text(SLICE("."));
	return memory_text(slice_make(path, slash == path ? 1 : (size_t)(slash - path)));
}

/* `..data` is the link that Kubernetes swaps when a ConfigMap has changed; the file itself is a link through it. */
static void changed(void *owner, struct slice name)
{
	struct reload *reload = owner;
	struct slice file;

	memory_free(split(reload->options.path, &file));
	if (name.length == 0 || slice_equal(name, file) || slice_equal(name, SLICE("..data")))
		look(reload, false);
}

static void watch(struct reload *reload)
{
	struct slice file;
	char *directory;
	int e;

	if (from_stdin(reload))
		return;
	directory = split(reload->options.path, &file);
	e = watch_new(reload->options.loop, directory, changed, reload, &reload->watch);
	if (e)
		LOG(LOG_WARN, "cli", "%s is not watched for changes: %s", directory, error_text(e));
	memory_free(directory);
}

/* ---- life ---- */

struct reload *reload_new(const struct reload_options *options)
{
	struct reload *reload = memory_new(sizeof *reload);
	const struct scope_label name = { SLICE("configuration"), { 0 } };

	reload->options = *options;
	reload->tried = options->bytes;
	snapshot_ref(options->snapshot);
	reload->scope = metrics_scope(options->metrics, &kind, &name, 1);
	reload->stats = scope_shard(reload->scope, 0);
	timer_init(&reload->again, apply_again, reload);
	watch(reload);
	return reload;
}

const struct snapshot *reload_snapshot(const struct reload *reload)
{
	return reload->options.snapshot;
}

void reload_stop(struct reload *reload)
{
	reload->stopped = true;
	timer_cancel(reload->options.loop, &reload->again);
}

void reload_free(struct reload *reload)
{
	if (!reload)
		return;
	reload_stop(reload);
	watch_free(reload->watch);
	scope_unref(reload->scope);
	snapshot_unref(reload->options.snapshot);
	memory_free(reload->tried.at);
	memory_free(reload);
}
