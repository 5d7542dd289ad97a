/* SPDX-License-Identifier: Apache-2.0 */
#include "io/process.h"

#include <errno.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/kernel/kernel.h"

struct signals {
	struct source source;
	struct loop *loop;
	void (*received)(void *owner, enum process_signal which);
	void *owner;
};

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
}

static void write_log(const char *line, size_t length)
{
	file_print(true, slice_make(line, length));
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void process_start(void)
{
	sigset_t set;
	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	(void)!prctl(PR_SET_NAME, "weft", 0, 0, 0); /* started by another name, such as /proc/self/exe, too */
	raise_descriptor_limit();
	log_set(LOG_INFO, write_log);
	log_set_clock(kernel_clock);
}

/* Not under a sanitizer: its search for leaks is such a reader. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define UNDER_SANITIZER 1
#endif

void process_protect(void)
{
#ifndef UNDER_SANITIZER
	const struct rlimit none = { 0, 0 };
	(void)!setrlimit(RLIMIT_CORE, &none);
	(void)!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static void on_signal(struct source *source, uint32_t events)
{
	struct signals *signals = LIST_OF(source, struct signals, source);
	struct signalfd_siginfo one;
	(void)events;
	while (source->fd >= 0 && read(source->fd, &one, sizeof one) == sizeof one) {
		if (one.ssi_signo == SIGTERM || one.ssi_signo == SIGINT)
			signals->received(signals->owner, PROCESS_TERMINATE);
		else if (one.ssi_signo == SIGHUP)
			signals->received(signals->owner, PROCESS_RELOAD);
		loop_run_tasks(signals->loop);
	}
}

int signals_new(struct loop *loop, void (*received)(void *owner, enum process_signal which), void *owner, struct signals **result)
{
	sigset_t set;
	our_signals(&set);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return kernel_error(errno);
	struct signals *signals = memory_new(sizeof *signals);
	*signals = (struct signals){
		.source = { .ready = on_signal, .fd = fd },
		.loop = loop,
		.received = received,
		.owner = owner,
	};
	list_init(&signals->source.link);
	int e = loop_register(loop, &signals->source, EPOLLIN);
	if (e) {
		close(fd);
		memory_free(signals);
		return e;
	}
	loop->others++;
	*result = signals;
	return 0;
}

static void signals_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct signals, source));
}

void signals_free(struct signals *signals)
{
	if (!signals)
		return;
	close(signals->source.fd);
	signals->loop->others--;
	loop_bury(signals->loop, &signals->source, signals_gone);
}

static unsigned count_entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;
	if (!folder)
		return 0;
	for (const struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static int64_t nanoseconds(struct timeval t)
{
	return t.tv_sec * CLOCK_SECOND + t.tv_usec * CLOCK_US;
}

void process_usage(struct process_usage *usage)
{
	struct rusage used = { 0 };
	struct rlimit limit = { 0 };
	struct slice text;
	*usage = (struct process_usage){ 0 };
	if (file_read("/proc/self/statm", 4096, &text) == 0) {
		uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), total = 0, resident = 0;
		struct slice rest = text, part;
		if (slice_split(&rest, ' ', &part))
			(void)!slice_to_u64(part, UINT64_MAX, &total);
		if (slice_split(&rest, ' ', &part))
			(void)!slice_to_u64(part, UINT64_MAX, &resident);
		usage->virtual_bytes = total * page;
		usage->resident_bytes = resident * page;
		memory_free(text.at);
	}
	if (getrusage(RUSAGE_SELF, &used) == 0) {
		usage->cpu_user_ns = nanoseconds(used.ru_utime);
		usage->cpu_system_ns = nanoseconds(used.ru_stime);
	}
	usage->threads = count_entries("/proc/self/task");
	usage->descriptors = count_entries("/proc/self/fd");
	if (usage->descriptors)
		usage->descriptors--; /* the one that reads the folder */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		usage->descriptor_limit = limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (unsigned)limit.rlim_cur;
}

unsigned process_id(void)
{
	return (unsigned)getpid();
}

unsigned process_parent(void)
{
	return (unsigned)getppid();
}

uint32_t process_user(void)
{
	return geteuid();
}

const char *process_environment(const char *name)
{
	return getenv(name);
}

/* A datagram, whose loss nobody would mend. A name that begins with @ is not in the file system (unix(7), abstract). */
void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t length;
	int fd;
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof name.sun_path)
		return;
	memcpy(name.sun_path, path, strlen(path));
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		name.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name, length) < 0)
		LOG(LOG_WARN, "io", "%s, which NOTIFY_SOCKET names, can't be told of `%s`: %s", path, state,
			error_text(kernel_error(errno)));
	close(fd);
}

void process_exit(int code)
{
	exit(code);
}
