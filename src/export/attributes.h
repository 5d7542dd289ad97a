/* SPDX-License-Identifier: Apache-2.0 */
/* export/attributes.h: what a span says, by OpenTelemetry's semantic conventions for HTTP and gRPC, and weft's own. Pure.
 *
 *	attributes_each(span, put, owner);
 */
#ifndef EXPORT_ATTRIBUTES_H
#define EXPORT_ATTRIBUTES_H

#include <stdint.h>

#include "observe/span.h"

struct attribute {
	const char *key;
	struct slice text; /* at NULL: `number`, or true */
	int64_t number;
	bool is_truth; /* it is `true`, neither text nor number */
};

/* An attribute lives during the call. */
void attributes_each(const struct span *span, void (*put)(void *owner, const struct attribute *attribute), void *owner);

#endif
