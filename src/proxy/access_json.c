/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_json.h"

#include "io/stream.h"

/* Bytes of values; with the names they are less than LINES_MOST_LINE. */
enum { MOST_NAME = 256, MOST_METHOD = 64, MOST_PATH = 1024, MOST_QUERY = 512, MOST_FIELD = 400 };

/* `before` is all that comes before the value: a comma, the name, a colon and a quote. Inlined, as is what it is given to, it is copied
 * without a call. */
#define INLINED static inline __attribute__((always_inline)) void

INLINED add_text(struct access_line *line, struct slice before, struct slice value, unsigned most)
{
	access_line_add(line, before);
	access_line_value(line, value, most, ACCESS_ESCAPE_JSON);
	*line->at++ = '"';
}

INLINED add_number(struct access_line *line, struct slice before, uint64_t number)
{
	access_line_add(line, before);
	access_line_number(line, number);
}

INLINED add_address(struct access_line *line, struct slice before, const struct address *address)
{
	access_line_add(line, before);
	access_line_ip(line, address);
	*line->at++ = '"';
}

static void add_time(struct access_line *line, struct worker *worker)
{
	access_line_add(line, SLICE("{\"timestamp\":\""));
	access_line_time(line, worker, loop_wall(worker->loop));
	*line->at++ = '"';
}

static void add_hex(struct access_line *line, uint64_t id)
{
	trace_hex(id, line->at);
	line->at += 16;
}

static void add_trace(struct access_line *line, const struct trace *trace)
{
	access_line_add(line, SLICE(",\"trace_id\":\""));
	add_hex(line, trace->wide ? trace->id_high : 0);
	add_hex(line, trace->id);
	access_line_add(line, SLICE("\",\"span_id\":\""));
	add_hex(line, trace->span);
	access_line_add(line, trace->flags & TRACE_SAMPLED ? SLICE("\",\"trace_flags\":\"01\"") : SLICE("\",\"trace_flags\":\"00\""));
}

/* "host", "host:port", "[ip6]:port" */
static void add_authority(struct access_line *line, struct slice authority)
{
	size_t colon = authority.length;
	uint64_t port;

	if (!authority.length)
		return;
	while (colon > 0 && authority.at[colon - 1] >= '0' && authority.at[colon - 1] <= '9')
		colon--;
	bool has_port = colon > 0 && authority.at[colon - 1] == ':' && slice_to_u64(slice_from(authority, colon), UINT16_MAX, &port) == 0;
	struct slice host = has_port ? slice_make(authority.at, colon - 1) : authority;

	if (host.length > 1 && host.at[0] == '[' && host.at[host.length - 1] == ']')
		host = slice_make(host.at + 1, host.length - 2);
	add_text(line, SLICE(",\"server.address\":\""), host, MOST_NAME);
	if (has_port)
		add_number(line, SLICE(",\"server.port\":"), port);
}

static void add_target(struct access_line *line, struct slice target)
{
	size_t question = slice_find(target, '?');

	add_text(line, SLICE(",\"url.path\":\""), slice_make(target.at, question), MOST_PATH);
	if (question < target.length)
		add_text(line, SLICE(",\"url.query\":\""), slice_from(target, question + 1), MOST_QUERY);
}

static struct slice version_of(const struct head *request)
{
	switch ((enum version)request->version) {
	case VERSION_1_0:
		return SLICE(",\"network.protocol.name\":\"http\",\"network.protocol.version\":\"1.0\"");
	case VERSION_2:
		return SLICE(",\"network.protocol.name\":\"http\",\"network.protocol.version\":\"2\"");
	case VERSION_1_1:
		break;
	}
	return SLICE(",\"network.protocol.name\":\"http\",\"network.protocol.version\":\"1.1\"");
}

static void add_caller(struct access_line *line, const struct exchange *exchange)
{
	const struct session *session = exchange->down->session;
	bool secure = session->stream && stream_security(session->stream);

	access_line_add(line, secure ? SLICE(",\"url.scheme\":\"https\"") : SLICE(",\"url.scheme\":\"http\""));
	add_address(line, SLICE(",\"client.address\":\""), &session->remote);
	if (session->remote.port)
		add_number(line, SLICE(",\"client.port\":"), session->remote.port);
}

static void add_request(struct access_line *line, const struct exchange *exchange)
{
	struct head *request = exchange->request;

	add_text(line, SLICE(",\"http.request.method\":\""), request->method_text, MOST_METHOD);
	add_target(line, request->target);
	add_authority(line, request->authority);
	add_caller(line, exchange);
	access_line_add(line, version_of(request));
	if (head_has(request, FIELD_USER_AGENT))
		add_text(line, SLICE(",\"user_agent.original\":\""), field_value(head_find(request, FIELD_USER_AGENT)), MOST_FIELD);
	if (head_has(request, FIELD_REFERER)) {
		add_text(line, SLICE(",\"http.request.header.referer\":[\""), field_value(head_find(request, FIELD_REFERER)), MOST_FIELD);
		*line->at++ = ']';
	}
}

static void add_response(struct access_line *line, const struct exchange *exchange, struct head *response)
{
	uint64_t length;

	add_number(line, SLICE(",\"http.response.status_code\":"), response->status);
	if (response->status >= 500) {
		add_number(line, SLICE(",\"error.type\":\""), response->status);
		*line->at++ = '"';
	}
	if (head_has(response, FIELD_CONTENT_LENGTH) &&
		slice_to_u64(field_value(head_find(response, FIELD_CONTENT_LENGTH)), UINT64_MAX, &length) == 0)
		add_number(line, SLICE(",\"http.response.body.size\":"), length);
	if (exchange->attempts > 1)
		add_number(line, SLICE(",\"http.request.resend_count\":"), exchange->attempts - 1);
}

/* What OpenTelemetry has no names for. */
static void add_route(struct access_line *line, const struct exchange *exchange)
{
	add_text(line, SLICE(",\"weft.router\":\""), exchange->listener->router->router->label, MOST_NAME / 2);
	add_text(line, SLICE(",\"weft.service\":\""), exchange->bound->binding->service->name, MOST_NAME);
	add_address(line, SLICE(",\"weft.endpoint.address\":\""), &exchange->last_address);
	if (exchange->last_address.port)
		add_number(line, SLICE(",\"weft.endpoint.port\":"), exchange->last_address.port);
	add_number(line, SLICE(",\"weft.endpoint.duration_us\":"), (uint64_t)exchange->attempt_ns / 1000);
}

void access_json(struct access_line *line, const struct exchange *exchange, struct head *response)
{
	add_time(line, exchange->worker);
	add_trace(line, &exchange->trace);
	add_request(line, exchange);
	add_response(line, exchange, response);
	add_route(line, exchange);
	access_line_add(line, SLICE("}\n"));
}
