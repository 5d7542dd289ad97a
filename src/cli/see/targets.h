/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/targets.h: the proxies that are looked at, by their admin addresses; all are read at once: their metrics, or a page that streams.
 * Main thread, one loop.
 *
 *	targets_new(loop, &admins, &(struct targets_options){ .read = read, .owner = owner }, &targets, &why);
 *     // "127.0.1.1:9990,127.0.2.1", port 9990 by default, host names
 *	targets_read(targets);                                       // `read` follows, once, when each has answered or failed
 *	TARGETS_EACH(targets, target) if (target->now) use(target->before, target->now);
 */
#ifndef CLI_SEE_TARGETS_H
#define CLI_SEE_TARGETS_H

#include "cli/arguments.h"
#include "cli/see/reading.h"
#include "client/fetch.h"

struct resolver_watch;

struct target {
	struct targets *targets;
	struct slice name;            /* as the user wrote it */
	struct reading *before, *now; /* the last two; NULL: none yet, or it failed */
	struct text why;              /* why there is no `now` */

	/* The rest is targets.c's. */
	struct slice host;
	struct address address; /* family ADDRESS_NONE: not known yet */
	struct resolver_watch *watch;
	struct fetch fetch;
	struct text page;
	bool waiting;
};

struct targets_options {
	struct slice page;         /* empty: the metrics, into target->now; else all that follows is its owner's */
	bool endless;              /* the page is */
	void (*read)(void *owner); /* each has answered or failed */
	void (*body)(struct target *target, struct slice bytes); /* for `page` */
	void (*ended)(struct target *target, int error);         /* for `page`: as fetch_events.ended */
	void *owner;
};

struct targets {
	struct target *at;
	unsigned count;
	void *owner;

	/* The rest is targets.c's. */
	struct loop *loop;
	struct resolver *resolver;
	struct session_pools *pools;
	struct targets_options options;
	unsigned waiting; /* of them, for this reading */
};

#define TARGETS_EACH(targets, one) for (struct target *one = (targets)->at; one < (targets)->at + (targets)->count; one++)

/* `admins` lives on; each value may be several addresses with commas between. ERROR_SYNTAX: what is wrong is added to `why`. */
MUST_CHECK int targets_new(struct loop *loop, const struct argument_values *admins, const struct targets_options *options,
	struct targets **targets, struct text *why);
/* `before` becomes what `now` was; of one that failed it stays. */
void targets_read(struct targets *targets);
/* Nothing frees them: they end with the process. */

/* An address as the user writes it: "host", "host:port", "[ip6]:port", "ip6"; with the port that admin servers have by default. */
bool targets_address(struct slice text, struct slice *host, uint16_t *port);

#endif
