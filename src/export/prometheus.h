/* SPDX-License-Identifier: Apache-2.0 */
/* export/prometheus.h: /admin/metrics/prometheus: the text format of Prometheus (version 0.0.4), with Linkerd 1.x's names.
 *
 * No TYPE or HELP lines and no _total: dashboards made for Linkerd read these names. Steps of a name are joined by ":",
 * other bytes than letters, digits and ":" become "_"; what a scope is the name of is a label:
 *
 *	rt:client:requests{rt="outgoing", client="#/io.l5d.fs/hello"} 5
 *	rt:service:request_latency_ms_count{rt="outgoing", service="svc/hello"} 5
 *	rt:service:request_latency_ms{rt="outgoing", service="svc/hello", quantile="0.5"} 1.25
 *
 * Distributions of which the last full minute had nothing are left out. Any thread, the heap.
 *
 *	prometheus_text(metrics, prefix, &page);     // Content-Type: PROMETHEUS_TYPE
 */
#ifndef EXPORT_PROMETHEUS_H
#define EXPORT_PROMETHEUS_H

#include "base/text.h"
#include "observe/metrics.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What both this and export/openmetrics.h write: a label's value without its quotes, and a number. */
void prometheus_label_value(struct text *labels, struct slice value);
void prometheus_number(struct text *out, double value);
/* Appends to `out`; `prefix` begins every name, and is mangled as names are. */
void prometheus_text(struct metrics *metrics, struct slice prefix, struct text *out);

#endif
