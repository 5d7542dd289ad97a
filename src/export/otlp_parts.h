/* SPDX-License-Identifier: Apache-2.0 */
/* export/otlp_parts.h: what OTLP's spans and metrics have in common (common.proto, resource.proto); for otlp_*.c alone. */
#ifndef EXPORT_OTLP_PARTS_H
#define EXPORT_OTLP_PARTS_H

#include "base/text.h"
#include "export/attributes.h"

/* A string; what is no UTF-8 becomes U+FFFD. */
void otlp_string(struct text *out, unsigned field, struct slice bytes);
/* A KeyValue as that field. */
void otlp_attribute(struct text *out, unsigned field, const struct attribute *attribute);
/* Field 1 of ResourceSpans and ResourceMetrics. */
void otlp_resource(struct text *out, struct slice service);
/* Field 1 of ScopeSpans and ScopeMetrics. */
void otlp_scope(struct text *out);

#endif
