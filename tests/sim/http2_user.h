/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/http2_user.h: a scripted user of HTTP/2: one connection at a time with several calls on it, some of which it leaves, and
 * some connections. What it is told was not looked at (REFUSED_STREAM, or behind the last id of a GOAWAY) it asks again, whatever
 * the method; so a proxy that says so of what has reached a service is found out. After a GOAWAY it opens no more streams.
 */
#ifndef SIM_HTTP2_USER_H
#define SIM_HTTP2_USER_H

#include "client.h"

enum { HTTP2_USER_CALLS = 4 };

struct http2_user;

/* One request and its answer. */
struct http2_user_call {
	struct http2_user *user;
	uint64_t id;         /* of its record; 0: free */
	bool to_head, waits; /* until it can be asked again */
	unsigned tries;
	struct http2_stream_end stream;
	struct timer limit;
	enum outcome limit_means;
};

struct http2_user {
	struct harness *harness;
	struct network *host;
	struct loop *loop; /* shared with the others of its process */
	const struct client_route *routes;
	unsigned route_count;
	bool tls;
	struct tls_end_session session;
	struct client_manners manners;
	struct random random;
	unsigned left;                           /* requests to begin */
	bool must_succeed, may_meet_stale, done; /* as struct client */
	struct http2_end end;
	unsigned route; /* of this connection */
	struct http2_user_call calls[HTTP2_USER_CALLS];
	struct timer think;
};

void http2_user_start(struct http2_user *user, struct harness *harness, struct network *host, struct loop *loop,
	const struct client_route *routes, unsigned route_count, bool tls);
/* More requests, when it is done. */
void http2_user_continue(struct http2_user *user, unsigned requests, const struct client_manners *manners);
/* Leaves: what is not answered yet is settled as left. */
void http2_user_stop(struct http2_user *user);

#endif
