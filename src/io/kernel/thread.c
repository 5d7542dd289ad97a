/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and locks over pthreads. How many cores we may use: see limits.c. */
#include "io/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { NAME_BYTES = 16 };

struct thread {
	pthread_t id;
	void (*run)(void *owner);
	void *owner;
	char name[NAME_BYTES];
};

struct lock {
	pthread_mutex_t mutex;
};

static void *thread_main(void *argument)
{
	struct thread *thread = argument;
	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->owner);
	return NULL;
}

int thread_start(const char *name, void (*run)(void *owner), void *owner, struct thread **result)
{
	struct thread *thread = memory_new(sizeof *thread);
	sigset_t all, before;
	thread->run = run;
	thread->owner = owner;
	snprintf(thread->name, sizeof thread->name, "%s", name);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits it */
	int number = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (number) {
		memory_free(thread);
		return number == EAGAIN ? ERROR_LIMIT : kernel_error(number);
	}
	*result = thread;
	return 0;
}

void thread_join(struct thread *thread)
{
	CHECK(pthread_join(thread->id, NULL) == 0);
	memory_free(thread);
}

struct lock *lock_new(void)
{
	struct lock *lock = memory_new(sizeof *lock);
	CHECK(pthread_mutex_init(&lock->mutex, NULL) == 0);
	return lock;
}

void lock_free(struct lock *lock)
{
	CHECK(pthread_mutex_destroy(&lock->mutex) == 0);
	memory_free(lock);
}

void lock_take(struct lock *lock)
{
	CHECK(pthread_mutex_lock(&lock->mutex) == 0);
}

void lock_release(struct lock *lock)
{
	CHECK(pthread_mutex_unlock(&lock->mutex) == 0);
}
