/* SPDX-License-Identifier: Apache-2.0 */
/* io/sim/sim.h: the simulated world behind the headers of io/: virtual time, hosts, a network with faults, files, signals,
 * all drawn from a seed. For tests only: the harness includes this, the product never does.
 *
 * A program linked with io/sim has one world at a time, made before any other call of io/. Everything runs in one thread.
 * What is made (loops, listeners, streams, files, signals) belongs to the process entered last. The scheduler steps loops in
 * seeded order, one turn each; nothing happens outside sim_run_*. The same seed and the same program give the same event log,
 * told by its running hash.
 *
 * A unit test with two hosts (tests/unit/ROOM/meson.build: `['session', 'http1', {'io': 'sim'}]`):
 *
 *	#include "io/sim/sim.h"
 *
 *	struct sim *sim = sim_new(7, NULL);                           // seed 7, everything else as it comes
 *	struct network *server = sim_host_new(sim, "10.0.0.1");
 *	struct network *client = sim_host_new(sim, "10.0.0.2");
 *
 *	struct loop *a, *b;
 *	sim_host_enter(server);                                       // what follows belongs to 10.0.0.1
 *	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "server" }, &a));
 *	assert_int_equal(0, listen_open(network_host(), &any_80, 1, &(struct listen_options){ 0 }, &set));
 *	struct listener *l = listen_start(set, 0, a, accepted, &state);
 *
 *	sim_host_enter(client);
 *	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "client" }, &b));
 *	assert_int_equal(0, network_connect(client, b, &server_80, NULL, &stream));
 *
 *	assert_true(sim_run_while(sim, not_answered, &state, 5 * CLOCK_SECOND));   // true: it came to be in that time
 *	...
 *	listen_stop(l);  listen_close(set);  stream_close(stream);
 *	sim_run_for(sim, CLOCK_SECOND);                               // what is in flight arrives
 *	loop_free(a);  loop_free(b);
 *	sim_free(sim);                                                // CHECKs that nothing was left open
 *
 * loop_run(loop) works too: it runs the whole world until that loop is stopped, so that a test for the kernel's backend can
 * run here unchanged once it has made a world and a host. Calls of io/ may be made between runs, as if by the loop's thread.
 * Weather for one test: `*sim_link(client, server) = SIM_LINK_CALM` (no re-chunking, constant latency), and back.
 */
#ifndef IO_SIM_SIM_H
#define IO_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "io/address.h"
#include "io/process.h"

struct loop;
struct network; /* here: a host */
struct sim;
struct sim_process;

/* One direction of the way between two hosts. Chances are in parts per million. Changes count for what is sent from then on;
 * those marked (c) are drawn once for each connection, from the link of who connects. */
struct sim_link {
	int64_t latency_ns;        /* at least this long */
	int64_t jitter_ns;         /* and up to so much more, drawn for each segment */
	uint64_t bytes_per_second; /* 0: as fast as may be */
	uint32_t window_least;     /* (c) bytes in flight and unread, drawn between these: beyond it the sender waits */
	uint32_t window_most;
	uint32_t cut_chance;       /* a write arrives in two segments, a read is short, both cut at a drawn byte */
	uint32_t stall_chance;     /* a write is taken in part only, as if the socket's buffer were full */
	uint32_t refuse_chance;    /* (c) connecting is refused */
	uint32_t blackhole_chance; /* (c) connecting is never answered */
	uint32_t reset_chance;     /* (c) the connection breaks at a drawn byte of this direction */
	uint32_t vanish_chance;    /* (c) the connection goes half-open at a drawn byte: nothing arrives from then on */
	uint32_t lose_chance;      /* a datagram is lost */
	uint32_t repeat_chance;    /* a datagram arrives twice */
	bool down;                 /* partitioned: bytes and connection attempts wait and are tried again, as TCP does */
};

/* No jitter, no cuts, no faults, 100 us, 64 KiB. */
extern const struct sim_link SIM_LINK_CALM;
/* What links are unless options or a test say otherwise: jitter, cuts, stalls and small windows, but no faults. */
extern const struct sim_link SIM_LINK_ORDINARY;

struct sim_options {
	struct sim_link link;                         /* for every pair of hosts; all zero: SIM_LINK_ORDINARY */
	int64_t turn_ns;                              /* a turn of a loop takes up to so long; 0: 20 us */
	int64_t post_ns;                              /* a message to another loop takes up to so long; 0: 200 us */
	int64_t wall_ns;                              /* the time of day at the start; 0: 2026-01-01T00:00:00Z */
	unsigned cores;                               /* what thread_cores answers; 0: 2 */
	void (*trace)(void *owner, const char *line); /* each line of the event log, without newline; NULL: none */
	void *trace_owner;
};

/* `options` may be NULL. Ends the program with a clear line when a world exists already. */
struct sim *sim_new(uint64_t seed, const struct sim_options *options);
/* Every loop, listener, signal and file watch of processes that still live must be gone (CHECKed); what crashed processes
 * had is dropped. */
void sim_free(struct sim *sim);

/* Time, and running. Events are told only from within these. */
int64_t sim_now(const struct sim *sim);
void sim_run_until(struct sim *sim, int64_t instant);
void sim_run_for(struct sim *sim, int64_t ns);
/* Runs until `waiting` answers false (asked after each turn): true. False when `ns` have passed, or nothing is left to happen. */
bool sim_run_while(struct sim *sim, bool (*waiting)(void *owner), void *owner, int64_t ns);
/* Turns made so far, of all loops. */
uint64_t sim_turns(const struct sim *sim);
/* The harness's own plan: `happen` is called at that instant, between turns, with no process entered. */
void sim_at(struct sim *sim, int64_t instant, void (*happen)(void *owner), void *owner);
/* The harness's own draws; apart from those of the world, so that a plan does not change with what the product does. */
struct random *sim_random(struct sim *sim);

/* The event log: time, kind and content of each delivery, timer, message, fault and log line. */
uint64_t sim_hash(const struct sim *sim);
void sim_note(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A host with its address ("10.0.0.1", "fd00::1"), and a first process on it, which is entered. Every host also answers to
 * 127.0.0.0/8 and ::1 for itself, unless another host was given such an address. */
struct network *sim_host_new(struct sim *sim, const char *ip);
void sim_host_add_address(struct network *host, const char *ip);
const struct address *sim_host_address(const struct network *host);
/* Enters the first living process of the host (a new one when there is none). */
void sim_host_enter(struct network *host);
/* The direction from one host to the other (or to itself); may be written at any time. */
struct sim_link *sim_link(struct network *from, struct network *to);
/* The connections that there are will not break at the byte that was drawn for them when they were made; those that nothing gets
 * through any more stay so. Links keep their chances for new ones. */
void sim_mend(struct sim *sim);
/* Both directions: partitioned, or healed. */
void sim_partition(struct network *a, struct network *b, bool apart);

/* A process: loops and all that they have, and listening sockets, signals, watches, environment. */
struct sim_process *sim_process_new(struct network *host, const char *name);
struct sim_process *sim_process_current(struct sim *sim);
void sim_process_enter(struct sim_process *process);
struct network *sim_process_host(const struct sim_process *process);

enum sim_crash {
	SIM_CRASH_RESET,  /* the process dies: its host resets what was connected to it */
	SIM_CRASH_SILENT, /* its host loses power: peers hear nothing, and go half-open; the next process there resets them */
};

/* None of its loops runs again, and nothing that it does from now on is seen outside. Its objects stay valid, so that the
 * harness can free what it made there (in any order, also loops with open streams), or leave it all to sim_free. */
void sim_process_crash(struct sim_process *process, enum sim_crash how);
bool sim_process_crashed(const struct sim_process *process);
void sim_process_signal(struct sim_process *process, enum process_signal which);
void sim_process_environment(struct sim_process *process, const char *name, const char *value); /* value NULL: unset */
/* Who its user is, for the peers of its Unix sockets; at first root. */
void sim_process_user(struct sim_process *process, uint32_t uid, uint32_t gid);
/* Loops do not run for so long (a stopped process, a long garbage collection of the machine's). */
void sim_process_stall(struct sim_process *process, int64_t ns);

/* What is open now; all zero at the end of a process that cleaned up. */
struct sim_open {
	unsigned loops, streams, listeners, listen_sets, datagrams, timers, channels, watches, signals, locks;
	unsigned buffers; /* taken from loops' pools and not given back */
};

void sim_process_open(const struct sim_process *process, struct sim_open *open);

/* Faults of single calls: the nth from now on fails once (1: the next; 0: none). */
enum sim_call {
	SIM_CALL_CONNECT,   /* network_connect: ERROR_LIMIT */
	SIM_CALL_LISTEN,    /* listen_open: ERROR_EXISTS */
	SIM_CALL_ACCEPT,    /* out of descriptors: accepting stops for 100 ms */
	SIM_CALL_FILE_READ, /* file_read: ERROR_IO */
	SIM_CALL_DATAGRAM,  /* datagram_open: ERROR_LIMIT */
	SIM_CALL_POST,      /* channel_post: ERROR_LIMIT */
	SIM_CALL_BUFFER,    /* a stream gets no buffer to read into: failed(ERROR_LIMIT) */
	SIM_CALL_LOG_FILE,  /* log_file_open, log_file_write: ERROR_LIMIT */
	SIM_CALLS,
};

void sim_fail_nth(struct sim *sim, enum sim_call call, uint64_t nth);
/* The same for allocations that may fail (base/memory.h), counted in this loop's turns only: so that a worker can be meant,
 * and not the control thread, which may not run out of memory. memory_fail_nth itself means every loop. Returns how many were
 * still to come before the one that was to fail; 0: it has failed, or none was to. */
uint64_t sim_fail_memory(struct loop *loop, uint64_t nth);
/* How often each was called so far: what to try n up to. */
uint64_t sim_calls(const struct sim *sim, enum sim_call call);

/* Files of a host, by path (cleaned of "./" and doubled slashes; no links, no working directory of its own). Directories come
 * and go with the files below them. Watches hear of it. */
void sim_file_put(struct network *host, const char *path, struct slice bytes);
void sim_file_remove(struct network *host, const char *path);
/* The file as it is now ({NULL, 0}: none); until it is changed. */
struct slice sim_file(struct network *host, const char *path);

/* A UDP service that the harness plays (DNS, statsd). `answer` may call sim_datagram_reply any number of times. */
struct sim_service;
void sim_datagram_serve(struct network *host, uint16_t port,
	void (*answer)(void *owner, struct sim_service *service, const struct address *from, struct slice bytes), void *owner);
void sim_datagram_reply(struct sim_service *service, const struct address *to, struct slice bytes);

/* Totals since the start, for "the counters add up". */
struct sim_totals {
	uint64_t connects, refused, accepted, resets, half_open;
	uint64_t bytes_sent, bytes_received;
	uint64_t datagrams_sent, datagrams_lost;
	uint64_t timers, messages, log_lines;
};

void sim_totals(const struct sim *sim, struct sim_totals *totals);

#endif
