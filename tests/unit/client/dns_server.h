/* SPDX-License-Identifier: Apache-2.0 */
/* A name server on a simulated host, for the tests of client/: a small zone, and ways to misbehave.
 *
 *	dns_server_start(&server, sim, "10.0.0.53");
 *	dns_server_add(&server, "db.x", 60, "10.0.0.1");
 *	server.silent = true;
 *	dns_server_stop(&server);
 */
#ifndef TESTS_UNIT_CLIENT_DNS_SERVER_H
#define TESTS_UNIT_CLIENT_DNS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "io/address.h"
#include "support/dns_message.h"

struct listen_set;
struct listener;
struct loop;
struct network;
struct sim;

enum { DNS_SERVER_RECORDS = 256 };

struct dns_server_record {
	char name[64];
	uint32_t ttl;
	struct address address;
};

struct dns_server {
	struct dns_server_record records[DNS_SERVER_RECORDS];
	unsigned count;

	bool silent;         /* receives, and answers nothing */
	bool fails;          /* SERVFAIL */
	bool knows_no_edns;  /* FORMERR for queries with OPT */
	bool wrong_id_first; /* an answer with another id, and another address, before the right one */
	bool wrong_name_first;
	bool twice;           /* each answer is sent twice */
	bool truncates;       /* over UDP: no records, TC */
	bool large;           /* over UDP: whole, in a datagram too large to be delivered */
	bool hangs_up;        /* over TCP: closes instead of answering */
	unsigned silent_type; /* no answer to questions of this type */

	unsigned udp, tcp, edns; /* queries seen */
	char last_name[DNS_NAME_TEXT];

	struct network *host;
	struct loop *loop;
	struct listen_set *set;
	struct listener *listener;
	struct dns_server_connection *connections;
};

void dns_server_start(struct dns_server *server, struct sim *sim, const char *ip);
void dns_server_stop(struct dns_server *server);
/* "10.0.0.1" makes an A record, "fd00::1" an AAAA record. */
void dns_server_add(struct dns_server *server, const char *name, uint32_t ttl, const char *ip);
void dns_server_clear(struct dns_server *server);

#endif
