/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/outcome.h: how an attempt ended, whether that is a failure, and whether it may be tried again. Pure.
 *
 * Linkerd 1.x's response classifiers: 5xx fail and all else succeeds; or the status of gRPC says it. Requests that were never processed (OUTCOME_CONNECT,
 * OUTCOME_REFUSED) are sent again without asking here, within the client's requeue budget; the verdict on them is for
 * when that budget is empty. Whether the request can be replayed (a chunked body can't) is the caller's to know.
 *
 *	enum verdict v = outcome_judge(policy, head->method, outcome, status, marked);
 *	if (v == VERDICT_PENDING)                                // a gRPC classifier, before the trailers
 *		v = outcome_judge_status(policy, grpc_status);
 */
#ifndef PROXY_OUTCOME_H
#define PROXY_OUTCOME_H

#include <stdbool.h>

#include "model/policy.h"
#include "session/exchange.h"
#include "wire/grpc.h"

enum outcome {
	OUTCOME_RESPONSE, /* a whole response head came */
	OUTCOME_CONNECT,  /* no connection: nothing was sent */
	OUTCOME_REFUSED,  /* the peer did not process it (a stale connection): may be sent again */
	OUTCOME_RESET,    /* the connection broke */
	OUTCOME_PROTOCOL, /* the peer's bytes were no acceptable response */
	OUTCOME_ATTEMPT_TIMEOUT,
	OUTCOME_TOTAL_TIMEOUT,
	OUTCOME_CANCELED, /* the downstream went away */
	OUTCOME_OVERLOAD, /* a limit of ours: no connection was tried */
	OUTCOME_COUNT
};

enum verdict {
	VERDICT_SUCCESS,
	VERDICT_FAILURE,
	VERDICT_RETRYABLE, /* a failure that may be tried again */
	VERDICT_PENDING,   /* its end will tell */
};

/* The name under failures/ in metrics: Finagle's exception of that meaning. Static. */
const char *outcome_text(enum outcome outcome);
/* `side`: the upstream side that was reset, NULL when there was none. Of a connection that ended before a byte of the
 * request was written nothing was processed: OUTCOME_REFUSED. */
enum outcome outcome_of_reset(enum reset why, const struct side *side);
/* `marked`: the response carried `l5d-retryable: true`; `status` counts only for OUTCOME_RESPONSE. Responses are pending for
 * classifiers of gRPC. */
enum verdict outcome_judge(const struct service_policy *policy, enum method method, enum outcome outcome, unsigned status, bool marked);
/* By gRPC's status; GRPC_NONE counts as GRPC_UNKNOWN. */
enum verdict outcome_judge_status(const struct service_policy *policy, enum grpc_status status);
/* What gRPC's specification has in the place of a status. */
enum grpc_status outcome_status(enum outcome outcome);

#endif
