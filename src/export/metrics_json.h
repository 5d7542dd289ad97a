/* SPDX-License-Identifier: Apache-2.0 */
/* export/metrics_json.h: /admin/metrics.json, as Linkerd 1.x shows its metrics.
 *
 * Flat: names joined by "/", distributions as name.count, .max, .min, .p50, .p90, .p95, .p99, .p9990, .p9999, .sum and .avg (in
 * milliseconds where they are times; count alone when nothing was measured in the last full minute):
 *
 *	{"rt/outgoing/service/svc/hello/requests":5,"rt/outgoing/service/svc/hello/request_latency_ms.count":0}
 *
 * As a tree, in which a label's value is one key though it holds slashes, and a metric may have others below it:
 *
 *	{"rt":{"outgoing":{"service":{"svc/hello":{"requests":{"counter":5}}}}}}
 *
 * With `buckets`, distributions have all that was ever recorded, for who reads twice and wants the difference (`weft stat`):
 * name.count, .sum, and .buckets, an array of [least value of a bucket, how many], of those that are not empty. A value is sorted by
 * histogram_bucket (observe/histogram.h); counts are modulo 2^32.
 *
 * A query takes the part of the tree below a name ("rt/outgoing/service/svc/hello"); names in the answer begin there. Any
 * thread, the heap.
 *
 *	struct metrics_query query = { .tree = true };
 *	if (metrics_json(metrics, &query, &page) == ERROR_NOT_FOUND) status = 404;      // page holds {"error": …}
 */
#ifndef EXPORT_METRICS_JSON_H
#define EXPORT_METRICS_JSON_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "observe/metrics.h"

struct metrics_query {
	struct slice subtree; /* empty: everything */
	bool tree, pretty;
	bool buckets;
};

/* Appends to `out`. 0, or ERROR_NOT_FOUND. */
MUST_CHECK int metrics_json(struct metrics *metrics, const struct metrics_query *query, struct text *out);

#endif
