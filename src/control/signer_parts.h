/* SPDX-License-Identifier: Apache-2.0 */
/* control/signer_parts.h: what signer.c (life, rotation) and signer_request.c (HTTP) share. Private to the room. */
#ifndef CONTROL_SIGNER_PARTS_H
#define CONTROL_SIGNER_PARTS_H

#include "base/list.h"
#include "control/callers.h"
#include "control/signer.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"
#include "observe/metrics.h"
#include "session/session.h"
#include "tls/authority.h"

enum { SIGNER_MAGIC = 0x7369676e, SIGNER_MOST_BODY = 32 * 1024, SIGNER_MOST_WAIT_S = 60 };

struct signer {
	uint32_t magic;
	struct signer_options options;
	struct authority *authority;
	struct callers *callers;
	struct listen_set *set;
	struct listener *listener;
	struct session_pools *pools;
	struct session_limits limits;
	struct list sessions; /* by session.link */
	struct list requests; /* by signer_request.link */
	struct watch *watch;
	struct timer rotation;
	struct metrics *metrics;
	struct scope *scope;
	struct signer_counters *counters; /* the scope's one shard */
	uint32_t session_count, most_sessions;
	struct task ended; /* tells `stopped` */
	void (*stopped)(void *owner);
	void *stopped_owner;
};

/* For session_events.opened. */
void signer_request_open(struct signer *signer, struct side *side);
/* The bundle has changed: who waits for it is answered. */
void signer_request_answer_waiting(struct signer *signer);
/* Ends all, when the signer ends. */
void signer_request_abandon_all(struct signer *signer);

#endif
