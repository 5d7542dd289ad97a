/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/client.h: a scripted HTTP/1.1 client: one user with at most one connection at a time, who asks services for things,
 * one after the other or pipelined, and checks every byte that comes back.
 *
 * What it knows: each request gets exactly one answer or a clean end of the connection; an answer bears its request's id, comes
 * from the service asked for, and has every byte of its body; no byte follows the last answer.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "harness.h"
#include "http2_end.h"
#include "io/network.h"
#include "message.h"
#include "tls_end.h"

enum { PIPELINE = 4 };

/* Chances in parts per million, drawn for each request or connection. */
struct client_manners {
	int64_t think_ns;     /* between answers and next request, at most */
	int64_t patience_ns;  /* for each request that it waits for; then it leaves */
	uint32_t body_chance; /* POST with a body; else GET (now and then HEAD) */
	uint64_t body_most, reply_most;
	uint32_t chunked_chance, expect_chance;
	uint32_t pipeline_chance;   /* several GETs at once */
	uint32_t old_chance;        /* an HTTP/1.0 request, whose answer may end with the connection */
	uint32_t leave_chance;      /* goes away at a drawn moment */
	uint32_t close_chance;      /* does not keep the connection */
	uint32_t half_close_chance; /* sends FIN behind its last request on a connection */
	uint32_t slow_chance;       /* sends in small pieces */
	uint32_t pause_chance;      /* reads with pauses */
	/* HTTP/2 */
	uint32_t cut_chance; /* closes its connection, whatever is asked on it */
	struct http2_end_manners ends;
	struct tls_end_manners tls;
};

/* Where a request for a service is sent to. */
struct client_route {
	unsigned service;
	const char *name;       /* the service's, also the Host */
	struct address address; /* of the service, or of the proxy */
};

struct client {
	struct harness *harness;
	struct network *host;
	struct loop *loop; /* shared with the others of its process */
	const struct client_route *routes;
	unsigned route_count;
	bool tls;
	struct tls_end_session session;
	struct client_manners manners;
	struct random random;
	unsigned left;       /* requests to begin */
	bool must_succeed;   /* those begun from now on */
	bool may_meet_stale; /* … but for those that whoever is in between may not repeat on a dead connection */
	bool done;

	struct stream *stream;
	unsigned route;         /* of this connection */
	uint64_t ids[PIPELINE]; /* asked and not answered, oldest first */
	bool methods_head[PIPELINE];
	unsigned asked, to_send; /* of ids: those not sent yet are the last */
	bool sending, blocked, half_closed, closing, paused;
	struct sender request;
	struct message answer;
	struct timer think, limit, reading;
	enum outcome limit_means;
	int64_t heard; /* when bytes came last */
};

void client_start(struct client *client, struct harness *harness, struct network *host, struct loop *loop,
	const struct client_route *routes, unsigned route_count, bool tls, unsigned requests, const struct client_manners *manners);
/* More requests, when it is done. */
void client_continue(struct client *client, unsigned requests, const struct client_manners *manners);
/* Leaves: what is not answered yet is settled as left. */
void client_stop(struct client *client);

#endif
