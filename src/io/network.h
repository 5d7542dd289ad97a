/* SPDX-License-Identifier: Apache-2.0 */
/* io/network.h: where sockets come from: the host's network, or a simulated host.
 *
 * A network outlives its listeners, streams and datagram sockets. network_host() is the process's own. Listening sockets are
 * opened once, on the main thread, as a set of one socket for each worker (SO_REUSEPORT), and then started on the workers'
 * loops; they can outlive a configuration, so that a reload drops nothing.
 *
 *	struct listen_set *set;
 *	int e = listen_open(network, &address, workers, &(struct listen_options){ 0 }, &set);   // address.port 0: any
 *	listen_address(set, &bound);
 *	struct listener *l = listen_start(set, 0, loop, accepted, owner);   // on loop's thread
 *	listen_stop(l);                                                   // no further accepts; the socket stays open
 *	listen_close(set);
 */
#ifndef IO_NETWORK_H
#define IO_NETWORK_H

#include <stdbool.h>

#include "base/error.h"
#include "io/address.h"
#include "io/stream.h"

struct inherited;
struct loop;
struct network;
struct listen_set;
struct listener;
struct datagram;

struct network *network_host(void);

struct socket_options {
	bool keep_alive;
	bool delay;             /* true: leave Nagle's algorithm on */
	int64_t ack_timeout_ns; /* network_connect: while nothing is outstanding (else: stream_silence) the other end is probed, and ERROR_TIMEOUT
	                         * told when it is silent for so long, in whole seconds, 3 at the least; 0: as the kernel does */
};

struct listen_options {
	int backlog;    /* 0: 4096 */
	bool exclusive; /* ERROR_EXISTS also while connections of a listener that was there before are not forgotten */
	struct socket_options socket;
	struct inherited *inherited; /* looked through first (io/inherit.h); NULL: none */
	uint8_t role;                /* enum inherited_role */
};

/* What is inherited for the address is taken, all of it, and every socket of it is accepted from, however many `sockets` are asked for.
 * ERROR_EXISTS: address in use; ERROR_DENIED; ERROR_UNREACHABLE: not an address of this host. Main or control thread. */
MUST_CHECK int listen_open(struct network *network, const struct address *address, unsigned sockets, const struct listen_options *options,
	struct listen_set **set);
/* A Unix stream socket at `path`; `mode` (e.g. 0660) says who may connect. What an ended process left there is replaced.
 * ERROR_EXISTS: somebody listens there, or it is no socket; ERROR_INVALID: longer than 107 bytes; ERROR_NOT_FOUND (its
 * directory), ERROR_DENIED. One socket; listen_close removes it. */
MUST_CHECK int listen_open_unix(
	struct network *network, const char *path, unsigned mode, const struct listen_options *options, struct listen_set **set);
void listen_address(const struct listen_set *set, struct address *bound);
/* Its descriptors, for giving copies of them to another process; they stay the set's. */
const int *listen_descriptors(const struct listen_set *set, unsigned *count);
/* From now on no further connection enters the queues: who tries isn't refused but tries again, after a second, when this set may be
 * closed and another process listen. Closing a socket resets what still waits in its queue, so: deafen, accept until nothing waits, stop,
 * close. Not for sockets that another process goes on with. Control thread. */
void listen_deafen(struct listen_set *set);
/* How many connections wait to be accepted. */
unsigned listen_waiting(const struct listen_set *set);
void listen_close(struct listen_set *set); /* every listener must be stopped */

/* `accepted` owns the stream (paused). When descriptors run out, accepting stops and is tried again after 100 ms. */
struct listener *listen_start(
	struct listen_set *set, unsigned index, struct loop *loop, void (*accepted)(void *owner, struct stream *stream), void *owner);
void listen_stop(struct listener *listener);

/* A stream that is connecting; `connected` or `failed` follows from the loop. Fails at once only with ERROR_LIMIT or
 * ERROR_NO_MEMORY. The caller sets a timer if it doesn't want to wait as long as the kernel does. Pieces may be taken before
 * `connected`. */
MUST_CHECK int network_connect(struct network *network, struct loop *loop, const struct address *address,
	const struct socket_options *options, struct stream **stream);

/* The same over the Unix socket at `path`; ERROR_INVALID when that is longer than 107 bytes. */
MUST_CHECK int network_connect_unix(struct network *network, struct loop *loop, const char *path, struct stream **stream);

/* UDP, for DNS and statsd. Datagrams up to 4096 bytes are delivered; truncated is set for larger ones. */
struct datagram_events {
	void (*received)(void *owner, const struct address *from, struct slice bytes, bool truncated);
	/* The peer's port is closed (ICMP), for a connected socket. */
	void (*failed)(void *owner, int error);
};

/* Connected to `peer`, so that answers from elsewhere are dropped. Source ports are random. */
MUST_CHECK int datagram_open(struct network *network, struct loop *loop, const struct address *peer, const struct datagram_events *events,
	void *owner, struct datagram **datagram);
MUST_CHECK int datagram_send(struct datagram *datagram, struct slice bytes);
void datagram_close(struct datagram *datagram); /* also from inside its own events */

/* The addresses of all interfaces that are up (for the transformer `localhost`). Returns the count, at most max. */
unsigned network_local_addresses(struct network *network, struct address *addresses, unsigned max);

#endif
