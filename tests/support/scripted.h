/* SPDX-License-Identifier: Apache-2.0 */
/* support/scripted.h: a server on a simulated host that does what the test says: it keeps each connection and what it heard on it, and
 * sends the bytes that the test has written. For clients of HTTP/1, whose answers come in parts, late, broken off, or never.
 *
 *	struct scripted server;
 *	scripted_start(&server, host, loop, 8001, NULL);
 *	sim_run_while(...)                                            // until server.count grows
 *	scripted_send(&server.calls[0], "HTTP/1.1 200 OK\r\n\r\n");
 *	scripted_end(&server.calls[0]);                               // FIN; or scripted_reset
 *	scripted_stop(&server);                                       // nobody listens; its connections are reset
 *	scripted_fini(&server);
 */
#ifndef SUPPORT_SCRIPTED_H
#define SUPPORT_SCRIPTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct loop;
struct sim;
struct network;
struct secure;
struct stream;
struct listen_set;
struct listener;

enum { SCRIPTED_MOST = 256 };

struct scripted_call {
	struct stream *stream; /* NULL: closed by us */
	struct text heard;
	bool left; /* the client ended it, or broke it off */
};

struct scripted {
	struct network *host;
	struct loop *loop;
	uint16_t port;
	struct secure *secure; /* NULL: plain text */
	struct listen_set *set;
	struct listener *listener;
	unsigned count;
	struct scripted_call calls[SCRIPTED_MOST];
};

/* A client's host and loop, and a scripted server on 10.0.0.1:8001. */
struct scripted_world {
	struct sim *sim;
	struct network *server_host, *host;
	struct loop *server_loop, *loop;
	struct scripted server;
};

/* Afterwards the client's host is the current one. */
void scripted_world_new(struct scripted_world *world, uint64_t seed);
/* What the client had must be gone: it holds no streams, timers or buffers any more. */
void scripted_world_free(struct scripted_world *world);

void scripted_start(struct scripted *server, struct network *host, struct loop *loop, uint16_t port, struct secure *secure);
/* Listens again after scripted_stop; calls go on being counted. */
void scripted_listen(struct scripted *server);
void scripted_stop(struct scripted *server);
void scripted_fini(struct scripted *server);
void scripted_send(struct scripted_call *call, const char *text);
void scripted_end(struct scripted_call *call);
void scripted_reset(struct scripted_call *call);

#endif
