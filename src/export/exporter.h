/* SPDX-License-Identifier: Apache-2.0 */
/* export/exporter.h: brings spans from the workers' rings, and metrics, to the collectors that a configuration names. Control thread.
 *
 *	exporter_new(&options, &exporter);
 *	exporter_configure(exporter, snapshot);       // after proxy_apply
 *	exporter_flush(exporter, 1 * CLOCK_SECOND, flushed, owner);   // at the end: what still waits
 *	exporter_free(exporter);
 */
#ifndef EXPORT_EXPORTER_H
#define EXPORT_EXPORTER_H

#include "io/loop.h"
#include "io/network.h"
#include "model/snapshot.h"
#include "observe/metrics.h"

struct exporter;
struct process_metrics;
struct proxy;
struct resolver;

struct exporter_options {
	struct network *network;
	struct loop *loop;         /* the control thread's */
	struct resolver *resolver; /* on that loop */
	struct proxy *proxy;
	struct metrics *metrics;
	struct process_metrics *process; /* refreshed before metrics are sent */
	unsigned worker_count;
};

MUST_CHECK int exporter_new(const struct exporter_options *options, struct exporter **exporter);
void exporter_configure(struct exporter *exporter, struct snapshot *snapshot);
/* `flushed` is called once, from the loop, when nothing waits any more, or after that time. */
void exporter_flush(struct exporter *exporter, int64_t grace_ns, void (*flushed)(void *owner), void *owner);
void exporter_free(struct exporter *exporter); /* NULL is allowed */

#endif
