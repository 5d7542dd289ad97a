/* SPDX-License-Identifier: Apache-2.0 */
/* export/family.h: what a sample is called where metrics come in families with a unit and a help: in OpenMetrics and OpenTelemetry.
 *
 * Names are `weft_SCOPE_NAME` in base units. Pure.
 *
 *	if (family_find(sample, &family, &name)) ...          // appends "weft_service_request_latency_seconds"
 *	if (family.kind == FAMILY_HISTOGRAM) family_histogram(sample, &histogram);
 */
#ifndef EXPORT_FAMILY_H
#define EXPORT_FAMILY_H

#include "base/text.h"
#include "observe/metrics.h"

enum family_kind {
	FAMILY_COUNTER,
	FAMILY_GAUGE,
	FAMILY_HISTOGRAM,
};

struct family_of_sample {
	enum family_kind kind;
	const char *unit;   /* "seconds", "bytes"; NULL: none */
	const char *help;   /* NULL: it has none of its own */
	double scale;       /* what the sample's value is multiplied by */
	struct slice label; /* when not empty: one more label, whose value is `rest` */
	struct slice rest;
};

enum { FAMILY_BOUNDS = 20 };

struct family_histogram {
	const double *bounds; /* static, rising */
	unsigned count;
	uint64_t below[FAMILY_BOUNDS]; /* values up to each bound */
	double sum;
};

/* False: it is left out, as it says the same as another. */
bool family_find(const struct sample *sample, struct family_of_sample *family, struct text *name);
/* Of a sample with a view. Each value counts as the middle of the bucket that it was sorted into. */
void family_histogram(const struct sample *sample, struct family_histogram *histogram);
/* As a part of a name, or a label's: lower case, and `_` for what is no letter and no digit. */
void family_append_mangled(struct text *name, struct slice part);

#endif
