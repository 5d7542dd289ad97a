/* SPDX-License-Identifier: Apache-2.0 */
/* io/process.h: this process: signals, identity, environment, resource use. Main thread, except process_usage.
 *
 *	signals_new(loop, received, owner, &signals);   // SIGTERM, SIGINT, SIGHUP, SIGUSR1 arrive as calls on the loop
 */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <stdint.h>

#include "base/error.h"

struct loop;
struct signals;

enum process_signal {
	PROCESS_TERMINATE, /* SIGTERM, SIGINT */
	PROCESS_RELOAD,    /* SIGHUP */
};

/* Before any thread is started: blocks these signals everywhere; SIGPIPE is ignored. Raises RLIMIT_NOFILE to its maximum,
 * and makes base/log write to standard error. */
void process_start(void);
MUST_CHECK int signals_new(
	struct loop *loop, void (*received)(void *owner, enum process_signal which), void *owner, struct signals **signals);
void signals_free(struct signals *signals);

/* Nobody else of this user may read this process's memory (ptrace, /proc), and it leaves no core file: for who holds keys. */
void process_protect(void);

struct process_usage {
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	int64_t cpu_user_ns, cpu_system_ns;
	unsigned threads;
	unsigned descriptors; /* open */
	unsigned descriptor_limit;
};

void process_usage(struct process_usage *usage);
/* How much memory it may use: the machine's, or less if its cgroup allows less. */
uint64_t process_memory_limit(void);
unsigned process_id(void);
unsigned process_parent(void);                     /* 0: one that can't be seen from here */
uint32_t process_user(void);                       /* the effective user's number */
const char *process_environment(const char *name); /* NULL when unset */
/* Tells who started it, by sd_notify's protocol (sd_notify(3)): "READY=1", "STOPPING=1", lines. Nothing happens where nobody asked for
 * that (NOTIFY_SOCKET). */
void process_notify(const char *state);
_Noreturn void process_exit(int code);

#endif
