/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/answer.h"

#include "base/log.h"
#include "base/text.h"
#include "model/dtab.h"
#include "proxy/identify.h"
#include "proxy/l5d.h"

enum step_result answer_error(struct exchange *exchange, unsigned status, struct slice text)
{
	exchange_answer(exchange, status, text, false);
	return STEP_END;
}

enum step_result answer_no_room(struct exchange *exchange, int error)
{
	exchange->flags |= error == ERROR_LIMIT ? 0 : FLAG_OVERLOAD;
	return error == ERROR_LIMIT ? answer_error(exchange, 431, SLICE("too many header fields"))
				    : answer_error(exchange, 503, SLICE("no memory for the request's header fields"));
}

enum step_result answer_status(struct exchange *exchange, unsigned status)
{
	exchange_answer(exchange, status, (struct slice){ 0 }, false);
	return STEP_END;
}

enum step_result answer_unidentified(struct exchange *exchange, struct slice why)
{
	char from[ADDRESS_TEXT];
	struct head *request = exchange->request;
	struct text text = { 0 };

	/* As Linkerd 1.x, which answers nothing here by HTTP/2. */
	if (exchange->listener->router->router->protocol == PROTOCOL_H2 && request->version == VERSION_2 && !exchange->rpc) {
		exchange->refusal = RESET_REFUSED;
		exchange_finish(exchange);
		return STEP_END;
	}
	address_format(&exchange->down->session->remote, from);
	text_format(&text, "Unknown destination: Request(\"%.*s %.*s\", from %s) / %.*s", SLICE_ARGS(request->method_text),
		SLICE_ARGS(request->target), from, SLICE_ARGS(why));
	exchange_answer(exchange, 400, text_slice(&text), false);
	text_free(&text);
	return STEP_END;
}

enum step_result answer_forbidden(struct exchange *exchange, struct slice who)
{
	const struct session *session = exchange->down->session;
	char from[ADDRESS_TEXT], at[ADDRESS_TEXT];
	struct text text = { 0 };

	address_format(&session->remote, from);
	address_format(&session->local, at);
	LOG(LOG_INFO, "proxy", "refused a request: from %s, at %s of router %.*s: none of its peerIds is %.*s", from, at,
		SLICE_ARGS(exchange->listener->router->router->label),
		SLICE_ARGS(who.length ? who : SLICE("a caller without an identity")));
	text_format(&text, "%.*s may not call here", SLICE_ARGS(who.length ? who : SLICE("a caller without an identity")));
	exchange_answer(exchange, 403, text_slice(&text), false);
	text_free(&text);
	return STEP_END;
}

enum step_result answer_not_admitted(struct exchange *exchange, enum admission admission)
{
	struct text text = { 0 };

	if (admission == ADMISSION_TOO_DEEP)
		text_format(&text, "Maximum number of calls (%u) has been exceeded. Please check for proxy loops.",
			exchange->listener->policy->max_call_depth);
	else
		text_append(&text, admission_text(admission));
	exchange_answer(exchange, admission_status(admission), text_slice(&text), false);
	text_free(&text);
	return STEP_END;
}

static void show_entries(struct text *out, const struct dtab *dtab)
{
	for (uint32_t i = 0; i < dtab->count; i++) {
		text_append(out, SLICE("  "));
		dentry_show_prefix(out, &dtab->entries[i]);
		text_append(out, SLICE(" => "));
		dentry_show_tree(out, &dtab->entries[i]);
		text_append(out, SLICE("\n"));
	}
}

static void show_dtabs(struct text *out, struct exchange *exchange)
{
	const struct dtab *base = exchange->listener->router->router->dtab;
	struct dtab local = { 0 };
	struct slice why;
	struct arena arena;

	arena_init(&arena, NULL, 0);
	if (dtab_parse(exchange->local_dtab, &arena, &local, &why, NULL))
		local = (struct dtab){ 0 };
	text_append(out, SLICE("dtab:\n"));
	show_entries(out, base);
	show_entries(out, &local);
	text_append(out, SLICE("base dtab:\n"));
	show_entries(out, base);
	text_append(out, SLICE("override dtab:\n"));
	show_entries(out, &local);
	arena_reset(&arena);
}

enum step_result answer_unbound(struct exchange *exchange, struct slice why)
{
	struct text text = { 0 };

	exchange->flags |= FLAG_NO_ROUTE;
	counter_add(&exchange->listener->router->stats->unbound, 1);
	text_format(&text, "Unable to route request!\n\n");
	if (why.length)
		text_format(&text, "%.*s\n\n", SLICE_ARGS(why));
	text_format(&text, "service name: %.*s\n", SLICE_ARGS(exchange->path));
	show_dtabs(&text, exchange);
	exchange_answer(exchange, 502, text_slice(&text), true);
	text_free(&text);
	return STEP_END;
}

enum step_result answer_timeout(struct exchange *exchange, int64_t limit_ns, const char *what)
{
	struct text text = { 0 };

	exchange->rpc_status = GRPC_DEADLINE_EXCEEDED;
	text_format(&text, "exceeded %lld.milliseconds to %.*s while waiting for %s", (long long)(limit_ns / CLOCK_MS),
		SLICE_ARGS(exchange->path), what);
	exchange_answer(exchange, 503, text_slice(&text), false);
	text_free(&text);
	return STEP_END;
}

static void show_connect_failure(struct text *out, const struct exchange *exchange, const char *peer)
{
	const struct client *client = exchange->leaf->client;
	const struct targets *targets = exchange->upstream->targets;

	text_format(out, "Unable to establish connection to %s.\n\nservice name: %.*s\nclient name: %.*s\naddresses: [", peer,
		SLICE_ARGS(exchange->path), SLICE_ARGS(client->id));
	for (unsigned i = 0; i < targets->count && i < 64; i++)
		text_format(out, "%s%s", i ? ", " : "", targets->at[i].target->text);
	text_format(out, "]\nselected address: %s", peer);
}

enum step_result answer_failed(struct exchange *exchange, enum outcome outcome, int error)
{
	struct text text = { 0 };
	unsigned status = 502;
	char peer[ADDRESS_TEXT];

	exchange->rpc_status = (uint8_t)outcome_status(outcome);
	address_format(&exchange->last_address, peer);
	switch (outcome) {
	case OUTCOME_CONNECT:
		show_connect_failure(&text, exchange, peer);
		break;
	case OUTCOME_ATTEMPT_TIMEOUT:
		if (exchange->leaf->client->policy.attempt_timeout_ns)
			return answer_timeout(exchange, exchange->leaf->client->policy.attempt_timeout_ns, peer);
		/* It is its connection's time that was over: a ping without an answer, or nothing read or written for too long. */
		status = 503;
		text_format(&text, "%s has fallen silent", peer);
		break;
	case OUTCOME_TOTAL_TIMEOUT:
		return answer_timeout(exchange, exchange->limit_ns, "a response");
	case OUTCOME_OVERLOAD:
		status = 503;
		text_format(&text, "no connection to %s could be had: %s", peer, error_text(error));
		break;
	case OUTCOME_PROTOCOL:
		text_format(&text, "%s sent what is no valid response", peer);
		break;
	default:
		text_format(&text, "%s closed the connection before it had answered", peer);
		break;
	}
	exchange_answer(exchange, status, text_slice(&text),
		outcome == OUTCOME_CONNECT || outcome == OUTCOME_REFUSED || outcome == OUTCOME_OVERLOAD);
	text_free(&text);
	return STEP_END;
}
