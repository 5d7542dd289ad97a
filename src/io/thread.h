/* SPDX-License-Identifier: Apache-2.0 */
/* io/thread.h: threads, for main and nobody else. In simulation there are none.
 *
 *	thread_start("worker-0", worker_run, worker, &thread);  ...  thread_join(thread);
 */
#ifndef IO_THREAD_H
#define IO_THREAD_H

#include "base/error.h"

struct thread;

/* `name` is shown by tools, cut at 15 characters. Signals are blocked in the new thread. */
MUST_CHECK int thread_start(const char *name, void (*run)(void *owner), void *owner, struct thread **thread);
void thread_join(struct thread *thread); /* waits, frees */
/* How many cores this process may use: affinity and cgroup limits count; at least 1. */
unsigned thread_cores(void);

/* A lock, for the few places where a reader thread (admin) meets the control thread. Never on the request path. */
struct lock;
struct lock *lock_new(void);
void lock_free(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

#endif
