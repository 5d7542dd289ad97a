/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "doc/protobuf.h"
#include "export/attributes.h"
#include "export/otlp.h"
#include "export/otlp_parts.h"

/* trace.proto */
enum {
	REQUEST_RESOURCE_SPANS = 1,
	RESOURCE_SPANS_SCOPE_SPANS = 2,
	SCOPE_SPANS_SPANS = 2,
	SPAN_FIELD_TRACE_ID = 1,
	SPAN_FIELD_SPAN_ID = 2,
	SPAN_FIELD_PARENT_SPAN_ID = 4,
	SPAN_FIELD_NAME = 5,
	SPAN_FIELD_KIND = 6,
	SPAN_FIELD_START = 7,
	SPAN_FIELD_END = 8,
	SPAN_FIELD_ATTRIBUTES = 9,
	SPAN_FIELD_STATUS = 15,
	KIND_SERVER = 2,
	KIND_CLIENT = 3,
	STATUS_CODE = 3,
	STATUS_CODE_ERROR = 2,
};

static void put_id(char out[8], uint64_t id)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (char)(id >> (56 - 8 * i));
}

static void write_ids(struct text *out, const struct span *span)
{
	char id[16];

	put_id(id, span->trace_high);
	put_id(id + 8, span->trace);
	protobuf_bytes(out, SPAN_FIELD_TRACE_ID, slice_make(id, 16));
	put_id(id, span->id);
	protobuf_bytes(out, SPAN_FIELD_SPAN_ID, slice_make(id, 8));
	put_id(id, span->parent);
	if (span->parent)
		protobuf_bytes(out, SPAN_FIELD_PARENT_SPAN_ID, slice_make(id, 8));
}

static void write_attribute(void *owner, const struct attribute *attribute)
{
	otlp_attribute(owner, SPAN_FIELD_ATTRIBUTES, attribute);
}

static void write_span(struct text *out, const struct span *span)
{
	size_t begun = protobuf_begin(out, SCOPE_SPANS_SPANS);

	write_ids(out, span);
	otlp_string(out, SPAN_FIELD_NAME, span_name(span));
	protobuf_varint(out, SPAN_FIELD_KIND, span->kind == SPAN_SERVER ? KIND_SERVER : KIND_CLIENT);
	protobuf_fixed64(out, SPAN_FIELD_START, (uint64_t)span->began);
	protobuf_fixed64(out, SPAN_FIELD_END, (uint64_t)(span->began + span->lasted));
	attributes_each(span, write_attribute, out);
	if (span->error != SPAN_FINE) {
		size_t status = protobuf_begin(out, SPAN_FIELD_STATUS);

		protobuf_varint(out, STATUS_CODE, STATUS_CODE_ERROR);
		protobuf_end(out, status);
	}
	protobuf_end(out, begun);
}

/* Those of one router, from `first` on. */
static void write_router(const struct span *spans, unsigned count, unsigned first, bool *written, struct slice service, struct text *out)
{
	const char *router = spans[first].router;
	size_t all = protobuf_begin(out, REQUEST_RESOURCE_SPANS), scope;

	otlp_resource(out, service.length ? service : slice_of(router));
	scope = protobuf_begin(out, RESOURCE_SPANS_SCOPE_SPANS);
	otlp_scope(out);
	for (unsigned i = first; i < count; i++) {
		if (written[i] || strcmp(spans[i].router, router) != 0)
			continue;
		write_span(out, &spans[i]);
		written[i] = true;
	}
	protobuf_end(out, scope);
	protobuf_end(out, all);
}

void otlp_spans(const struct span *spans, unsigned count, struct slice service, struct text *out)
{
	bool *written = memory_array(count + 1, sizeof *written);

	for (unsigned i = 0; i < count; i++)
		if (!written[i])
			write_router(spans, count, i, written, service, out);
	memory_free(written);
}
