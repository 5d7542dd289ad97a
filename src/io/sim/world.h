/* SPDX-License-Identifier: Apache-2.0 */
/* io/sim/world.h: what the files of the simulation share. Inside io/sim/ only; tests use sim.h.
 *
 * The world keeps one heap of events (segments that arrive, handshakes, messages that become due, the harness's plans). An
 * event only changes the network's state and marks what has something to tell as *ready* on its loop; callbacks are made by
 * the loop's turns alone. No file here may call the product outside a turn.
 *
 *	world.c     time, draws, the event log, the scheduler        connection.c  the two directions of a connection
 *	host.c      hosts, links, processes, crashes                 stream.c      a connection's end as an io/stream
 *	loop.c      loops: turns, timers, tasks, ready things        network.c     listening, accepting, connecting
 *	datagram.c, file.c, channel.c, process.c (signals, environment, threads, locks)
 */
#ifndef IO_SIM_WORLD_H
#define IO_SIM_WORLD_H

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pool.h"
#include "io/channel.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "io/thread.h"
#include "io/timers.h"

/* Kinds of lines in the event log. */
enum event {
	EVENT_NOTE,
	EVENT_TURN,
	EVENT_TIMER,
	EVENT_CONNECT,
	EVENT_CONNECTED,
	EVENT_ACCEPTED,
	EVENT_RECEIVED,
	EVENT_ENDED,
	EVENT_DRAINED,
	EVENT_FAILED,
	EVENT_CLOSED,
	EVENT_DATAGRAM,
	EVENT_MESSAGE,
	EVENT_FILE,
	EVENT_SIGNAL,
	EVENT_CRASH,
	EVENT_FAULT,
	EVENT_PLAN,
	EVENT_LOG,
	EVENT_PRINT,
	EVENTS,
};

enum { LOOP_MAGIC = 0x73696d4c, WORLD_MAGIC = 0x73696d57, HOST_MAGIC = 0x73696d48, PROCESS_MAGIC = 0x73696d50 };
enum { STREAM_MAGIC = 0x73696d53, CHANNEL_MAGIC = 0x73696d43, SOCKETS_MOST = 256, ADDRESSES_MOST = 4 };

struct sim {
	uint32_t magic;
	uint64_t seed;
	struct sim_options options;
	struct random random, harness;
	int64_t now;
	struct timers events;
	struct list hosts, loops, plans, packets;
	uint32_t host_count, loop_count, process_count;
	uint64_t connection_count;
	uint64_t mended; /* connections up to this one don't break any more by what was drawn for them */
	struct sim_process *current;
	struct loop *turning;
	uint64_t hash, turns;
	uint64_t calls[SIM_CALLS], fail_at[SIM_CALLS];
	struct sim_totals totals;
};

struct network {
	uint32_t magic;
	uint32_t id;
	struct sim *sim;
	struct list link;
	struct address addresses[ADDRESSES_MOST];
	unsigned address_count;
	uint16_t next_port;
	struct sim_link **links; /* by the other host's id */
	uint32_t link_count;
	struct list processes;
	struct list sets; /* listening */
	struct list files;
	struct list services; /* UDP, played by the harness */
	struct list datagrams;
};

struct sim_process {
	uint32_t magic;
	uint32_t id;
	struct network *host;
	struct list link; /* in its host */
	char *name;
	bool crashed;
	int64_t stalled_until;
	struct list loops, watches, signals, environment, file_locks;
	uint32_t uid, gid;
	unsigned sets, locks_made, locks_held;
};

/* Something that has something to tell on its loop. */
struct ready {
	struct list link;
	void (*tell)(struct ready *ready); /* may mark itself ready again */
};

enum { TURN_BATCH = 64 };

struct loop {
	uint32_t magic;
	uint32_t id;
	const char *name;
	int64_t wall_ahead; /* how far the time of day is ahead of sim->now */
	int64_t buried;     /* when; it has no sim any more */
	struct timers timers;
	struct task *first_task, **last_task;
	struct task *first_late, **last_late;
	struct random random;
	struct pool buffers, streams;
	struct sim *sim;
	struct sim_process *process;
	struct list link, process_link;
	int64_t busy_until;
	struct list ready;
	struct ready *batch[TURN_BATCH]; /* of this turn; what is closed meanwhile is taken out */
	unsigned batch_count;
	struct list open;    /* streams, lingering ones too */
	struct list closed;  /* streams, freed when the turn ends */
	unsigned open_count; /* streams that have an owner */
	unsigned listeners, datagrams, channels;
	uint64_t memory_fails; /* the nth allocation in its turns; 0: none */
	bool stopped;
};

/* world.c */
struct sim *world_current(void); /* CHECKs that there is one */
void world_event(struct sim *sim, enum event event, uint64_t a, uint64_t b, uint64_t c);
/* The same with a text, which is hashed too. */
void world_say(struct sim *sim, enum event event, const char *text, size_t length);
uint64_t world_hash_bytes(const char *bytes, size_t length);
bool world_chance(struct sim *sim, uint32_t per_million);
/* 0 <= n <= most. */
int64_t world_draw(struct sim *sim, int64_t most);
/* Counts the call; true when it is the one that shall fail. */
bool world_fails(struct sim *sim, enum sim_call call);
/* Asks `waiting` after each turn when it is not NULL. */
bool world_run(struct sim *sim, bool (*waiting)(void *owner), void *owner, int64_t until);

/* host.c */
struct sim_process *process_current(void); /* CHECKs that one is entered */
struct network *host_find(struct network *from, const struct address *address);
bool host_has(const struct network *host, const struct address *address);
bool host_alive(const struct network *host);
uint16_t host_port(struct network *host);
void process_free(struct sim_process *process);

/* loop.c */
int64_t loop_next(const struct loop *loop); /* when it can run next, if nothing happens before; in the past: now */
void loop_turn(struct loop *loop);
void loop_ready(struct loop *loop, struct ready *ready);
void loop_unready(struct loop *loop, struct ready *ready);
void loop_run_tasks(struct loop *loop); /* after each callback */
void loop_bury(struct loop *loop);      /* at sim_free: what a crashed process left */
static inline bool loop_dead(const struct loop *loop)
{
	return loop->process->crashed;
}

/* The network's part of a crash, and of the end of the world. */
void streams_pool_init(struct pool *pool, uint32_t max);
void streams_crash(struct loop *loop, enum sim_crash how);
void streams_drop_lingering(struct loop *loop);
void streams_free_closed(struct loop *loop);
void sets_crash(struct sim_process *process, enum sim_crash how);
void datagrams_forget(struct network *host, const struct sim_process *process);
void services_free(struct network *host);
void packets_free(struct sim *sim);
void files_free(struct network *host);
void file_locks_forget(struct sim_process *process);
void environment_free(struct sim_process *process);

#endif
