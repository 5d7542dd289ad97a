/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_text.h"

#include "io/stream.h"

/* What all parts of a line are made of. */
struct telling {
	struct access_line *line;
	const struct exchange *exchange;
	struct head *response;
};

static void add_nothing(const struct telling *telling)
{
	*telling->line->at++ = '-';
}

/* Of what somebody else may choose. What is empty is missing, so that columns stay where they are. */
static void add_value(const struct telling *telling, const struct access_part *part, struct slice value)
{
	if (value.length)
		access_line_value_to(telling->line, value, part->most, part->end);
	else
		add_nothing(telling);
}

static void add_address(const struct telling *telling, const struct address *address)
{
	char text[ADDRESS_TEXT];

	if (address->family == ADDRESS_IP4 || address->family == ADDRESS_IP6)
		access_line_add(telling->line, slice_make(text, (size_t)address_format(address, text)));
	else
		add_nothing(telling);
}

static void add_ip(const struct telling *telling, const struct address *address)
{
	if (address->family == ADDRESS_IP4 || address->family == ADDRESS_IP6)
		access_line_ip(telling->line, address);
	else
		add_nothing(telling);
}

static void add_hex(const struct telling *telling, uint64_t id)
{
	trace_hex(id, telling->line->at);
	telling->line->at += 16;
}

static struct slice version_text(const struct head *request)
{
	switch ((enum version)request->version) {
	case VERSION_1_0:
		return SLICE("HTTP/1.0");
	case VERSION_2:
		return SLICE("HTTP/2");
	case VERSION_1_1:
		break;
	}
	return SLICE("HTTP/1.1");
}

static const struct stream_security *security_of(const struct exchange *exchange)
{
	const struct session *session = exchange->down->session;

	return session->stream ? stream_security(session->stream) : NULL;
}

static struct slice header_of(const struct exchange *exchange, struct head *head, const struct access_header *header)
{
	struct field *field;

	switch (header->source) {
	case ACCESS_METHOD:
		return head->method_text;
	case ACCESS_PATH:
		return head->target;
	case ACCESS_AUTHORITY:
		return head->authority;
	case ACCESS_SCHEME:
		return security_of(exchange) ? SLICE("https") : SLICE("http");
	case ACCESS_HEADER:
		break;
	}
	if (!header->name.length)
		return SLICE("");
	field = header->id == FIELD_OTHER    ? head_find_name(head, header->name)
		: head_has(head, header->id) ? head_find(head, header->id)
					     : NULL;
	return field ? field_value(field) : SLICE("");
}

static void add_header(const struct telling *telling, const struct access_part *part, struct head *head)
{
	struct slice value = header_of(telling->exchange, head, &part->header);

	add_value(telling, part, value.length ? value : header_of(telling->exchange, head, &part->otherwise));
}

static void add_began(const struct telling *telling)
{
	const struct exchange *exchange = telling->exchange;
	struct loop *loop = exchange->worker->loop;

	access_line_time(telling->line, exchange->worker, loop_wall(loop) - (loop_now(loop) - exchange->began));
}

static void add_caller_id(const struct telling *telling, const struct access_part *part)
{
	const struct stream_security *security = security_of(telling->exchange);

	add_value(telling, part, security ? security->peer_uri : SLICE(""));
}

static void add_trace(const struct telling *telling)
{
	const struct trace *trace = &telling->exchange->trace;

	add_hex(telling, trace->wide ? trace->id_high : 0);
	add_hex(telling, trace->id);
}

/* Until the head of the response came, which is now. */
static int64_t lasted_ns(const struct exchange *exchange)
{
	return exchange->attempt_began + exchange->attempt_ns - exchange->began;
}

static void add_part(const struct telling *telling, const struct access_part *part)
{
	const struct exchange *exchange = telling->exchange;
	const struct session *session = exchange->down->session;
	struct access_line *line = telling->line;

	switch (part->field) {
	case ACCESS_TEXT:
		access_line_add(line, part->text);
		return;
	case ACCESS_START_TIME:
		add_began(telling);
		return;
	case ACCESS_PROTOCOL:
		access_line_add(line, version_text(exchange->request));
		return;
	case ACCESS_REQUEST:
		add_header(telling, part, exchange->request);
		return;
	case ACCESS_RESPONSE:
		add_header(telling, part, telling->response);
		return;
	case ACCESS_RESPONSE_CODE:
		access_line_number(line, telling->response->status);
		return;
	case ACCESS_RESPONSE_DURATION:
		access_line_number(line, (uint64_t)(lasted_ns(exchange) / CLOCK_MS));
		return;
	case ACCESS_ENDPOINT_DURATION:
		access_line_number(line, (uint64_t)exchange->attempt_ns / 1000);
		return;
	case ACCESS_ATTEMPTS:
		access_line_number(line, exchange->attempts);
		return;
	case ACCESS_ENDPOINT:
		add_address(telling, &exchange->last_address);
		return;
	case ACCESS_CALLER:
		add_address(telling, &session->remote);
		return;
	case ACCESS_CALLER_IP:
		add_ip(telling, &session->remote);
		return;
	case ACCESS_CALLER_PORT:
		access_line_number(line, session->remote.port);
		return;
	case ACCESS_CALLER_ID:
		add_caller_id(telling, part);
		return;
	case ACCESS_LISTENER:
		add_address(telling, &session->local);
		return;
	case ACCESS_ROUTER:
		add_value(telling, part, exchange->listener->router->router->label);
		return;
	case ACCESS_SERVICE:
		add_value(telling, part, exchange->bound->binding->service->name);
		return;
	case ACCESS_CLIENT:
		add_value(telling, part, exchange->leaf->client->id);
		return;
	case ACCESS_TRACE_ID:
		add_trace(telling);
		return;
	case ACCESS_SPAN_ID:
		add_hex(telling, exchange->trace.span);
		return;
	case ACCESS_FIELDS:
		break;
	}
}

void access_text(struct access_line *line, const struct access_format *format, const struct exchange *exchange, struct head *response)
{
	const struct telling telling = { line, exchange, response };

	for (unsigned i = 0; i < format->count; i++)
		add_part(&telling, &format->parts[i]);
	*line->at++ = '\n';
}
