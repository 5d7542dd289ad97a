/* SPDX-License-Identifier: Apache-2.0 */
/* export/collector.h: one collector of spans and metrics: what waits for it, and the posts that bring it there.
 *
 * Spans wait in a buffer that has a maximum; what doesn't fit is dropped and counted. One post is on its way at a time, on a connection of its
 * own that is kept for the next ones. When the collector can't be reached, or asks to come again later, its spans stay and are sent again a second later; what it
 * refuses is dropped. Nobody ever waits for it. Control thread.
 *
 *	collector_new(&options, COLLECTOR_OTLP, &collector);
 *	collector_configure(collector, &snapshot->telemetry.collectors[COLLECTOR_OTLP], snapshot);
 *	collector_add(collector, &span);
 *	collector_work(collector, false);        // now and then: sends what there is to be sent
 *	collector_free(collector);
 */
#ifndef EXPORT_COLLECTOR_H
#define EXPORT_COLLECTOR_H

#include "export/exporter.h"
#include "observe/span.h"

struct collector;

MUST_CHECK int collector_new(const struct exporter_options *options, enum collector_kind kind, struct collector **collector);
/* From now on it is this one; `snapshot` is what the policy lies in. A policy that is not on ends it: what waits is dropped. */
void collector_configure(struct collector *collector, const struct collector_policy *policy, struct snapshot *snapshot);
bool collector_is_on(const struct collector *collector);
void collector_add(struct collector *collector, const struct span *span);
/* So many were lost before they came here. */
void collector_lose(struct collector *collector, uint64_t spans);
/* `hurry`: also what makes no whole batch yet. */
void collector_work(struct collector *collector, bool hurry);
/* Nothing waits or is on its way, or the collector fails at present. */
bool collector_is_idle(const struct collector *collector);
/* Its connection is closed once nothing is on its way. True: it is. */
bool collector_let_go(struct collector *collector);
void collector_free(struct collector *collector);

#endif
