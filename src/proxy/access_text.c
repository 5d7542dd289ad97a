/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_text.h"

#include "io/stream.h"

/* What all parts of a line are made of. */
struct telling {
	const struct exchange *exchange;
	struct head *response;
};

static char *add_nothing(char *at)
{
	*at++ = '-';
	return at;
}

/* Of what somebody else may choose. What is empty is missing, so that columns stay where they are. */
static char *add_value(char *at, const struct access_part *part, struct slice value)
{
	return value.length ? access_line_value_to(at, value, part->most, part->end) : add_nothing(at);
}

static bool is_ip(const struct address *address)
{
	return address->family == ADDRESS_IP4 || address->family == ADDRESS_IP6;
}

static char *add_address(char *at, const struct address *address)
{
	char text[ADDRESS_TEXT];

	return is_ip(address) ? access_line_add(at, slice_make(text, (size_t)address_format(address, text))) : add_nothing(at);
}

static char *add_ip(char *at, const struct address *address)
{
	return is_ip(address) ? access_line_ip(at, address) : add_nothing(at);
}

static char *add_hex(char *at, uint64_t id)
{
	trace_hex(id, at);
	return at + 16;
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

static char *add_header(char *at, const struct telling *telling, const struct access_part *part, struct head *head)
{
	struct slice value = header_of(telling->exchange, head, &part->header);

	return add_value(at, part, value.length ? value : header_of(telling->exchange, head, &part->otherwise));
}

static char *add_began(char *at, const struct telling *telling)
{
	const struct exchange *exchange = telling->exchange;
	struct loop *loop = exchange->worker->loop;

	return access_line_time(at, exchange->worker, loop_wall(loop) - (loop_now(loop) - exchange->began));
}

static char *add_caller_id(char *at, const struct telling *telling, const struct access_part *part)
{
	const struct stream_security *security = security_of(telling->exchange);

	return add_value(at, part, security ? security->peer_uri : SLICE(""));
}

static char *add_trace(char *at, const struct telling *telling)
{
	const struct trace *trace = &telling->exchange->trace;

	at = add_hex(at, trace->wide ? trace->id_high : 0);
	return add_hex(at, trace->id);
}

/* Until the head of the response came, which is now. */
static int64_t lasted_ns(const struct exchange *exchange)
{
	return exchange->attempt_began + exchange->attempt_ns - exchange->began;
}

static char *add_part(char *at, const struct telling *telling, const struct access_part *part)
{
	const struct exchange *exchange = telling->exchange;
	const struct session *session = exchange->down->session;

	switch (part->field) {
	case ACCESS_TEXT:
		return access_line_add(at, part->text);
	case ACCESS_START_TIME:
		return add_began(at, telling);
	case ACCESS_PROTOCOL:
		return access_line_add(at, version_text(exchange->request));
	case ACCESS_REQUEST:
		return add_header(at, telling, part, exchange->request);
	case ACCESS_RESPONSE:
		return add_header(at, telling, part, telling->response);
	case ACCESS_RESPONSE_CODE:
		return access_line_number(at, telling->response->status);
	case ACCESS_RESPONSE_DURATION:
		return access_line_number(at, (uint64_t)(lasted_ns(exchange) / CLOCK_MS));
	case ACCESS_ENDPOINT_DURATION:
		return access_line_number(at, (uint64_t)exchange->attempt_ns / 1000);
	case ACCESS_ATTEMPTS:
		return access_line_number(at, exchange->attempts);
	case ACCESS_ENDPOINT:
		return add_address(at, &exchange->last_address);
	case ACCESS_CALLER:
		return add_address(at, &session->remote);
	case ACCESS_CALLER_IP:
		return add_ip(at, &session->remote);
	case ACCESS_CALLER_PORT:
		return access_line_number(at, session->remote.port);
	case ACCESS_CALLER_ID:
		return add_caller_id(at, telling, part);
	case ACCESS_LISTENER:
		return add_address(at, &session->local);
	case ACCESS_ROUTER:
		return add_value(at, part, exchange->listener->router->router->label);
	case ACCESS_SERVICE:
		return add_value(at, part, exchange->bound->binding->service->name);
	case ACCESS_CLIENT:
		return add_value(at, part, exchange->leaf->client->id);
	case ACCESS_TRACE_ID:
		return add_trace(at, telling);
	case ACCESS_SPAN_ID:
		return add_hex(at, exchange->trace.span);
	case ACCESS_FIELDS:
		break;
	}
	return at;
}

char *access_text(char *at, const struct access_format *format, const struct exchange *exchange, struct head *response)
{
	const struct telling telling = { exchange, response };

	for (unsigned i = 0; i < format->count; i++)
		at = add_part(at, &telling, &format->parts[i]);
	*at++ = '\n';
	return at;
}
