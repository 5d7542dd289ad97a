/* SPDX-License-Identifier: Apache-2.0 */
#include "export/zipkin.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "doc/json_write.h"
#include "export/attributes.h"

static void write_id(struct json_writer *json, const char *key, uint64_t high, uint64_t id)
{
	char text[33];
	int length =
		high ? snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, high, id) : snprintf(text, sizeof text, "%016" PRIx64, id);

	json_write_key(json, slice_of(key));
	json_write_text(json, slice_make(text, (size_t)length));
}

/* The endpoint's is the service that it is of: so the graph of dependencies has it, whether or not it traces. */
static void write_remote(struct json_writer *json, const struct span *span)
{
	char ip[ADDRESS_TEXT];

	if (span->peer.family != ADDRESS_IP4 && span->peer.family != ADDRESS_IP6)
		return;
	address_format_ip(&span->peer, ip);
	json_write_key(json, SLICE("remoteEndpoint"));
	json_write_object(json);
	if (span->kind == SPAN_CLIENT && span->service[0])
		json_write_member_text(json, "serviceName", slice_of(span->service));
	json_write_member_text(json, span->peer.family == ADDRESS_IP4 ? "ipv4" : "ipv6", slice_of(ip));
	json_write_key(json, SLICE("port"));
	json_write_int(json, span->peer.port);
	json_write_end(json);
}

/* All tags are text. */
static void write_tag(void *owner, const struct attribute *attribute)
{
	struct json_writer *json = owner;
	char number[24];

	if (attribute->text.at) {
		json_write_member_text(json, attribute->key, attribute->text);
		return;
	}
	if (attribute->is_truth) {
		json_write_member_text(json, attribute->key, SLICE("true"));
		return;
	}
	json_write_member_text(
		json, attribute->key, slice_make(number, (size_t)snprintf(number, sizeof number, "%" PRId64, attribute->number)));
}

static void write_span(struct json_writer *json, const struct span *span, struct slice service)
{
	char error[SPAN_ERROR_TEXT];
	struct slice type = span_error_type(span, error);

	json_write_object(json);
	write_id(json, "traceId", span->trace_high, span->trace);
	write_id(json, "id", 0, span->id);
	if (span->parent)
		write_id(json, "parentId", 0, span->parent);
	json_write_member_text(json, "kind", span->kind == SPAN_SERVER ? SLICE("SERVER") : SLICE("CLIENT"));
	json_write_member_text(json, "name", span_name(span));
	json_write_key(json, SLICE("timestamp"));
	json_write_int(json, span->began / CLOCK_US);
	json_write_key(json, SLICE("duration"));
	json_write_int(json, span->lasted < CLOCK_US ? 1 : span->lasted / CLOCK_US);
	json_write_key(json, SLICE("localEndpoint"));
	json_write_object(json);
	json_write_member_text(json, "serviceName", service.length ? service : slice_of(span->router));
	json_write_end(json);
	write_remote(json, span);
	json_write_key(json, SLICE("tags"));
	json_write_object(json);
	attributes_each(span, write_tag, json);
	if (type.length)
		json_write_member_text(json, "error", type);
	json_write_end(json);
	json_write_end(json);
}

void zipkin_spans(const struct span *spans, unsigned count, struct slice service, struct text *out)
{
	struct json_writer json;

	json_write_start(&json, out, false);
	json_write_array(&json);
	for (unsigned i = 0; i < count; i++)
		write_span(&json, &spans[i], service);
	json_write_end(&json);
}
