/* SPDX-License-Identifier: Apache-2.0 */
/* observe/metrics.h: scopes of counters, gauges and histograms.
 *
 * A *scope* is a named place (`rt/outgoing`, then `service/svc/hello`) with one C struct of statistics for each worker, its
 * shard. A static table says which members that struct has and how they are called. Workers write their own shard with plain
 * relaxed stores and know nothing of this file; readers sum the shards. Scopes are made and removed on the control thread; a
 * lock keeps that apart from readers on the admin thread. The number of scopes of a kind is capped; beyond the cap
 * metrics_scope answers an `overflow` scope: the same labels with every value but the first replaced.
 *
 *	static const struct metric service_metrics[] = {
 *		METRIC(struct service_stats, requests, METRIC_COUNTER, "requests"),
 *		METRIC(struct service_stats, latency, METRIC_STAT, "request_latency_ms"),
 *	};
 *	static const struct metric_kind service_kind = { "service", service_metrics, 2, sizeof(struct service_stats), 4096 };
 *	struct scope_label at[] = { { SLICE("rt"), label }, { SLICE("service"), SLICE("svc/hello") } };
 *	struct scope *scope = metrics_scope(metrics, &service_kind, at, 2);
 *	struct service_stats *mine = scope_shard(scope, worker_index);
 *	counter_add(&mine->requests, 1);
 *	histogram_record(&mine->latency, microseconds);
 *	scope_unref(scope);              // control thread; removed when nobody refers to it and it was idle for some time
 */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/slice.h"
#include "observe/histogram.h"

struct metrics;
struct scope;

enum metric_type {
	METRIC_COUNTER,   /* struct counter; summed; only grows */
	METRIC_SEEN,      /* the same, left out while it is 0: for what is seldom met, such as kinds of failures */
	METRIC_GAUGE,     /* struct counter read as int64_t; summed */
	METRIC_STAT,      /* struct histogram of microseconds, shown in milliseconds */
	METRIC_SEEN_STAT, /* struct histogram_coarse of microseconds, left out while nothing was recorded */
	METRIC_VALUES,    /* struct histogram_few of plain numbers */
	METRIC_CODES,     /* struct codes: a counter for each value met: `status/200` and its class `status/2XX` */
};

struct metric {
	const char *name; /* joined by "/" below the scope: "retries/total" */
	enum metric_type type;
	uint32_t offset; /* in the shard's struct */
};

#define METRIC(type, member, metric_type, metric_name) \
	{ \
		(metric_name), (metric_type), (uint32_t)offsetof(type, member) \
	}

struct metric_kind {
	const char *name;
	const struct metric *metrics;
	unsigned metric_count;
	uint32_t shard_size;
	uint32_t max_scopes; /* in the process */
};

/* One step of a scope's name: `key/value` in JSON, `key` in the name and key="value" among the labels in Prometheus' text.
 * With an empty value it is only part of the name. */
struct scope_label {
	struct slice key, value;
};

/* A counter for each status met, up to CODES_MAX different ones, then all others together. One writer. */
enum { CODES_MAX = 14 };
struct codes {
	struct {
		_Atomic uint32_t code; /* 0: free */
		struct counter count;
	} at[CODES_MAX];
	struct counter other;
	struct counter classes[6]; /* [2]: 2XX */
};

void codes_add(struct codes *codes, unsigned code);

/* `shards`: how many workers write. */
struct metrics *metrics_new(unsigned shards);
void metrics_free(struct metrics *metrics);

/* Finds or makes; adds a reference; control thread. Labels are copied; one to METRICS_MAX_LABELS of them. */
enum { METRICS_MAX_LABELS = 8 };
struct scope *metrics_scope(struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count);
/* The same for names that anybody may make up: at most `most` scopes of the kind are made this way. One that is asked for with
 * metrics_scope later counts as any other from then on. */
struct scope *metrics_scope_few(
	struct metrics *metrics, const struct metric_kind *kind, unsigned most, const struct scope_label *labels, unsigned count);
/* Whether it stands for all that there was no place for. */
bool scope_is_overflow(const struct scope *scope);
struct scope *scope_ref(struct scope *scope);
void scope_unref(struct scope *scope);
/* Zeroed at first; aligned to a cache line. Any thread that holds a reference. */
void *scope_shard(struct scope *scope, unsigned shard);
/* How many scopes there are now. Control thread. */
unsigned metrics_scope_count(const struct metrics *metrics);

/* A gauge that is computed when it is read (on the reading thread: so only from atomics): for budgets, pool sizes. `name` is
 * static. Of several with one name in one scope the newest is shown. Control thread; the owner removes its gauges before
 * it goes, and before it lets go of the scope. */
void metrics_gauge(struct metrics *metrics, struct scope *scope, const char *name, double (*read)(void *owner), void *owner);
void metrics_gauge_remove(struct metrics *metrics, void *owner);

/* Once a minute, control thread: closes the histograms' minute, and removes scopes that nobody refers to and whose numbers have not changed
 * for `idle_minutes`. */
void metrics_rotate(struct metrics *metrics, unsigned idle_minutes);

/* One number, or one distribution, as a reader sees it. */
struct sample {
	const struct scope_label *labels;
	unsigned label_count;
	struct slice name;                 /* "requests", "status/200", "retries/budget" */
	enum metric_type type;             /* COUNTER, GAUGE, STAT or VALUES, nothing else */
	double value;                      /* COUNTER, GAUGE */
	const struct histogram_view *view; /* STAT, VALUES: the last full minute, or what there is of the first */
};

/* Calls visit for each: scopes in the order of their labels, so that what is below one label comes in one run; metrics in that
 * of their tables, then gauges. Under the lock, any thread; what a sample points at lives during the call. */
void metrics_read(struct metrics *metrics, void (*visit)(void *owner, const struct sample *sample), void *owner);
/* The same of those alone that have one of these names (NULL behind the last); others cost next to nothing. */
void metrics_read_named(
	struct metrics *metrics, const char *const *names, void (*visit)(void *owner, const struct sample *sample), void *owner);
/* The same, but distributions have all that was ever recorded, so that two readings have a difference; each bucket counts modulo 2^32. */
void metrics_read_ever(struct metrics *metrics, void (*visit)(void *owner, const struct sample *sample), void *owner);

#endif
