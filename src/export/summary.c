/* SPDX-License-Identifier: Apache-2.0 */
#include "export/summary.h"

const struct summary_quantile summary_quantiles[SUMMARY_QUANTILES] = {
	{ 0.5, "p50", "0.5" },
	{ 0.9, "p90", "0.9" },
	{ 0.95, "p95", "0.95" },
	{ 0.99, "p99", "0.99" },
	{ 0.999, "p9990", "0.999" },
	{ 0.9999, "p9999", "0.9999" },
};

void summary_make(struct summary *summary, const struct histogram_view *view, enum metric_type type)
{
	double unit = type == METRIC_STAT ? 1000 : 1;

	summary->count = view->count;
	summary->max = histogram_view_quantile(view, 1) / unit;
	summary->min = histogram_view_quantile(view, 0) / unit;
	summary->sum = (double)view->sum / unit;
	summary->average = histogram_view_average(view) / unit;
	for (unsigned i = 0; i < SUMMARY_QUANTILES; i++)
		summary->quantiles[i] = histogram_view_quantile(view, summary_quantiles[i].fraction) / unit;
}
