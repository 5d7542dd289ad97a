/* SPDX-License-Identifier: Apache-2.0 */
/* client/question.h: one question to the name servers: tries over UDP, over TCP when the answer is too large, until one
 * answers.
 *
 * Used by lookup.c. One loop's thread (control). A question is embedded in what it is for; nothing is called from
 * inside question_start, and `done` is the question's last act: it may free it, or start it anew.
 *
 *	question_start(&q, &servers, &conf, &name, DNS_A, answered, owner);
 *	static void answered(struct question *q) { if (q->outcome == QUESTION_FOUND) use(q->addresses, q->count); }
 *	question_cancel(&q);              // allowed at any time after question_init
 */
#ifndef CLIENT_QUESTION_H
#define CLIENT_QUESTION_H

#include "base/counter.h"
#include "base/list.h"
#include "client/resolv_conf.h"
#include "io/loop.h"
#include "wire/dns.h"

struct datagram;
struct network;
struct stream;

struct question_counts {
	struct counter queries;    /* sent, over UDP or TCP */
	struct counter tcp;        /* of them over TCP */
	struct counter answers;    /* that settled a question, negative ones included */
	struct counter unanswered; /* tries that timed out, or whose server could not be reached */
	struct counter failures;   /* tries that were answered by SERVFAIL, REFUSED or bytes that make no sense */
	struct counter ignored;    /* messages with another id, name or type */
};

/* What all questions of a resolver share. */
struct question_servers {
	struct loop *loop;
	struct network *network;
	struct question_counts *counts;
	unsigned next;       /* the server to begin with: the first, until it doesn't answer */
	unsigned active;     /* questions being asked */
	unsigned max_active; /* further ones wait */
	struct list waiting;
};

void question_servers_init(
	struct question_servers *servers, struct loop *loop, struct network *network, struct question_counts *counts, unsigned max_active);

enum question_state {
	QUESTION_IDLE,    /* not begun, or done */
	QUESTION_WAITING, /* for its turn among max_active */
	QUESTION_UDP,     /* a datagram socket and a timer */
	QUESTION_TCP,     /* a stream and a timer */
};

enum question_outcome {
	QUESTION_FOUND,
	QUESTION_NO_NAME,
	QUESTION_NO_DATA,
	QUESTION_FAILED,     /* servers answered, but none with more than a failure */
	QUESTION_UNANSWERED, /* no server answered */
};

enum { QUESTION_ADDRESSES = 64 }; /* more in one answer are left out */

struct question {
	enum question_outcome outcome;
	uint32_t ttl;                                 /* seconds */
	struct address addresses[QUESTION_ADDRESSES]; /* port 0 */
	unsigned count;
	void *owner;

	/* The rest is question.c's. */
	enum question_state state;
	struct question_servers *servers;
	const struct resolv_conf *conf;
	void (*done)(struct question *question);
	struct list waiting;
	struct dns_name name;
	enum dns_type type;
	unsigned first, tries;
	bool edns, server_failed;
	uint16_t id;
	struct timer timer;
	struct datagram *datagram;
	struct stream *stream;
	char query[2 + DNS_QUERY_MAX]; /* with TCP's length in front */
	size_t query_length;           /* without it */
	char *answer;                  /* over TCP: its length, and what has come of it */
	size_t answer_length;
};

void question_init(struct question *question);
/* `conf` and `servers` must outlive the question. Type A or AAAA. */
void question_start(struct question *question, struct question_servers *servers, const struct resolv_conf *conf,
	const struct dns_name *name, enum dns_type type, void (*done)(struct question *question), void *owner);
void question_cancel(struct question *question);

#endif
