/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/l5d.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/forwarded.h"
#include "proxy/identify.h"
#include "proxy/notes.h"
#include "proxy/propagation.h"
#include "wire/websocket.h"

static bool is_l5d(const struct field *field)
{
	return field->name_length > 4 && slice_equal_nocase(slice_make(field->line, 4), SLICE("l5d-"));
}

/* ---- reading ---- */

static int read_dtabs(struct exchange *exchange, struct slice *why)
{
	struct dtab all;
	int e = identify_dtab(exchange->request, &exchange->arena, &all, why);

	if (e)
		return e;
	exchange->local_dtab = dtab_show(&exchange->arena, &all);
	return exchange->local_dtab.at ? 0 : ERROR_NO_MEMORY;
}

/* "<timestamp ns> <deadline ns>", both since 1970; of several the later timestamp and the earlier deadline. */
static void read_deadlines(struct exchange *exchange)
{
	for (struct field *f = head_find(exchange->request, FIELD_L5D_CTX_DEADLINE); f; f = head_find_next(exchange->request, f)) {
		struct slice rest = field_value(f), part;
		uint64_t at, deadline;

		if (!slice_split(&rest, ' ', &part) || slice_to_u64(part, INT64_MAX, &at) ||
			slice_to_u64(slice_trim(rest), INT64_MAX, &deadline))
			continue;
		if ((int64_t)at > exchange->deadline_stamp)
			exchange->deadline_stamp = (int64_t)at;
		if (exchange->deadline == 0 || (int64_t)deadline < exchange->deadline)
			exchange->deadline = (int64_t)deadline;
	}
}

static void read_sample(struct exchange *exchange)
{
	char text[32];
	struct slice value = field_value(head_find(exchange->request, FIELD_L5D_SAMPLE));

	if (value.length == 0 || value.length >= sizeof text)
		return;
	memcpy(text, value.at, value.length);
	text[value.length] = 0;
	char *end;
	double rate = strtod(text, &end);
	if (*end || !(rate == rate))
		return;
	exchange->trace.flags |= TRACE_SAMPLING_KNOWN;
	exchange->trace.flags &= ~(uint64_t)TRACE_SAMPLED;
	if (random_unit(loop_random(exchange->worker->loop)) < rate)
		exchange->trace.flags |= TRACE_SAMPLED;
}

void l5d_drop(struct head *head)
{
	for (unsigned i = 0; i < head->field_count; i++)
		if (!head->fields[i].dropped && is_l5d(&head->fields[i]))
			head_drop(head, &head->fields[i]);
}

#define READ_BITS \
	(1ull << FIELD_L5D_CTX_DTAB | 1ull << FIELD_L5D_DTAB | 1ull << FIELD_L5D_CTX_DEADLINE | 1ull << FIELD_L5D_CTX_TRACE | \
		1ull << FIELD_L5D_SAMPLE)

static void read_contexts(struct exchange *exchange)
{
	struct head *request = exchange->request;

	if (head_has(request, FIELD_L5D_CTX_DEADLINE))
		read_deadlines(exchange);
	if (head_has(request, FIELD_L5D_SAMPLE))
		read_sample(exchange);
	head_drop_all(request, FIELD_L5D_CTX_DTAB);
	head_drop_all(request, FIELD_L5D_DTAB);
	head_drop_all(request, FIELD_L5D_CTX_DEADLINE);
	head_drop_all(request, FIELD_L5D_CTX_TRACE);
	head_drop_all(request, FIELD_L5D_SAMPLE);
}

int l5d_read(struct exchange *exchange, struct slice *why)
{
	struct head *request = exchange->request;

	exchange->local_dtab = SLICE("");
	if (exchange->listener->policy->clear_context)
		l5d_drop(request);
	if (head_has(request, FIELD_L5D_CTX_DTAB) || head_has(request, FIELD_L5D_DTAB)) {
		int e = read_dtabs(exchange, why);

		if (e)
			return e;
		if (exchange->local_dtab.length)
			notes_dtab(exchange);
	}
	propagation_read(exchange);
	if (request->present & READ_BITS)
		read_contexts(exchange);
	propagation_sample(exchange);
	return 0;
}

unsigned l5d_call_depth(struct head *head)
{
	unsigned depth = 0;

	if (!head_has(head, FIELD_VIA))
		return 0;
	for (struct field *f = head_find(head, FIELD_VIA); f; f = head_find_next(head, f)) {
		struct slice value = field_value(f);

		depth++;
		for (size_t i = 0; i < value.length; i++)
			depth += value.at[i] == ',';
	}
	return depth;
}

/* ---- writing ---- */

/* A line "name: value CRLF" that lives at least as long as the head is used. */
static int add_line(struct head *head, enum field_id id, struct slice line, unsigned name_length)
{
	return head_add_line(head, id, line, name_length, name_length + 2);
}

static int write_deadline(struct exchange *exchange)
{
	struct slice line = arena_format(
		&exchange->arena, "l5d-ctx-deadline: %lld %lld\r\n", (long long)exchange->deadline_stamp, (long long)exchange->deadline);

	return line.at ? add_line(exchange->request, FIELD_L5D_CTX_DEADLINE, line, sizeof "l5d-ctx-deadline" - 1) : ERROR_NO_MEMORY;
}

static int write_local_dtab(struct exchange *exchange)
{
	return head_add(exchange->request, &exchange->arena, FIELD_L5D_CTX_DTAB, SLICE("l5d-ctx-dtab"), exchange->local_dtab);
}

/* As which version the message came. */
static struct slice via_line(const struct head *head)
{
	switch ((enum version)head->version) {
	case VERSION_1_0:
		return SLICE("Via: 1.0 linkerd\r\n");
	case VERSION_2:
		return SLICE("Via: 2.0 linkerd\r\n");
	case VERSION_1_1:
		break;
	}
	return SLICE("Via: 1.1 linkerd\r\n");
}

/* One Via field: what came, and this proxy at its end. */
static int write_via(struct exchange *exchange, struct head *head)
{
	struct slice line = via_line(head);

	if (!head_has(head, FIELD_VIA))
		return add_line(head, FIELD_VIA, line, sizeof "Via" - 1);
	struct slice all = { 0 };
	for (struct field *f = head_find(head, FIELD_VIA); f; f = head_find_next(head, f)) {
		all = arena_format(&exchange->arena, "%.*s%s%.*s", SLICE_ARGS(all), all.length ? ", " : "", SLICE_ARGS(field_value(f)));
		if (!all.at)
			return ERROR_NO_MEMORY;
	}
	all = arena_format(&exchange->arena, "Via: %.*s, %.*s", SLICE_ARGS(all), SLICE_ARGS(slice_from(line, sizeof "Via: " - 1)));
	if (!all.at)
		return ERROR_NO_MEMORY;
	head_drop_all(head, FIELD_VIA);
	return add_line(head, FIELD_VIA, all, sizeof "Via" - 1);
}

/* timestampHeader: when the request came, whatever its sender says. */
static int write_timestamp(struct exchange *exchange, struct slice name)
{
	struct head *request = exchange->request;
	struct loop *loop = exchange->worker->loop;
	int64_t arrived = loop_wall(loop) - (loop_now(loop) - exchange->began);
	struct slice value = arena_format(&exchange->arena, "%lld", (long long)(arrived / CLOCK_MS));

	if (!value.at)
		return ERROR_NO_MEMORY;
	for (unsigned i = 0; i < request->field_count; i++)
		if (!request->fields[i].dropped && slice_equal_nocase(field_name(&request->fields[i]), name))
			head_drop(request, &request->fields[i]);
	return head_add(request, &exchange->arena, field_identify(name), name, value);
}

/* What stays the same for all attempts: done once, before the first. */
static int prepare(struct exchange *exchange)
{
	const struct listener_policy *policy = exchange->listener->policy;
	struct head *request = exchange->request;
	int e;

	/* The one upgrade that is passed on: what else there is would carry requests past this proxy, h2c above all. */
	request->upgrades = websocket_asked(request);
	head_drop_hop_by_hop(request, request->upgrades);
	head_drop_all(request, FIELD_L5D_DST_SERVICE);
	head_drop_all(request, FIELD_L5D_DST_CLIENT);
	head_drop_all(request, FIELD_L5D_DST_RESIDUAL);
	head_drop_all(request, FIELD_L5D_REQID);
	e = forwarded_take_certificate(exchange);
	if (!e)
		e = write_via(exchange, request);
	if (!e && policy->timestamp)
		e = write_timestamp(exchange, policy->timestamp_header);
	if (!e && policy->add_forwarded)
		e = forwarded_write(exchange);
	if (!e && exchange->local_dtab.length)
		e = write_local_dtab(exchange);
	if (!e && exchange->deadline)
		e = write_deadline(exchange);
	if (!e)
		e = add_line(
			request, FIELD_L5D_DST_SERVICE, exchange->bound->binding->service->request_lines, sizeof "l5d-dst-service" - 1);
	exchange->base_fields = request->field_count;
	exchange->base_present = request->present;
	return e;
}

int l5d_write(struct exchange *exchange)
{
	struct head *request = exchange->request;
	int e = 0;

	if (!exchange->prepared)
		e = prepare(exchange);
	exchange->prepared = true;
	if (!e)
		e = propagation_write(exchange);
	if (!e)
		e = add_line(request, FIELD_L5D_DST_CLIENT, exchange->leaf->client->request_lines, sizeof "l5d-dst-client" - 1);
	if (!e && exchange->leaf->client->policy.forward_certificate)
		e = forwarded_write_certificate(exchange);
	if (!e && exchange->leaf->residual_line.length)
		e = add_line(request, FIELD_L5D_DST_RESIDUAL, exchange->leaf->residual_line, sizeof "l5d-dst-residual" - 1);
	return e;
}

void l5d_rewind(struct exchange *exchange)
{
	/* An attempt that found no connection has written nothing. */
	if (!exchange->prepared)
		return;
	exchange->request->field_count = exchange->base_fields;
	exchange->request->present = exchange->base_present;
}

int l5d_write_response(struct exchange *exchange, struct head *head)
{
	int e = 0;

	/* 101 comes only to who asked for it: the session below sees to that. */
	head->upgrades = head->upgrades && head->status == 101;
	head_drop_hop_by_hop(head, head->upgrades);
	if (exchange->listener->policy->clear_context) {
		l5d_drop(head);
	} else {
		if (head_has(head, FIELD_L5D_SUCCESS_CLASS))
			head_drop_all(head, FIELD_L5D_SUCCESS_CLASS);
		if (!exchange->awaits_status)
			e = add_line(head, FIELD_L5D_SUCCESS_CLASS,
				exchange->success ? SLICE("l5d-success-class: 1.0\r\n") : SLICE("l5d-success-class: 0.0\r\n"),
				sizeof "l5d-success-class" - 1);
		if (e)
			return e;
	}
	return write_via(exchange, head);
}

struct slice l5d_encode_error(struct arena *arena, struct slice message, size_t max)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t room = message.length * 3 < max ? message.length * 3 : max, length = 0;
	char *out = arena_get(arena, room ? room : 1);

	if (!out)
		return (struct slice){ 0 };
	for (size_t i = 0; i < message.length; i++) {
		unsigned char c = (unsigned char)message.at[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
			c == '.' || c == '*';

		if (length + (plain || c == ' ' ? 1 : 3) > room)
			break;
		if (plain) {
			out[length++] = (char)c;
		} else if (c == ' ') {
			out[length++] = '+';
		} else {
			out[length++] = '%';
			out[length++] = digits[c >> 4];
			out[length++] = digits[c & 15];
		}
	}
	return slice_make(out, length);
}
