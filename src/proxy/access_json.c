/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_json.h"

#include "io/stream.h"

/* Bytes of values; with the names they are less than LINES_MOST_LINE. */
enum { MOST_NAME = 256, MOST_METHOD = 64, MOST_PATH = 1024, MOST_QUERY = 512, MOST_FIELD = 400 };

/* `before` is all that comes before the value: a comma, the name, a colon and a quote. Inlined, as is what it is given to, it is copied
 * without a call. */
#define INLINED static inline __attribute__((always_inline)) char *

INLINED add_text(char *at, struct slice before, struct slice value, unsigned most)
{
	at = access_line_add(at, before);
	at = access_line_value(at, value, most, ACCESS_ESCAPE_JSON);
	*at++ = '"';
	return at;
}

INLINED add_number(char *at, struct slice before, uint64_t number)
{
	return access_line_number(access_line_add(at, before), number);
}

INLINED add_address(char *at, struct slice before, const struct address *address)
{
	at = access_line_ip(access_line_add(at, before), address);
	*at++ = '"';
	return at;
}

static char *add_time(char *at, struct worker *worker)
{
	at = access_line_add(at, SLICE("{\"timestamp\":\""));
	at = access_line_time(at, worker, loop_wall(worker->loop));
	*at++ = '"';
	return at;
}

static char *add_hex(char *at, uint64_t id)
{
	trace_hex(id, at);
	return at + 16;
}

static char *add_trace(char *at, const struct trace *trace)
{
	at = access_line_add(at, SLICE(",\"trace_id\":\""));
	at = trace->wide ? add_hex(at, trace->id_high) : access_line_add(at, SLICE("0000000000000000"));
	at = add_hex(at, trace->id);
	at = access_line_add(at, SLICE("\",\"span_id\":\""));
	at = add_hex(at, trace->span);
	return access_line_add(at, trace->flags & TRACE_SAMPLED ? SLICE("\",\"trace_flags\":\"01\"") : SLICE("\",\"trace_flags\":\"00\""));
}

/* "host", "host:port", "[ip6]:port" */
static char *add_authority(char *at, struct slice authority)
{
	size_t colon = authority.length;
	uint64_t port;

	if (!authority.length)
		return at;
	while (colon > 0 && authority.at[colon - 1] >= '0' && authority.at[colon - 1] <= '9')
		colon--;
	bool has_port = colon > 0 && authority.at[colon - 1] == ':' && slice_to_u64(slice_from(authority, colon), UINT16_MAX, &port) == 0;
	struct slice host = has_port ? slice_make(authority.at, colon - 1) : authority;

	if (host.length > 1 && host.at[0] == '[' && host.at[host.length - 1] == ']')
		host = slice_make(host.at + 1, host.length - 2);
	at = add_text(at, SLICE(",\"server.address\":\""), host, MOST_NAME);
	return has_port ? add_number(at, SLICE(",\"server.port\":"), port) : at;
}

static char *add_target(char *at, struct slice target)
{
	size_t question = slice_find(target, '?');

	at = add_text(at, SLICE(",\"url.path\":\""), slice_make(target.at, question), MOST_PATH);
	if (question < target.length)
		at = add_text(at, SLICE(",\"url.query\":\""), slice_from(target, question + 1), MOST_QUERY);
	return at;
}

/* Without network.protocol.name, which is to be told where it is another than "http". */
static struct slice version_of(const struct head *request)
{
	switch ((enum version)request->version) {
	case VERSION_1_0:
		return SLICE(",\"network.protocol.version\":\"1.0\"");
	case VERSION_2:
		return SLICE(",\"network.protocol.version\":\"2\"");
	case VERSION_1_1:
		break;
	}
	return SLICE(",\"network.protocol.version\":\"1.1\"");
}

static char *add_caller(char *at, const struct exchange *exchange)
{
	const struct session *session = exchange->down->session;
	bool secure = session->stream && stream_security(session->stream);

	at = access_line_add(at, secure ? SLICE(",\"url.scheme\":\"https\"") : SLICE(",\"url.scheme\":\"http\""));
	at = add_address(at, SLICE(",\"client.address\":\""), &session->remote);
	return session->remote.port ? add_number(at, SLICE(",\"client.port\":"), session->remote.port) : at;
}

static char *add_request(char *at, const struct exchange *exchange)
{
	struct head *request = exchange->request;

	at = add_text(at, SLICE(",\"http.request.method\":\""), request->method_text, MOST_METHOD);
	at = add_target(at, request->target);
	at = add_authority(at, request->authority);
	at = add_caller(at, exchange);
	at = access_line_add(at, version_of(request));
	if (head_has(request, FIELD_USER_AGENT))
		at = add_text(at, SLICE(",\"user_agent.original\":\""), field_value(head_find(request, FIELD_USER_AGENT)), MOST_FIELD);
	if (head_has(request, FIELD_REFERER)) {
		at = add_text(
			at, SLICE(",\"http.request.header.referer\":[\""), field_value(head_find(request, FIELD_REFERER)), MOST_FIELD);
		*at++ = ']';
	}
	return at;
}

static char *add_response(char *at, const struct exchange *exchange, struct head *response)
{
	uint64_t length;

	at = add_number(at, SLICE(",\"http.response.status_code\":"), response->status);
	if (response->status >= 500) {
		at = add_number(at, SLICE(",\"error.type\":\""), response->status);
		*at++ = '"';
	}
	if (head_has(response, FIELD_CONTENT_LENGTH) &&
		slice_to_u64(field_value(head_find(response, FIELD_CONTENT_LENGTH)), UINT64_MAX, &length) == 0)
		at = add_number(at, SLICE(",\"http.response.body.size\":"), length);
	if (exchange->attempts > 1)
		at = add_number(at, SLICE(",\"http.request.resend_count\":"), exchange->attempts - 1);
	return at;
}

/* What OpenTelemetry has no names for. */
static char *add_route(char *at, const struct exchange *exchange)
{
	at = add_text(at, SLICE(",\"weft.router\":\""), exchange->listener->router->router->label, MOST_NAME / 2);
	at = add_text(at, SLICE(",\"weft.service\":\""), exchange->bound->binding->service->name, MOST_NAME);
	at = add_address(at, SLICE(",\"weft.endpoint.address\":\""), &exchange->last_address);
	if (exchange->last_address.port)
		at = add_number(at, SLICE(",\"weft.endpoint.port\":"), exchange->last_address.port);
	return add_number(at, SLICE(",\"weft.endpoint.duration_us\":"), (uint64_t)exchange->attempt_ns / 1000);
}

char *access_json(char *at, const struct exchange *exchange, struct head *response)
{
	at = add_time(at, exchange->worker);
	at = add_trace(at, &exchange->trace);
	at = add_request(at, exchange);
	at = add_response(at, exchange, response);
	at = add_route(at, exchange);
	return access_line_add(at, SLICE("}\n"));
}
