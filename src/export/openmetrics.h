/* SPDX-License-Identifier: Apache-2.0 */
/* export/openmetrics.h: /metrics: everything in families with TYPE, UNIT and HELP, for whoever has no dashboards of Linkerd's to keep.
 *
 * Two texts of the same families: OpenMetrics 1.0, and the text format of Prometheus (version 0.0.4) for older readers, among them
 * promtool. Names are weft_SCOPE_NAME with base units: weft_service_requests_total, weft_client_request_latency_seconds; what a scope is the
 * name of is a label, as in export/prometheus.h. Distributions are histograms of all that was ever recorded. Each value in them counts
 * as the middle of its bucket (observe/histogram.h), so `le` is meant within 3.2 %. Any thread, the heap.
 *
 *	openmetrics_text(metrics, openmetrics_accepted(accept), &page);     // Content-Type: openmetrics_type(…)
 */
#ifndef EXPORT_OPENMETRICS_H
#define EXPORT_OPENMETRICS_H

#include "base/text.h"
#include "observe/metrics.h"

enum openmetrics_form {
	OPENMETRICS_PROMETHEUS, /* 0.0.4 */
	OPENMETRICS_1,
};

/* By a request's Accept field, which may be empty: OpenMetrics for who asks for it by name. */
enum openmetrics_form openmetrics_accepted(struct slice accept);
const char *openmetrics_type(enum openmetrics_form form);
void openmetrics_text(struct metrics *metrics, enum openmetrics_form form, struct text *out);

#endif
