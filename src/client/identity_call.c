/* SPDX-License-Identifier: Apache-2.0 */
#include "client/identity_call.h"

static struct call *call_of(struct fetch *fetch)
{
	return fetch->owner;
}

static void body(struct fetch *fetch, struct slice bytes)
{
	struct call *call = call_of(fetch);

	if (call->answer.length + bytes.length <= CALL_MOST_BODY) {
		text_append(&call->answer, bytes);
		return;
	}
	fetch_stop(fetch);
	call->answered(call, ERROR_LIMIT);
}

static void ended(struct fetch *fetch, int error)
{
	struct call *call = call_of(fetch);

	call->answered(call, error);
}

static void over(struct fetch *fetch)
{
	struct call *call = call_of(fetch);

	call->over(call);
}

void call_init(struct call *call, struct loop *loop, struct session_pools *pools, void (*answered)(struct call *call, int error),
	void (*over_now)(struct call *call), void *owner)
{
	static const struct fetch_events events = { .body = body, .ended = ended, .over = over };

	*call = (struct call){ .answered = answered, .over = over_now, .owner = owner };
	fetch_init(&call->fetch, loop, pools, &events, call);
}

int call_start(struct call *call, struct network *network, const char *socket, const char *method, struct slice target, struct slice bytes,
	int64_t limit_ns)
{
	static const struct fetch_field type = { { "Content-Type", 12 }, { "application/json", 16 } };
	const struct fetch_to to = { .network = network, .socket = socket };
	const struct fetch_request request = {
		.method = slice_of(method),
		.authority = SLICE("signer"),
		.target = target,
		.fields = &type,
		.field_count = bytes.length > 0,
		.body = bytes,
	};

	text_clear(&call->answer);
	return fetch_send(&call->fetch, &to, &request, &(struct fetch_limits){ .head_ns = limit_ns, .all_ns = limit_ns });
}

void call_stop(struct call *call)
{
	fetch_stop(&call->fetch);
}
