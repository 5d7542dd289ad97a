/* SPDX-License-Identifier: Apache-2.0 */
/* support/pair.h: a server's and a client's sessions on two simulated hosts, with exchanges that write down what they are told.
 *
 * For tests of a codec, or of all of them alike: which codec, and whether TLS or test filters stand under it, are settings. Sides
 * are checked by support/contract.h. What an exchange does is a script: a function that is called after each event.
 *
 *	struct pair *pair = pair_new(&(struct pair_options){ .codec = &codec_http1, .serve = answer });
 *	struct call *call = pair_call(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, NULL);
 *	assert_true(pair_run_until_over(pair, call));
 *	assert_int_equal(200, call->status);
 *	pair_free(pair);          // everything must be closed, released and given back
 */
#ifndef SUPPORT_PAIR_H
#define SUPPORT_PAIR_H

#include "base/text.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "session/session.h"
#include "support/call.h"

/* Makes a session; as http1_server_new. */
typedef int make_session(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);

struct pair_codec {
	const char *name;
	make_session *server, *client;
	uint32_t capacity; /* exchanges at once on a connection */
};

extern const struct pair_codec codec_http, codec_http1, codec_http2, codec_multiplex;

struct pair_options {
	const struct pair_codec *codec;
	bool filter;                  /* test filters under both ends */
	bool tls;                     /* TLS under both ends, above the filters */
	const char *alpn;             /* they say that they are secured, with this agreed protocol; NULL: they are not */
	uint64_t seed;                /* of the world */
	bool calm;                    /* no cuts and stalls in the network */
	call_script *serve;           /* of the server's exchanges */
	struct session_limits limits; /* of both ends */
	uint32_t max_sides;           /* of each end; 0: no limit */
	uint32_t max_buffers;         /* of the server's loop; 0: many */
};

struct pair {
	struct pair_options options;
	struct sim *sim;
	struct network *server_host, *client_host;
	struct loop *server_loop, *client_loop;
	struct session_pools *server_pools, *client_pools;
	struct secure *secure;
	struct session_counters server_counters, client_counters;
	struct session *server, *client; /* the newest server session; the client's session; NULL: gone */
	struct list servers;             /* all server sessions */
	struct stream *raw;              /* of raw tests, either end */
	struct text received;            /* by the raw end */
	bool raw_ended, raw_failed, raw_paused;
	int raw_error;
	struct listen_set *set;
	struct listener *listener;
	struct address address;
	struct call *calls;  /* newest first */
	struct call *served; /* the newest of the server's calls */
	unsigned opened, refused, refused_status, available, server_closed, client_closed;
	int client_error, server_error;
	const char *refusal; /* text for `refused` to answer */
};

struct pair *pair_new(const struct pair_options *options);
void pair_free(struct pair *pair);

/* The client's session (made by the first pair_call, too). */
void pair_connect(struct pair *pair);
/* Begins a call on the client's session. `head`: its text; end: nothing follows. */
struct call *pair_call(struct pair *pair, const char *head, bool end, call_script *script);
/* A raw client: connected, reading into pair->received. */
void pair_connect_raw(struct pair *pair);
void pair_send_raw(struct pair *pair, const char *bytes, size_t length);
void pair_send_raw_text(struct pair *pair, const char *text);
/* A raw server: the next connection of the client's session is to it; `pair->raw` when accepted. To be called first. */
void pair_serve_raw(struct pair *pair);
void pair_close_raw(struct pair *pair); /* allowed when it is closed */

/* Each runs the world until that is so, for at most a minute of its time; false: it did not come to be. */
bool pair_run_until_over(struct pair *pair, const struct call *call); /* ended or reset */
bool pair_run_until_received(struct pair *pair, const char *text);    /* the raw end has it */
bool pair_run_until_raw_over(struct pair *pair);
bool pair_run_until(struct pair *pair, bool (*is_so)(struct pair *pair));
void pair_settle(struct pair *pair); /* a second of the world's time */
/* No buffers of either loop are held. */
bool pair_holds_nothing(const struct pair *pair);

#endif
