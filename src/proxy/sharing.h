/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/sharing.h: how workers share an endpoint whose connections are limited: they tell each other, and nobody polls.
 *
 *	who gives a place back      offers it to a worker that wants one: the next behind itself, so that all have their turn
 *	who begins to wait          asks a worker that has an idle connection to close it
 *	who has an idle connection  gives it up when others wait and none of its own requests does
 *
 * What is told is only a hint: who hears of it looks for itself, and passes it on when it has no use for it. Messages go through
 * the workers' inboxes and hold a reference of the target. When an inbox is full, its worker looks at everything
 * with its next sweep instead.
 *
 * On the worker's thread that has the peer.
 */
#ifndef PROXY_SHARING_H
#define PROXY_SHARING_H

#include "proxy/upstream.h"

bool sharing_is_limited(const struct peer *peer);
/* A peer that is limited can be told, from here to sharing_leave. */
void sharing_join(struct peer *peer);
void sharing_leave(struct peer *peer);

/* A place to be given back, a connection being closed or not made after all. */
void sharing_give(struct peer *peer);
/* A request waits at the peer; the last one that did is served, or has gone. */
void sharing_want(struct peer *peer);
void sharing_want_no_more(struct peer *peer);
/* The peer has an idle connection. Then is_wanted is to be asked. */
void sharing_spare(struct peer *peer);
/* Whether requests of other workers wait for what this one has. */
bool sharing_is_wanted(const struct peer *peer);
/* Looks whether anything can be done for who waits: from the peer's task, or when a message was lost. */
void sharing_look(struct peer *peer);

#endif
