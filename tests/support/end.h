/* SPDX-License-Identifier: Apache-2.0 */
/* support/end.h: a server's and a client's end of TLS on two simulated hosts, each writing down what it is told; between TLS and the
 * network stands a tap that counts takes and records, and through which bytes can be put in behind TLS's back.
 *
 *	struct ends *ends = ends_new(1, &server_options, &client_options);   // client NULL: it speaks plain text
 *	ends_connect(ends, SLICE(END_NAME), SLICE(""));
 *	assert_true(ends_run_until(ends, ends_open));
 *	end_send(&ends->client, "hello");
 *	ends_free(ends);                      // everything must be given back
 */
#ifndef SUPPORT_END_H
#define SUPPORT_END_H

#include "base/text.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "tls/client.h"
#include "tls/server.h"
#include "tls/stream.h"

#define END_NAME "server.example"

/* Files of both hosts, as options name them. */
extern const struct tls_setting end_trust, end_other_trust;
extern const struct tls_certificate end_server_certificate, end_client_certificate, end_short_certificate;
extern const struct tls_certificate end_named_certificates[3]; /* END_NAME, *.wild.example, exact.wild.example */

enum { END_SHORT_SECONDS = 600 }; /* after these end_short_certificate is over */

struct end {
	struct ends *ends;
	struct loop *loop;
	struct stream *below; /* the network's */
	struct stream tap;
	struct stream *stream; /* the one on top; NULL: closed */
	struct text received;
	bool connected, ended, drained, failed;
	int error;
	unsigned takes, records; /* since end_count */
	uint32_t record_left;    /* bytes of the record that is passing */
	unsigned char header[5], header_count;
};

struct ends {
	struct sim *sim;
	struct network *server_host, *client_host;
	struct end server, client;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct tls_pools *server_pools, *client_pools;
	struct tls_counters server_counters, client_counters;
	struct tls_session session;
	struct listen_set *set;
	struct listener *listener;
	struct address address;
};

struct ends *ends_new(uint64_t seed, const struct tls_server_options *server, const struct tls_client_options *client);
void ends_free(struct ends *ends);
void ends_connect(struct ends *ends, struct slice name, struct slice uri);
void ends_close(struct ends *ends);  /* what is open, and waits for its end */
void ends_settle(struct ends *ends); /* a second */

void end_send(struct end *end, const char *text);
void end_send_bytes(struct end *end, struct slice bytes);
void end_count(struct end *end);
void end_close(struct end *end); /* if it isn't closed yet */

bool ends_run_until(struct ends *ends, bool (*is_so)(struct ends *ends));
bool ends_run_until_received(struct ends *ends, struct end *end, const char *text);
bool ends_open(struct ends *ends);   /* both are connected */
bool ends_failed(struct ends *ends); /* both */
bool ends_server_failed(struct ends *ends);
bool ends_client_failed(struct ends *ends);
bool ends_server_ended(struct ends *ends);
bool ends_client_ended(struct ends *ends);
bool ends_server_connected(struct ends *ends);
bool ends_client_shaking(struct ends *ends); /* the client's connection below is made */

#endif
