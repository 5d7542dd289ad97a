/* SPDX-License-Identifier: Apache-2.0 */
/* export/summary.h: a distribution in the eleven numbers that Linkerd's pages show. Pure.
 *
 *	struct summary summary;
 *	summary_make(&summary, sample->view, sample->type);
 */
#ifndef EXPORT_SUMMARY_H
#define EXPORT_SUMMARY_H

#include "observe/metrics.h"

enum { SUMMARY_QUANTILES = 6 };

struct summary_quantile {
	double fraction;
	const char *json;       /* "p9990" */
	const char *prometheus; /* "0.999" */
};

/* In rising order, from the middle on; the least and the greatest are apart. */
extern const struct summary_quantile summary_quantiles[SUMMARY_QUANTILES];

struct summary {
	uint64_t count;
	double max, min, sum, average;
	double quantiles[SUMMARY_QUANTILES];
};

/* Microseconds (METRIC_STAT) become milliseconds, other values (METRIC_VALUES) stay. */
void summary_make(struct summary *summary, const struct histogram_view *view, enum metric_type type);

#endif
