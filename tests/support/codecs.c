/* SPDX-License-Identifier: Apache-2.0 */
#include "support/codecs.h"

#include "base/check.h"
#include "base/memory.h"
#include "session/pools.h"
#include "support/contract.h"
#include "support/filter.h"
#include "support/multiplex.h"

/* As session/session.h says of a codec's constructors. */
#define MAKE_PARAMETERS \
	struct session_pools *pools, struct stream *stream, const struct session_limits *limits, const struct session_events *events, \
		void *owner, struct session_counters *counters, struct session **session
#define MAKE_FILTERED pools, filter_new(stream, pools->loop), limits, events, owner, counters, session

typedef int make_session(MAKE_PARAMETERS);

static int http1_filtered_server(MAKE_PARAMETERS)
{
	return http1_server_new(MAKE_FILTERED);
}

static int http1_filtered_client(MAKE_PARAMETERS)
{
	return http1_client_new(MAKE_FILTERED);
}

static int multiplex_filtered_server(MAKE_PARAMETERS)
{
	return multiplex_server_new(MAKE_FILTERED);
}

static int multiplex_filtered_client(MAKE_PARAMETERS)
{
	return multiplex_client_new(MAKE_FILTERED);
}

static int http2_filtered_server(MAKE_PARAMETERS)
{
	return http2_server_new(MAKE_FILTERED);
}

static int http2_filtered_client(MAKE_PARAMETERS)
{
	return http2_client_new(MAKE_FILTERED);
}

/* ---- checked ---- */

/* What a session calls, and what it is called by, with the contract between. The session's events are its first member, so
 * that it is found from them. */
struct checked {
	struct session_events events;
	struct session_ops ops;
	const struct session_events *owner_events;
	const struct session_ops *codec_ops;
	struct checked *next;
};

static struct checked *every;

static struct checked *of(const struct session *session)
{
	return (struct checked *)(uintptr_t)session->events;
}

static void opened(void *owner, struct session *session, struct side *side)
{
	of(session)->owner_events->opened(owner, session, contract_wrap(side, CONTRACT_DOWNSTREAM, NULL, NULL));
}

static struct slice refused(void *owner, struct session *session, unsigned status, const char *reason)
{
	CHECK(!contract_in_call());
	return of(session)->owner_events->refused(owner, session, status, reason);
}

static void available(void *owner, struct session *session)
{
	CHECK(!contract_in_call());
	of(session)->owner_events->available(owner, session);
}

static void closed(void *owner, struct session *session, int error)
{
	CHECK(!contract_in_call());
	of(session)->owner_events->closed(owner, session, error);
}

static int open_checked(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	struct checked *checked = of(session);
	int e;

	session->ops = checked->codec_ops;
	e = contract_open(session, events, exchange, side);
	session->ops = &checked->ops;
	return e;
}

static int check(make_session *make, MAKE_PARAMETERS)
{
	struct checked *checked = memory_new(sizeof *checked);
	int e;

	*checked = (struct checked){ .events = { .opened = opened, .refused = refused, .available = available, .closed = closed },
		.owner_events = events,
		.next = every };
	every = checked;
	e = make(pools, stream, limits, &checked->events, owner, counters, session);
	if (e)
		return e;
	checked->codec_ops = (*session)->ops;
	checked->ops = *checked->codec_ops;
	checked->ops.open = open_checked;
	(*session)->ops = &checked->ops;
	return 0;
}

void codecs_check_finished(void)
{
	contract_check_finished();
	while (every) {
		struct checked *checked = every;

		every = checked->next;
		memory_free(checked);
	}
}

#define CHECKED(name, make) \
	static int name(MAKE_PARAMETERS) \
	{ \
		return check(make, pools, stream, limits, events, owner, counters, session); \
	}

CHECKED(checked_http1_server, http1_server_new)
CHECKED(checked_http1_client, http1_client_new)
CHECKED(checked_http1_filtered_server, http1_filtered_server)
CHECKED(checked_http1_filtered_client, http1_filtered_client)
CHECKED(checked_http2_server, http2_server_new)
CHECKED(checked_http2_client, http2_client_new)
CHECKED(checked_http2_filtered_server, http2_filtered_server)
CHECKED(checked_http2_filtered_client, http2_filtered_client)
CHECKED(checked_multiplex_server, multiplex_server_new)
CHECKED(checked_multiplex_client, multiplex_client_new)
CHECKED(checked_multiplex_filtered_server, multiplex_filtered_server)
CHECKED(checked_multiplex_filtered_client, multiplex_filtered_client)

const struct test_codec test_codecs[TEST_CODECS] = {
	{ "http1", false, false, { http1_server_new, http1_client_new }, { checked_http1_server, checked_http1_client } },
	{ "http1 filtered", false, false, { http1_filtered_server, http1_filtered_client },
		{ checked_http1_filtered_server, checked_http1_filtered_client } },
	{ "http2", true, true, { http2_server_new, http2_client_new }, { checked_http2_server, checked_http2_client } },
	{ "http2 filtered", true, true, { http2_filtered_server, http2_filtered_client },
		{ checked_http2_filtered_server, checked_http2_filtered_client } },
	{ "http1 to http2", false, true, { http2_server_new, http1_client_new }, { checked_http1_server, checked_http2_client } },
	{ "http2 to http1", true, false, { http1_server_new, http2_client_new }, { checked_http2_server, checked_http1_client } },
	{ "multiplex", true, true, { multiplex_server_new, multiplex_client_new }, { checked_multiplex_server, checked_multiplex_client } },
	{ "multiplex filtered", true, true, { multiplex_filtered_server, multiplex_filtered_client },
		{ checked_multiplex_filtered_server, checked_multiplex_filtered_client } },
};
