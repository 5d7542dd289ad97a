/* SPDX-License-Identifier: Apache-2.0 */
/* export/otlp.h: spans and metrics as OpenTelemetry's protocol has them, in protobuf (opentelemetry-proto 1.x), for POST /v1/traces and
 * /v1/metrics. Control thread.
 *
 *	otlp_spans(spans, count, service, &out);
 *	otlp_metrics(metrics, service, began, now, &out);
 */
#ifndef EXPORT_OTLP_H
#define EXPORT_OTLP_H

#include "base/text.h"
#include "observe/metrics.h"
#include "observe/span.h"

/* An ExportTraceServiceRequest: a resource for each router. `service`: the service name of all; empty: of each its router's label. */
void otlp_spans(const struct span *spans, unsigned count, struct slice service, struct text *out);
/* An ExportMetricsServiceRequest with all metrics, called as in OpenMetrics. Sums and histograms are cumulative since `began`; both
 * times in ns since 1970. `service`: empty: "weft". */
void otlp_metrics(struct metrics *metrics, struct slice service, int64_t began, int64_t now, struct text *out);

#endif
