/* SPDX-License-Identifier: Apache-2.0 */
/* export/zipkin.h: spans as JSON of Zipkin's API, version 2 (zipkin2-api.yaml of openzipkin/zipkin-api), for POST /api/v2/spans. */
#ifndef EXPORT_ZIPKIN_H
#define EXPORT_ZIPKIN_H

#include "base/text.h"
#include "observe/span.h"

/* `service`: the service name of all; empty: of each its router's label. */
void zipkin_spans(const struct span *spans, unsigned count, struct slice service, struct text *out);

#endif
