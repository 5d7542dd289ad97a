/* SPDX-License-Identifier: Apache-2.0 */
/* export/figures_json.h: of the metrics what the dashboard draws, in a form that is small with thousands of services: by scope, without zeros.
 *
 *	{"rt/out/service/svc/hello":{"requests":5,"success":5,"request_latency_ms":[0.4,1.2,2.1,2.1,2.2]}}
 *
 * A scope's name is its labels joined by "/", as in metrics_json.h; a scope with zeros only is there, and empty. Latencies are p50, p95, p99, p99.9
 * and the greatest of the last full minute, in milliseconds, and absent when nothing was measured. Any thread, the heap.
 *
 *	figures_json(metrics, &page);
 */
#ifndef EXPORT_FIGURES_JSON_H
#define EXPORT_FIGURES_JSON_H

#include "base/text.h"
#include "observe/metrics.h"

void figures_json(struct metrics *metrics, struct text *out);

#endif
