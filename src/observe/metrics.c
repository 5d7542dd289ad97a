/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/metrics.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/thread.h"

enum { CACHE_LINE = 64 };

/* A histogram's minutes, summed over shards. Most scopes see a few values, so they are kept packed. */
struct window {
	struct histogram_packed *last;   /* the last full minute; NULL: nothing */
	struct histogram_packed *before; /* everything up to its end; NULL: nothing */
};

struct gauge {
	struct gauge *next; /* older */
	const char *name;
	double (*read)(void *owner);
	void *owner;
};

struct scope {
	const struct metric_kind *kind;
	struct scope_label *labels;
	unsigned label_count;
	uint32_t references;
	unsigned idle; /* rotations without a change */
	uint64_t mark; /* of the numbers at the last rotation */
	bool overflow, rotated;
	bool few; /* made by metrics_scope_few */
	struct gauge *gauges;
	struct window *windows; /* for each of the kind's metrics */
	size_t stride;
	char *shards;
};

struct metrics {
	struct lock *lock; /* held to change `scopes`, gauges and windows, and to read them off the control thread */
	unsigned shard_count;
	struct scope **scopes; /* in the order of compare_labels */
	unsigned count, capacity;
	struct histogram_view scratch, before;
};

/* ---- codes ---- */

void codes_add(struct codes *codes, unsigned code)
{
	unsigned i = 0;

	while (i < CODES_MAX) {
		uint32_t found = atomic_load_explicit(&codes->at[i].code, memory_order_relaxed);

		if (found == code)
			break;
		if (!found) {
			atomic_store_explicit(&codes->at[i].code, code, memory_order_relaxed);
			break;
		}
		i++;
	}
	counter_add(i < CODES_MAX ? &codes->at[i].count : &codes->other, 1);
	if (code / 100 < sizeof codes->classes / sizeof codes->classes[0])
		counter_add(&codes->classes[code / 100], 1);
}

/* ---- scopes ---- */

struct metrics *metrics_new(unsigned shards)
{
	struct metrics *metrics = memory_new(sizeof *metrics);

	CHECK(shards > 0);
	metrics->shard_count = shards;
	metrics->lock = lock_new();
	return metrics;
}

/* Label by label, so that all that begins with the same labels lies together; then by kind. */
static int compare_labels(const struct scope *a, const struct metric_kind *kind, const struct scope_label *labels, unsigned count)
{
	for (unsigned i = 0; i < a->label_count && i < count; i++) {
		int order = slice_compare(a->labels[i].key, labels[i].key);

		if (!order)
			order = slice_compare(a->labels[i].value, labels[i].value);
		if (order)
			return order;
	}
	if (a->label_count != count)
		return a->label_count < count ? -1 : 1;
	return strcmp(a->kind->name, kind->name);
}

/* True when it is there, at *at; else that's its place. */
static bool search(
	const struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count, unsigned *at)
{
	unsigned low = 0, high = metrics->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = compare_labels(metrics->scopes[middle], kind, labels, count);

		if (!order) {
			*at = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return false;
}

static struct slice copy_slice(struct slice s)
{
	return slice_make(memory_text(s), s.length);
}

static struct scope *scope_new(
	const struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count)
{
	struct scope *scope = memory_new(sizeof *scope);

	scope->kind = kind;
	scope->label_count = count;
	scope->labels = memory_array(count, sizeof *scope->labels);
	for (unsigned i = 0; i < count; i++) {
		scope->labels[i].key = copy_slice(labels[i].key);
		scope->labels[i].value = copy_slice(labels[i].value);
	}
	scope->windows = memory_array(kind->metric_count, sizeof *scope->windows);
	scope->stride = (kind->shard_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	scope->shards = memory_new_aligned(scope->stride * metrics->shard_count, CACHE_LINE);
	return scope;
}

static void scope_free(struct scope *scope)
{
	for (unsigned i = 0; i < scope->label_count; i++) {
		memory_free(scope->labels[i].key.at);
		memory_free(scope->labels[i].value.at);
	}
	for (unsigned i = 0; i < scope->kind->metric_count; i++) {
		memory_free(scope->windows[i].last);
		memory_free(scope->windows[i].before);
	}
	while (scope->gauges) {
		struct gauge *gauge = scope->gauges;

		scope->gauges = gauge->next;
		memory_free(gauge);
	}
	memory_free(scope->labels);
	memory_free(scope->windows);
	memory_free(scope->shards);
	memory_free(scope);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (unsigned i = 0; i < metrics->count; i++)
		scope_free(metrics->scopes[i]);
	memory_free(metrics->scopes);
	lock_free(metrics->lock);
	memory_free(metrics);
}

static void insert(struct metrics *metrics, struct scope *scope, unsigned at)
{
	lock_take(metrics->lock);
	if (metrics->count == metrics->capacity) {
		metrics->capacity = metrics->capacity ? metrics->capacity * 2 : 64;
		metrics->scopes = memory_grow(metrics->scopes, metrics->capacity, sizeof *metrics->scopes);
	}
	memmove(metrics->scopes + at + 1, metrics->scopes + at, (metrics->count - at) * sizeof *metrics->scopes);
	metrics->scopes[at] = scope;
	metrics->count++;
	lock_release(metrics->lock);
}

/* Whether there are `most` scopes of the kind; with `few`, of those made by metrics_scope_few. */
static bool is_full(const struct metrics *metrics, const struct metric_kind *kind, unsigned most, bool few)
{
	uint32_t there = 0;

	for (unsigned i = 0; i < metrics->count; i++) {
		const struct scope *scope = metrics->scopes[i];

		there += scope->kind == kind && !scope->overflow && (!few || scope->few);
	}
	return there >= most;
}

static struct scope *scope_make(
	struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count, unsigned at)
{
	struct scope *scope = scope_new(metrics, kind, labels, count);

	insert(metrics, scope, at);
	return scope;
}

/* What is counted under no name of its own. */
static struct scope *overflow_scope(
	struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count)
{
	struct scope_label spare[METRICS_MAX_LABELS];
	unsigned at;

	for (unsigned i = 0; i < count; i++) {
		spare[i] = labels[i];
		if (i > 0 || count == 1)
			spare[i].value = SLICE("overflow");
	}
	if (search(metrics, kind, spare, count, &at))
		return metrics->scopes[at];
	LOG(LOG_WARN, "observe", "too many scopes of kind %s: the rest is counted as overflow", kind->name);
	struct scope *scope = scope_make(metrics, kind, spare, count, at);

	scope->overflow = true;
	return scope;
}

struct scope *metrics_scope(struct metrics *metrics, const struct metric_kind *kind, const struct scope_label *labels, unsigned count)
{
	unsigned at;

	CHECK(count > 0 && count <= METRICS_MAX_LABELS);
	if (search(metrics, kind, labels, count, &at)) {
		metrics->scopes[at]->few = false;
		return scope_ref(metrics->scopes[at]);
	}
	if (is_full(metrics, kind, kind->max_scopes, false))
		return scope_ref(overflow_scope(metrics, kind, labels, count));
	return scope_ref(scope_make(metrics, kind, labels, count, at));
}

struct scope *metrics_scope_few(
	struct metrics *metrics, const struct metric_kind *kind, unsigned most, const struct scope_label *labels, unsigned count)
{
	unsigned at;

	CHECK(count > 0 && count <= METRICS_MAX_LABELS);
	if (search(metrics, kind, labels, count, &at))
		return scope_ref(metrics->scopes[at]);
	if (is_full(metrics, kind, most, true) || is_full(metrics, kind, kind->max_scopes, false))
		return scope_ref(overflow_scope(metrics, kind, labels, count));
	struct scope *scope = scope_make(metrics, kind, labels, count, at);

	scope->few = true;
	return scope_ref(scope);
}

bool scope_is_overflow(const struct scope *scope)
{
	return scope->overflow;
}

struct scope *scope_ref(struct scope *scope)
{
	scope->references++;
	return scope;
}

void scope_unref(struct scope *scope)
{
	CHECK(scope->references > 0);
	scope->references--;
}

void *scope_shard(struct scope *scope, unsigned shard)
{
	return scope->shards + scope->stride * shard;
}

unsigned metrics_scope_count(const struct metrics *metrics)
{
	return metrics->count;
}

/* ---- gauges ---- */

void metrics_gauge(struct metrics *metrics, struct scope *scope, const char *name, double (*read)(void *owner), void *owner)
{
	struct gauge *gauge = memory_new(sizeof *gauge);

	*gauge = (struct gauge){ .name = name, .read = read, .owner = owner };
	lock_take(metrics->lock);
	gauge->next = scope->gauges;
	scope->gauges = gauge;
	lock_release(metrics->lock);
}

void metrics_gauge_remove(struct metrics *metrics, void *owner)
{
	lock_take(metrics->lock);
	for (unsigned i = 0; i < metrics->count; i++) {
		struct gauge **at = &metrics->scopes[i]->gauges;

		while (*at) {
			struct gauge *gauge = *at;

			if (gauge->owner == owner) {
				*at = gauge->next;
				memory_free(gauge);
			} else {
				at = &gauge->next;
			}
		}
	}
	lock_release(metrics->lock);
}

/* ---- summing shards ---- */

static const void *member(const struct metrics *metrics, const struct scope *scope, const struct metric *metric, unsigned shard)
{
	CHECK(shard < metrics->shard_count);
	return scope->shards + scope->stride * shard + metric->offset;
}

static uint64_t sum_counter(const struct metrics *metrics, const struct scope *scope, const struct metric *metric)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < metrics->shard_count; i++)
		sum += counter_read(member(metrics, scope, metric, i));
	return sum;
}

static void sum_histogram(
	const struct metrics *metrics, const struct scope *scope, const struct metric *metric, struct histogram_view *view)
{
	*view = (struct histogram_view){ 0 };
	for (unsigned i = 0; i < metrics->shard_count; i++) {
		const void *histogram = member(metrics, scope, metric, i);

		if (metric->type == METRIC_VALUES)
			histogram_view_add_few(view, histogram);
		else if (metric->type == METRIC_SEEN_STAT)
			histogram_view_add_coarse(view, histogram);
		else
			histogram_view_add(view, histogram);
	}
}

/* Codes summed over shards, in their order. */
struct code_sums {
	unsigned count;
	struct {
		uint32_t code;
		uint64_t sum;
	} * at;
	uint64_t other, classes[6];
};

static void add_code(struct code_sums *sums, uint32_t code, uint64_t n)
{
	unsigned i = sums->count;

	while (i > 0 && sums->at[i - 1].code > code)
		i--;
	if (i > 0 && sums->at[i - 1].code == code) {
		sums->at[i - 1].sum += n;
		return;
	}
	memmove(sums->at + i + 1, sums->at + i, (sums->count - i) * sizeof sums->at[0]);
	sums->at[i].code = code;
	sums->at[i].sum = n;
	sums->count++;
}

/* sums->at is the heap's. */
static void sum_codes(const struct metrics *metrics, const struct scope *scope, const struct metric *metric, struct code_sums *sums)
{
	*sums = (struct code_sums){ .at = memory_array((size_t)metrics->shard_count * CODES_MAX, sizeof sums->at[0]) };
	for (unsigned i = 0; i < metrics->shard_count; i++) {
		const struct codes *codes = member(metrics, scope, metric, i);

		for (unsigned k = 0; k < CODES_MAX; k++) {
			uint32_t code = atomic_load_explicit(&codes->at[k].code, memory_order_relaxed);

			if (code)
				add_code(sums, code, counter_read(&codes->at[k].count));
		}
		sums->other += counter_read(&codes->other);
		for (unsigned k = 0; k < 6; k++)
			sums->classes[k] += counter_read(&codes->classes[k]);
	}
}

/* ---- rotation ---- */

/* Closes the minute of one histogram; its number for the mark. */
static uint64_t rotate_histogram(struct metrics *metrics, struct scope *scope, unsigned index)
{
	struct histogram_view *now = &metrics->scratch, *before = &metrics->before;
	struct window *window = &scope->windows[index];
	uint64_t mark;

	sum_histogram(metrics, scope, &scope->kind->metrics[index], now);
	mark = now->count + now->sum;
	if (!window->before && !now->count)
		return 0;
	histogram_unpack(window->before, before);
	window->before = histogram_pack(window->before, now);
	histogram_view_subtract(now, before);
	window->last = histogram_pack(window->last, now);
	return mark;
}

static uint64_t rotate_metric(struct metrics *metrics, struct scope *scope, unsigned index)
{
	const struct metric *metric = &scope->kind->metrics[index];
	uint64_t sum = 0;

	switch (metric->type) {
	case METRIC_COUNTER:
	case METRIC_SEEN:
	case METRIC_GAUGE:
		return sum_counter(metrics, scope, metric);
	case METRIC_STAT:
	case METRIC_SEEN_STAT:
	case METRIC_VALUES:
		return rotate_histogram(metrics, scope, index);
	case METRIC_CODES:
		for (unsigned i = 0; i < metrics->shard_count; i++) {
			const struct codes *codes = member(metrics, scope, metric, i);

			for (unsigned k = 0; k < 6; k++)
				sum += counter_read(&codes->classes[k]);
		}
	}
	return sum;
}

static void rotate_scope(struct metrics *metrics, struct scope *scope)
{
	uint64_t mark = 0;

	for (unsigned i = 0; i < scope->kind->metric_count; i++)
		mark = (mark ^ rotate_metric(metrics, scope, i)) * UINT64_C(0x100000001b3);
	scope->idle = mark == scope->mark ? scope->idle + 1 : 0;
	scope->mark = mark;
	scope->rotated = true;
}

void metrics_rotate(struct metrics *metrics, unsigned idle_minutes)
{
	unsigned kept = 0;

	lock_take(metrics->lock);
	for (unsigned i = 0; i < metrics->count; i++) {
		struct scope *scope = metrics->scopes[i];

		rotate_scope(metrics, scope);
		if (scope->references == 0 && scope->idle >= idle_minutes)
			scope_free(scope);
		else
			metrics->scopes[kept++] = scope;
	}
	metrics->count = kept;
	lock_release(metrics->lock);
}

/* ---- reading ---- */

struct reading {
	struct metrics *metrics;
	struct scope *scope;
	void (*visit)(void *owner, const struct sample *sample);
	void *owner;
	bool ever;                /* not of the last minute */
	const char *const *names; /* NULL: all */
};

static bool is_wanted(const struct reading *reading, const char *name)
{
	if (!reading->names)
		return true;
	for (const char *const *wanted = reading->names; *wanted; wanted++)
		if (strcmp(*wanted, name) == 0)
			return true;
	return false;
}

static void show(const struct reading *reading, struct slice name, enum metric_type type, double value, const struct histogram_view *view)
{
	const struct sample sample = {
		.labels = reading->scope->labels,
		.label_count = reading->scope->label_count,
		.name = name,
		.type = type,
		.value = value,
		.view = view,
	};

	reading->visit(reading->owner, &sample);
}

static void show_code(const struct reading *reading, const char *name, const char *format, unsigned code, uint64_t value)
{
	char part[16], whole[96];

	snprintf(part, sizeof part, format, code);
	int length = snprintf(whole, sizeof whole, "%s/%s", name, part);

	CHECK(length > 0 && (size_t)length < sizeof whole);
	show(reading, slice_make(whole, (size_t)length), METRIC_COUNTER, (double)value, NULL);
}

static void show_codes(const struct reading *reading, const struct metric *metric)
{
	struct code_sums sums;

	sum_codes(reading->metrics, reading->scope, metric, &sums);
	for (unsigned i = 0; i < sums.count; i++)
		show_code(reading, metric->name, "%u", sums.at[i].code, sums.at[i].sum);
	if (sums.other)
		show_code(reading, metric->name, "other", 0, sums.other);
	for (unsigned i = 0; i < 6; i++)
		if (sums.classes[i])
			show_code(reading, metric->name, "%uXX", i, sums.classes[i]);
	memory_free(sums.at);
}

static void show_histogram(const struct reading *reading, unsigned index)
{
	const struct metric *metric = &reading->scope->kind->metrics[index];
	struct histogram_view *view = &reading->metrics->scratch;

	if (reading->scope->rotated && !reading->ever)
		histogram_unpack(reading->scope->windows[index].last, view);
	else
		sum_histogram(reading->metrics, reading->scope, metric, view);
	if (metric->type != METRIC_SEEN_STAT)
		show(reading, slice_of(metric->name), metric->type, 0, view);
	else if (reading->scope->windows[index].before || view->count)
		show(reading, slice_of(metric->name), METRIC_STAT, 0, view);
}

static void show_metric(const struct reading *reading, unsigned index)
{
	const struct metric *metric = &reading->scope->kind->metrics[index];
	uint64_t sum;

	switch (metric->type) {
	case METRIC_COUNTER:
	case METRIC_SEEN:
		sum = sum_counter(reading->metrics, reading->scope, metric);
		if (sum || metric->type == METRIC_COUNTER)
			show(reading, slice_of(metric->name), METRIC_COUNTER, (double)sum, NULL);
		break;
	case METRIC_GAUGE:
		sum = sum_counter(reading->metrics, reading->scope, metric);
		show(reading, slice_of(metric->name), METRIC_GAUGE, (double)(int64_t)sum, NULL);
		break;
	case METRIC_STAT:
	case METRIC_SEEN_STAT:
	case METRIC_VALUES:
		show_histogram(reading, index);
		break;
	case METRIC_CODES:
		show_codes(reading, metric);
		break;
	}
}

static bool is_hidden(const struct scope *scope, const struct gauge *gauge)
{
	for (const struct gauge *newer = scope->gauges; newer != gauge; newer = newer->next)
		if (strcmp(newer->name, gauge->name) == 0)
			return true;
	return false;
}

static void read_all(
	struct metrics *metrics, bool ever, const char *const *names, void (*visit)(void *owner, const struct sample *sample), void *owner)
{
	lock_take(metrics->lock);
	for (unsigned i = 0; i < metrics->count; i++) {
		struct scope *scope = metrics->scopes[i];
		const struct reading reading = { metrics, scope, visit, owner, ever, names };

		for (unsigned k = 0; k < scope->kind->metric_count; k++)
			if (is_wanted(&reading, scope->kind->metrics[k].name))
				show_metric(&reading, k);
		for (const struct gauge *gauge = scope->gauges; gauge; gauge = gauge->next)
			if (is_wanted(&reading, gauge->name) && !is_hidden(scope, gauge))
				show(&reading, slice_of(gauge->name), METRIC_GAUGE, gauge->read(gauge->owner), NULL);
	}
	lock_release(metrics->lock);
}

void metrics_read(struct metrics *metrics, void (*visit)(void *owner, const struct sample *sample), void *owner)
{
	read_all(metrics, false, NULL, visit, owner);
}

void metrics_read_named(
	struct metrics *metrics, const char *const *names, void (*visit)(void *owner, const struct sample *sample), void *owner)
{
	read_all(metrics, false, names, visit, owner);
}

void metrics_read_ever(struct metrics *metrics, void (*visit)(void *owner, const struct sample *sample), void *owner)
{
	read_all(metrics, true, NULL, visit, owner);
}
