/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of collectors share: a collector at 10.0.0.1:8001 that does what the test says, and what a proxy has that sends to it. */
#ifndef UNIT_EXPORT_COLLECTING_H
#define UNIT_EXPORT_COLLECTING_H

#include "export/exporter.h"
#include "io/sim/sim.h"
#include "observe/span.h"
#include "support/scripted.h"

enum { WAITING = 4096 }; /* spans that wait for a collector */

#define TAKEN "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

struct collecting {
	struct scripted_world world;
	struct snapshot *snapshot; /* its OTLP collector is that one */
	struct exporter_options options;
};

extern const struct span collecting_span;

void collecting_new(struct collecting *collecting);
void collecting_free(struct collecting *collecting);
/* How many posts have come on that connection; their bodies are binary. */
unsigned collecting_posts(const struct collecting *collecting, unsigned call);
/* Of the collector; -1: there is no such number. */
int collecting_metric(const struct collecting *collecting, const char *name);

#endif
