/* SPDX-License-Identifier: Apache-2.0 */
/* support/chain.h: callers, the real proxy, and origins, each on a simulated host of its own.
 *
 * The proxy is made as the program makes it: from a configuration's text, with names in files and a resolver. All speak one
 * codec (support/codecs.h); the proxy's sides are checked. Callers and origins play scripts (support/call.h).
 *
 *	struct chain *chain = chain_new(&(struct chain_options){ .codec = &test_codecs[2], .seed = 1, .origins = 2, .serve = answer });
 *	struct caller *caller = chain_connect(chain);
 *	struct call *call = caller_begin(caller, "GET / HTTP/1.1\r\nHost: web\r\n\r\n", true, release_when_over);
 *	assert_true(chain_run_until_over(chain, call));
 *	chain_free(chain);          // drains the proxy: in time, its numbers add up, and everything was given back
 *
 * The name `web` is all origins; `late.name` is the first of them, once the name server has answered, after options.late_ns.
 */
#ifndef SUPPORT_CHAIN_H
#define SUPPORT_CHAIN_H

#include "io/network.h"
#include "io/sim/sim.h"
#include "support/call.h"
#include "support/codecs.h"

enum { CHAIN_ORIGINS = 4, CHAIN_WORKERS = 2, CHAIN_PROXY_PORT = 4140, CHAIN_ORIGIN_PORT = 8080 };

struct chain_options {
	const struct test_codec *codec;
	uint64_t seed;
	bool calm;            /* no cuts and stalls in the network */
	unsigned workers;     /* 0: 1 */
	unsigned origins;     /* 0: 1 */
	const char *protocol; /* the router's; NULL: http */
	const char *policy;   /* the router's further keys, as lines of YAML indented by two blanks; NULL: none */
	int64_t late_ns;
	call_script *serve; /* of the origins' exchanges; an origin's own may be set later */
};

/* A server of the name `web`. */
struct origin {
	struct chain *chain;
	struct network *host;
	struct sim_process *process;
	struct loop *loop;
	struct session_pools *pools;
	struct listen_set *set;
	struct listener *listener;
	struct list sessions;
	struct call *calls, *served; /* all; the newest */
	call_script *serve;
	unsigned opened, connections;
	bool crashed;
	struct origin *buried; /* the next one that crashed: kept, as what it had is never freed */
};

/* A connection to the proxy. */
struct caller {
	struct chain *chain;
	struct session *session; /* NULL: gone */
	struct caller *next;
	bool available;
};

struct chain {
	struct chain_options options;
	struct sim *sim;
	struct network *client_host, *proxy_host, *name_server;
	struct loop *client_loop, *control, *workers[CHAIN_WORKERS];
	struct session_pools *client_pools;
	struct sim_process *process; /* the proxy's */
	struct metrics *metrics;
	struct resolver *resolver;
	struct proxy *proxy;
	struct origin *origins[CHAIN_ORIGINS];
	struct caller *callers;
	struct call *calls;
	bool draining, drained, in_time;
};

struct chain *chain_new(const struct chain_options *options);
void chain_free(struct chain *chain);

struct caller *chain_connect(struct chain *chain);
struct call *caller_begin(struct caller *caller, const char *head, bool end, call_script *script);
void caller_close(struct caller *caller); /* allowed when it is gone */

/* Begins to; chain_free does, too. */
void chain_drain(struct chain *chain);
void origin_crash(struct origin *origin);

/* Runs the world until that is so, for at most a minute of its time; false: it did not come to be. */
bool chain_run_until(struct chain *chain, bool (*is_so)(struct chain *chain));
bool chain_run_until_over(struct chain *chain, const struct call *call); /* ended or reset */
bool chain_run_until_all_over(struct chain *chain);                      /* every caller's */

/* A number of the proxy's, all its scopes of that name summed: "rt/out/service/svc/web", "requests". */
double chain_metric(struct chain *chain, const char *scope, const char *name);
/* When nothing runs: the numbers of each scope add up, and nothing is pending. */
void chain_check_metrics(struct chain *chain);
/* Of all origins: exchanges begun, connections accepted. */
unsigned chain_opened(const struct chain *chain);
unsigned chain_connections(const struct chain *chain);

#endif
