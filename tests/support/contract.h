/* SPDX-License-Identifier: Apache-2.0 */
/* support/contract.h: checks that a codec and an exchange keep the rules of session/exchange.h, whatever codec it is.
 *
 * A checked side stands between them: the exchange is given it instead of the codec's. Any rule broken by either ends the test
 * with the rule's text. Checked are: the order of events in each direction; nothing after end, reset or release; no event from
 * inside a side_* call; nothing told while paused; `writable` only when asked for; pieces that hold something; heads that
 * stay as they were until they are released or forgotten; a release exactly once.
 *
 *	outer = contract_wrap(inner, CONTRACT_DOWNSTREAM, &my_events, me);   // in `opened`, or behind session_open
 *	side_send_head(outer, ...); ... side_release(outer, why);
 *	contract_check_finished();                                          // at the end: every side was released
 */
#ifndef SUPPORT_CONTRACT_H
#define SUPPORT_CONTRACT_H

#include "session/session.h"

enum contract_role {
	CONTRACT_DOWNSTREAM, /* requests are told, responses sent */
	CONTRACT_UPSTREAM,
};

/* The checked side for `inner`, which the contract owns from now on; freed when it is released. */
struct side *contract_wrap(struct side *inner, enum contract_role role, const struct side_events *events, void *exchange);
/* session_open with a checked side. */
MUST_CHECK int contract_open(struct session *session, const struct side_events *events, void *exchange, struct side **side);
void contract_check_finished(void);
/* The codec's own side: what it says of `wrote` and `reused` is copied at events and calls only. */
const struct side *contract_inner(struct side *side);
/* Whether a side_* call is running: for other callbacks that must not come from inside one. */
bool contract_in_call(void);

#endif
