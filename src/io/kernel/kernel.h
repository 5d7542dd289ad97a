/* SPDX-License-Identifier: Apache-2.0 */
/* io/kernel/kernel.h: the loop over epoll, as the other files of this backend see it. One thread: the loop's.
 *
 * A source is one descriptor that the loop waits on; it is embedded in what it belongs to. Streams are registered once,
 * edge-triggered, for everything, and never touched again: what they have learnt from an edge they remember themselves. A
 * source that has more to do than it may do in one turn asks for another call with loop_again.
 *
 * What is closed while events wait in the turn's batch may still be named by them: so it sets its descriptor to -1, and its
 * memory is given back only when the turn ends (loop_bury).
 */
#ifndef IO_KERNEL_KERNEL_H
#define IO_KERNEL_KERNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/list.h"
#include "io/address.h"
#include "io/loop.h"
#include "io/timers.h"

enum {
	LOOP_MAGIC = 0x6b6c6f70,
	LOOP_EVENTS = 256,
};

struct source {
	union {
		/* events: epoll's, or 0 for a call asked for with loop_again. Not called once fd is -1. */
		void (*ready)(struct source *source, uint32_t events);
		void (*gone)(struct loop *loop, struct source *source); /* of a buried one */
	};
	int fd;
	struct list link; /* in the loop's `again` or `starved`, later in `buried`, or nowhere */
};

struct loop {
	uint32_t magic;
	int epoll;
	int64_t now;        /* of this turn */
	struct task *tasks; /* first that is set */
	struct task **tasks_end;
	struct task *late; /* the same of the late ones */
	struct task **late_end;
	struct list again;   /* sources to be called next turn */
	struct list buried;  /* closed in this turn */
	struct list starved; /* streams that found no buffer */
	struct timers timers;
	struct pool buffers;
	struct pool streams; /* struct tcp */
	struct pool waiting; /* struct tcp_waiting: pieces that the kernel did not take yet */
	struct random random;
	int64_t wall_offset, wall_due; /* CLOCK_REALTIME - CLOCK_MONOTONIC, and when to look again */
	const char *name;
	struct source wake; /* an eventfd, edge-triggered and never read */
	_Atomic bool woken; /* a byte for `wake` is on its way */
	_Atomic bool stopped;
	struct list channels;
	struct list lingering; /* streams that finish by themselves */
	struct timer starved_timer;
	struct inotify *inotify; /* made with the first watch */
	unsigned others;         /* listeners, datagrams, watches, signals: for loop_free's check */
	struct epoll_event events[LOOP_EVENTS];
};

/* Registers source->fd. ERROR_NO_MEMORY, ERROR_LIMIT. */
MUST_CHECK int loop_register(struct loop *loop, struct source *source, uint32_t events);
void loop_change(struct loop *loop, struct source *source, uint32_t events);
/* For descriptors that stay open; closing the last copy of one does this too. */
void loop_unregister(struct loop *loop, struct source *source);
/* Calls source->ready(source, 0) in the next turn. */
void loop_again(struct loop *loop, struct source *source);
/* Calls it when there may be buffers again, some milliseconds later. */
void loop_starve(struct loop *loop, struct source *source);
/* The descriptor is closed or unregistered: events of this turn that still name it are dropped, and at the turn's end `gone`
 * gives back the memory that the source lies in. */
void loop_bury(struct loop *loop, struct source *source, void (*gone)(struct loop *loop, struct source *source));
/* From any thread: the loop looks at its channels and at `stopped`. */
void loop_wake(struct loop *loop);
void loop_run_all_tasks(struct loop *loop);

/* After every callback: what it has set runs before the next. */
static inline void loop_run_tasks(struct loop *loop)
{
	if (__builtin_expect(loop->tasks != NULL, 0))
		loop_run_all_tasks(loop);
}

/* channel.c: delivers a batch from each of the loop's channels. */
void channel_deliver_all(struct loop *loop);

/* kernel.c */
int64_t kernel_clock(void);
/* The error that stands for an errno value of a socket call; ERROR_IO for what has no name of its own. */
int kernel_error(int number);
void kernel_close(int fd);
socklen_t kernel_sockaddr(const struct address *address, struct sockaddr_storage *result);
/* ERROR_INVALID: the path is too long. */
MUST_CHECK int kernel_sockaddr_unix(const char *path, struct sockaddr_storage *result, socklen_t *length);
/* Binds a Unix socket; what an ended process left at the path is replaced (listener.c). Errors as of listen_open_unix. */
MUST_CHECK int kernel_bind_unix(int fd, const char *path, unsigned mode);
void kernel_address(const struct sockaddr_storage *from, struct address *result);
/* A non-blocking socket. ERROR_LIMIT, ERROR_NO_MEMORY, ERROR_UNSUPPORTED (the family). */
MUST_CHECK int kernel_socket(const struct address *address, int type, int *fd);

#endif
