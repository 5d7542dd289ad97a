/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/targets.h: the proxies that are looked at, by their admin addresses, or as Kubernetes knows them; all are read at once: their
 * metrics, or a page that streams. Main thread, one loop.
 *
 *	targets_new(loop, &(struct targets_options){ .admins = &admins, .read = read, .owner = owner }, &targets, &why);
 *     // "127.0.1.1:9990,127.0.2.1", port 9990 by default, host names
 *	targets_read(targets);                                       // `read` follows, once, when each has answered or failed
 *	TARGETS_EACH(targets, target) if (target->now) use(target->before, target->now);
 *
 * In a cluster, pods are asked by way of the API server, which their clients can reach, or at their own addresses. Which pods there are
 * is asked before the first reading, then when one has failed, or from time to time. Connections are kept from one reading to the next. What
 * streams is begun at pods that come later, too, and is over at those that go, as long as the loop runs.
 */
#ifndef CLI_SEE_TARGETS_H
#define CLI_SEE_TARGETS_H

#include "cli/arguments.h"
#include "cli/see/reading.h"
#include "client/fetch.h"

struct access;
struct finder;
struct k8s_call;
struct resolver_watch;

struct target {
	struct target *next;
	struct targets *targets;
	struct slice name;            /* as the user wrote it; of a pod POD@NODE */
	struct reading *before, *now; /* the last two; NULL: none yet, or it failed */
	struct text why;              /* why there is no `now` */
	unsigned status;              /* of the answer; 0: none yet */
	struct text page;             /* without options.body: what came of it */

	struct text complaint; /* its owner's */

	/* The rest is targets.c's. */
	struct slice host;
	struct address address; /* family ADDRESS_NONE: not known yet */
	struct resolver_watch *watch;
	struct fetch fetch;
	struct text label;  /* the name of a pod, which is listed */
	struct text path;   /* of its page, by way of the API server; empty: it is asked itself */
	struct text absent; /* why it can't be asked, as Kubernetes says */
	struct k8s_call *call;
	bool listed, queued, waiting;
	bool streams, cut; /* what is endless: its answer has begun; it has ended, which isn't told yet */
	bool again;        /* the connection that was kept had gone just then */
	int error;         /* by which it was cut */
	bool over;         /* nobody knows of it any more; it goes with its connection */
};

struct targets_options {
	const struct argument_values *admins;                          /* each may be several addresses with commas between; live on */
	const struct access *access;                                   /* NULL, or without `kubernetes`: `admins` counts */
	struct slice readings;                                         /* the page that is parsed into target->now; empty: the metrics */
	struct reading *(*parse)(struct slice page, struct text *why); /* NULL: reading_new */
	struct slice page;                                             /* another page, all of which is its owner's; empty: none */
	bool endless;                                                  /* the page is */
	void (*read)(void *owner); /* each has answered or failed; of what streams in a cluster: none ever did */
	void (*body)(struct target *target, struct slice bytes); /* for `page` */
	void (*ended)(struct target *target, int error);         /* for `page`: as fetch_events.ended */
	void *owner;
};

struct targets {
	struct target *first;
	unsigned count;
	void *owner;
	const char *server; /* Kubernetes' API; NULL: it isn't asked */
	struct text why;    /* why it could not say which proxies there are; empty: it could */

	/* The rest is targets.c's. */
	struct loop *loop;
	struct resolver *resolver;
	struct session_pools *pools;
	struct finder *finder;
	struct targets_options options;
	unsigned waiting, asked; /* of them, for this reading; being asked */
	bool failed;             /* one of them, or the list */
	bool finding, streamed;  /* the list is being asked for; one of them has streamed */
	unsigned closing;        /* connections of targets that are over */
	int64_t listed_at, follow_at;
	struct listing *listing; /* chunks of the list so far */
	struct timer follow;     /* of what is endless: when the list is asked for again */
};

#define TARGETS_EACH(targets, one) for (struct target *one = (targets)->first; one; one = one->next)

/* ERROR_SYNTAX: what is wrong is added to `why`. */
MUST_CHECK int targets_new(struct loop *loop, const struct targets_options *options, struct targets **targets, struct text *why);
/* `before` becomes what `now` was; of one that failed it stays. */
void targets_read(struct targets *targets);
/* Connections are closed in order, which takes the loop a turn or two: it is run for that. NULL is allowed. */
void targets_free(struct targets *targets);

/* "status 503: ", and what the answer says, or what the API server says in its place. */
void target_tell_status(const struct target *target, struct text *out);

/* An address as the user writes it: "host", "host:port", "[ip6]:port", "ip6"; with the port that admin servers have by default. */
bool targets_address(struct slice text, struct slice *host, uint16_t *port);

#endif
