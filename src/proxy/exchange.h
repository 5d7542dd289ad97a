/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/exchange.h: one request and its response on their way through the proxy.
 *
 * An exchange is made when a session tells a request's head and lives until both of its sides are released. Its way is the
 * table of steps in steps.c; what comes after `forward` is driven by the sides' events. States, moved by exchange_move only:
 *
 *	ROUTING   running through the steps
 *	PARKED    waiting for a binding, a connection, or a back-off's end
 *	SENT      the request is on its way upstream; no response head yet, or one that is held back (`held`)
 *	ANSWERING the response's head has been sent downstream; no retry any more
 *	FINISHED  both directions are over, or it was cut short; about to be freed
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "observe/record.h"
#include "proxy/identify.h"
#include "proxy/outcome.h"
#include "proxy/replay.h"
#include "proxy/route.h"
#include "proxy/trace.h"

enum {
	EXCHANGE_MAGIC = 0x65786368,
	EXCHANGE_TRIED = 8,
	EXCHANGE_MEMORY = 312, /* enough for most, with names of usual lengths; then small blocks of the worker's */
};

enum exchange_state {
	EXCHANGE_ROUTING,
	EXCHANGE_PARKED,
	EXCHANGE_SENT,
	EXCHANGE_ANSWERING,
	EXCHANGE_FINISHED,
};

/* In which headers of Zipkin's a request's trace came; with the propagator that takes any. */
enum exchange_b3 {
	EXCHANGE_B3_NONE,
	EXCHANGE_B3_SINGLE,
	EXCHANGE_B3_SEVERAL,
};

struct exchange {
	uint32_t magic;
	uint8_t state;    /* enum exchange_state */
	uint8_t step;     /* index in the table */
	uint8_t attempts; /* made so far */
	uint8_t retries, requeues;
	uint8_t outcome;       /* enum outcome of the last attempt */
	uint8_t method;        /* enum method */
	bool request_ended;    /* the downstream side told its end */
	bool request_sent;     /* the request's end was sent upstream */
	bool response_ended;   /* the response's end was sent downstream */
	bool body_paused;      /* the downstream side is paused */
	bool requeued;         /* the attempt to come is a requeue: no new call in the requeue budget's eyes */
	bool prepared;         /* what all attempts share was written into the request's head */
	bool admitted;         /* holds a place among the listener's concurrent requests */
	bool served;           /* counted as pending for its service */
	bool success;          /* the response is classified so */
	bool awaits_status;    /* its end will say it */
	bool class_behind;     /* the response's head could not say it: its trailers do */
	bool held;             /* a response head came, and is held back with what follows until it is classified */
	bool response_counted; /* the response's length was announced */
	bool rpc;              /* it is gRPC */
	uint8_t web;           /* enum grpc_kind of what its caller speaks, when that is gRPC-Web */
	bool web_answers;      /* and the response is translated, too */
	bool preflight;        /* a browser asks whether a page may call (cors.h) */
	struct grpc_text web_in, web_out;
	uint8_t rpc_status; /* enum grpc_status of the response; GRPC_NONE: not known */
	uint8_t refusal;    /* enum reset that the caller gets in place of an answer; 0: none */
	struct worker *worker;
	struct worker_listener *listener;
	struct server_stats *stats; /* the listener's when it began */
	struct side *down, *up;     /* NULL when released */
	struct head *request;       /* down->head; NULL once forgotten, with its buffer */
	struct bound_route *bound;  /* counted */
	struct upstream *upstream;  /* of this attempt; counted through bound */
	uint64_t *ended;            /* calls of its caller to this upstream that have ended, by success (caller.h) */
	struct caller *caller;      /* NULL: in plain text, or no client is known yet */
	struct attempt_stats *pair_stats;
	const struct binding_leaf *leaf;
	struct peer *peer; /* of this attempt; counted */
	struct list link;  /* worker->running */
	union {            /* in one list at a time, both begin with their link */
		struct waiter waiter;
		struct peer_waiter peer_waiter;
	};
	struct timer park_timer; /* binding timeout, back-off, waiting for 100 */
	struct timer total_timer;
	struct timer attempt_timer;           /* or, while `held`, of holding back */
	struct timer rpc_timer;               /* gRPC's deadline */
	int64_t began, attempt_began;         /* loop_clock */
	int64_t attempt_ns;                   /* how long the last attempt took, to its response's head */
	int64_t backoff_ns;                   /* the last one */
	int64_t limit_ns;                     /* the total time allowed; 0: none */
	int64_t rpc_deadline, rpc_timeout_ns; /* by when a gRPC call is to be over, as loop_now; 0: it didn't say */
	int64_t deadline, deadline_stamp;     /* as l5d-ctx-deadline says, ns since 1970; 0: none */
	struct candidate *last, **tried;      /* of the attempt before this one; of those before that, in the arena */
	uint32_t flags;                       /* enum response_flag */
	uint16_t status;                      /* of the response sent downstream; 0: none */
	uint16_t attempt_status;              /* of the attempt's response; 0: none yet */
	uint16_t base_fields;                 /* the request's head before an attempt added its own fields */
	bool traced;                          /* spans of it are wanted (spans.h) */
	uint8_t b3;                           /* enum exchange_b3 */
	uint64_t base_present;
	struct trace trace;           /* this proxy's server span */
	struct identified identified; /* the request's name below dst_prefix */
	struct slice path;            /* "/svc/hello" */
	struct slice rpc_method;      /* "pkg.Greeter/Hello", for gRPC */
	struct slice local_dtab;      /* the request's own, "" for none */
	struct replay replay;
	struct replay *response; /* what is held back of it, in the arena; NULL: nothing ever was */
	struct fields trailers;  /* the request's, kept until they can be sent */
	uint64_t request_bytes, response_bytes;
	struct address last_address; /* of the last attempt's endpoint */
	bool inferred;               /* its trace is that of the one request that its caller works on (joining.h) */
	bool awaited;                /* the attempt is in the table of those that endpoints work on */
	uint8_t tried_count;
	struct arena arena; /* begins with `memory` */
	char memory[EXCHANGE_MEMORY];
};

/* For session_events.opened of a listener's sessions. */
void exchange_open(struct worker_listener *listener, struct side *down);

/* The table of steps goes on from where it is. */
void exchange_run(struct exchange *exchange);
void exchange_move(struct exchange *exchange, enum exchange_state state);
void exchange_count_service(struct exchange *exchange);
/* From now on the call may take so long in all. */
void exchange_limit(struct exchange *exchange, int64_t total_ns);

/* `peer` was picked: counted, timed. */
void exchange_begin_attempt(struct exchange *exchange);
/* `up` was opened and the head is ready: sends what there is of the request. */
void exchange_send(struct exchange *exchange);
/* Lets go of the attempt's side, peer and timer. `why`: when it has not finished. */
void exchange_end_attempt(struct exchange *exchange, enum reset why, enum outcome outcome);
/* An attempt could not be made, or failed before a response: it is tried again, or answered. */
void exchange_attempt_failed(struct exchange *exchange, enum outcome outcome, int error);

/* Answers from here instead of forwarding, and ends the exchange. `text` is the body and, encoded, l5d-err. */
void exchange_answer(struct exchange *exchange, unsigned status, struct slice text, bool retryable);
/* The exchange is over: counted, recorded and freed. */
void exchange_finish(struct exchange *exchange);
/* For draining with no time left. */
void exchange_abort(struct exchange *exchange);

extern const struct side_events exchange_upstream_events, exchange_downstream_events;

#endif
