/* SPDX-License-Identifier: Apache-2.0 */
/* observe/histogram.h: distributions with a bounded relative error, one writer, read at any moment.
 *
 * Log-linear buckets: 16 for each power of two (at most 6.25 % wide), values 0 … 2^32-1 (larger ones count as the largest).
 * Recording is two additions. Nothing is ever reset by the writer: a reader takes differences of what it saw. For numbers that are
 * seldom large (how many retries) there is a small one, with the same buckets up to HISTOGRAM_FEW - 1, which counts all larger.
 * For what is seldom looked at there is a coarse one, with a bucket for each four of these (at most 25 % wide).
 *
 *	histogram_record(&stats->latency, microseconds);
 *	histogram_few_record(&stats->retries_per_request, retries);
 *	histogram_coarse_record(&stats->times[0], microseconds);
 */
#ifndef OBSERVE_HISTOGRAM_H
#define OBSERVE_HISTOGRAM_H

#include <stdint.h>

#include "base/counter.h"

enum {
	HISTOGRAM_SUB_BITS = 4,
	HISTOGRAM_BUCKETS = 16 + (32 - 4) * 16,
	HISTOGRAM_COARSE = HISTOGRAM_BUCKETS / 4,
	HISTOGRAM_FEW = 32, /* up to there each value has a bucket of its own */
};

struct histogram {
	struct counter sum;
	_Atomic uint32_t buckets[HISTOGRAM_BUCKETS];
};

struct histogram_few {
	struct counter sum;
	_Atomic uint32_t buckets[HISTOGRAM_FEW];
};

struct histogram_coarse {
	struct counter sum;
	_Atomic uint32_t buckets[HISTOGRAM_COARSE];
};

static inline unsigned histogram_bucket(uint64_t value)
{
	if (value > UINT32_MAX)
		value = UINT32_MAX;
	if (value < 16)
		return (unsigned)value;
	unsigned top = 63u - (unsigned)__builtin_clzll(value);
	return 16 + (top - 4) * 16 + (unsigned)(value >> (top - 4) & 15);
}

/* What goes into several histograms has its bucket found once: `bucket` is histogram_bucket(value). */
static inline void histogram_put(struct histogram *histogram, unsigned bucket, uint64_t value)
{
	_Atomic uint32_t *n = &histogram->buckets[bucket];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
	counter_add(&histogram->sum, value);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
	histogram_put(histogram, histogram_bucket(value), value);
}

static inline void histogram_few_record(struct histogram_few *histogram, uint64_t value)
{
	_Atomic uint32_t *bucket = &histogram->buckets[value < HISTOGRAM_FEW ? value : HISTOGRAM_FEW - 1];
	atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1, memory_order_relaxed);
	counter_add(&histogram->sum, value);
}

static inline void histogram_coarse_put(struct histogram_coarse *histogram, unsigned bucket, uint64_t value)
{
	_Atomic uint32_t *n = &histogram->buckets[bucket / 4];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
	counter_add(&histogram->sum, value);
}

static inline void histogram_coarse_record(struct histogram_coarse *histogram, uint64_t value)
{
	histogram_coarse_put(histogram, histogram_bucket(value), value);
}

/* A distribution over some span of time, summed over shards. */
struct histogram_view {
	uint64_t count, sum;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* Adds a shard's present state. */
void histogram_view_add(struct histogram_view *view, const struct histogram *histogram);
void histogram_view_add_few(struct histogram_view *view, const struct histogram_few *histogram);
void histogram_view_add_coarse(struct histogram_view *view, const struct histogram_coarse *histogram);
/* view -= earlier (bucket by bucket, modulo 2^32). */
void histogram_view_subtract(struct histogram_view *view, const struct histogram_view *earlier);
/* The value below which `fraction` of all lie: a bucket's middle; 0 for an empty view. fraction 0: least, 1: greatest. */
double histogram_view_quantile(const struct histogram_view *view, double fraction);
/* The least value that a bucket is for; and what a value in it counts as. */
uint64_t histogram_bucket_least(unsigned bucket);
double histogram_bucket_middle(unsigned bucket);
double histogram_view_average(const struct histogram_view *view);

/* A view as it is kept: only the buckets in which there is something. */
struct histogram_packed {
	uint64_t count, sum;
	uint32_t used;
	struct {
		uint32_t bucket, n;
	} at[];
};

/* On the heap; `old` (may be NULL) is freed, or used again. */
struct histogram_packed *histogram_pack(struct histogram_packed *old, const struct histogram_view *view);
/* NULL: empty. */
void histogram_unpack(const struct histogram_packed *packed, struct histogram_view *view);

#endif
