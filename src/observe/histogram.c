/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/histogram.h"

#include <math.h>

#include "base/memory.h"

/* Each bucket counts as the middle one of the `width` that it stands for. */
static void add(struct histogram_view *view, const _Atomic uint32_t *buckets, unsigned count, unsigned width, const struct counter *sum)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t n = atomic_load_explicit(&buckets[i], memory_order_relaxed);

		view->buckets[i * width + width / 2] += n;
		view->count += n;
	}
	view->sum += counter_read(sum);
}

void histogram_view_add(struct histogram_view *view, const struct histogram *histogram)
{
	add(view, histogram->buckets, HISTOGRAM_BUCKETS, 1, &histogram->sum);
}

void histogram_view_add_few(struct histogram_view *view, const struct histogram_few *histogram)
{
	add(view, histogram->buckets, HISTOGRAM_FEW, 1, &histogram->sum);
}

void histogram_view_add_coarse(struct histogram_view *view, const struct histogram_coarse *histogram)
{
	add(view, histogram->buckets, HISTOGRAM_COARSE, 4, &histogram->sum);
}

void histogram_view_subtract(struct histogram_view *view, const struct histogram_view *earlier)
{
	view->count = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		view->buckets[i] -= earlier->buckets[i];
		view->count += view->buckets[i];
	}
	view->sum -= earlier->sum;
}

/* Buckets up to 31 hold one value each; above, each power of two is split into sixteen. */
uint64_t histogram_bucket_least(unsigned bucket)
{
	return bucket < 32 ? bucket : (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}

double histogram_bucket_middle(unsigned bucket)
{
	if (bucket < 32)
		return bucket;
	return (double)histogram_bucket_least(bucket) + (double)((UINT64_C(1) << (bucket / 16 - 1)) - 1) / 2;
}

double histogram_view_quantile(const struct histogram_view *view, double fraction)
{
	if (!view->count)
		return 0;
	double rank = ceil(fraction * (double)view->count);
	uint64_t wanted = rank < 1 ? 1 : rank >= (double)view->count ? view->count : (uint64_t)rank;
	uint64_t seen = 0;
	unsigned bucket = 0;

	while (seen + view->buckets[bucket] < wanted)
		seen += view->buckets[bucket++];
	return histogram_bucket_middle(bucket);
}

double histogram_view_average(const struct histogram_view *view)
{
	return view->count ? (double)view->sum / (double)view->count : 0;
}

struct histogram_packed *histogram_pack(struct histogram_packed *old, const struct histogram_view *view)
{
	struct histogram_packed *packed = old;
	uint32_t used = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		used += view->buckets[i] > 0;
	if (!old || old->used != used) {
		memory_free(old);
		packed = memory_new(sizeof *packed + used * sizeof packed->at[0]);
	}
	packed->count = view->count;
	packed->sum = view->sum;
	packed->used = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (view->buckets[i] == 0)
			continue;
		packed->at[packed->used].bucket = i;
		packed->at[packed->used++].n = view->buckets[i];
	}
	return packed;
}

void histogram_unpack(const struct histogram_packed *packed, struct histogram_view *view)
{
	*view = (struct histogram_view){ 0 };
	if (!packed)
		return;
	view->count = packed->count;
	view->sum = packed->sum;
	for (uint32_t i = 0; i < packed->used; i++)
		view->buckets[packed->at[i].bucket] = packed->at[i].n;
}
