/* SPDX-License-Identifier: Apache-2.0 */
/* export/process.h: the process itself among the metrics, under the names that Linkerd's dashboards read: jvm/uptime (ms),
 * jvm/num_cpus, jvm/mem/current/used, jvm/heap/used (both resident bytes), jvm/heap/max (what it may use), jvm/thread/count, jvm/fd_count, jvm/fd_limit,
 * jvm/gc/cycles and jvm/gc/msec (always 0: nothing collects garbage here).
 *
 * Made and freed on the control thread; refreshed and read on any.
 *
 *	struct process_metrics *process = process_metrics_new(metrics, loop_now(loop));
 *	process_metrics_refresh(process, loop_now(loop));      // before a page of metrics is made
 *	process_metrics_free(process);
 */
#ifndef EXPORT_PROCESS_H
#define EXPORT_PROCESS_H

#include <stdint.h>

#include "observe/metrics.h"

struct process_metrics;

/* `began`: when the process did, on the clock of the instants told later. */
struct process_metrics *process_metrics_new(struct metrics *metrics, int64_t began);
void process_metrics_free(struct process_metrics *process);
void process_metrics_refresh(struct process_metrics *process, int64_t now);

#endif
