/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/histogram.h"

#include <math.h>

void histogram_view_add(struct histogram_view *view, const struct histogram *histogram)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint32_t n = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);

		view->buckets[i] += n;
		view->count += n;
	}
	view->sum += counter_read(&histogram->sum);
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
static double bucket_middle(unsigned bucket)
{
	if (bucket < 32)
		return bucket;
	unsigned shift = bucket / 16 - 1;
	uint64_t least = (uint64_t)(16 + bucket % 16) << shift;

	return (double)least + (double)((UINT64_C(1) << shift) - 1) / 2;
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
	return bucket_middle(bucket);
}

double histogram_view_average(const struct histogram_view *view)
{
	return view->count ? (double)view->sum / (double)view->count : 0;
}
