/* SPDX-License-Identifier: Apache-2.0 */
#include "io/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { CANNOT_RUN = 2, NUMBER_BYTES = 16 };

struct children {
	struct source source; /* SIGCHLD */
	struct loop *loop;
	void (*ended)(void *owner, uint32_t pid, const struct child_end *end);
	void *owner;
};

static void reap(struct children *children)
{
	int status;
	pid_t pid;

	while (children->source.fd >= 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		const struct child_end end = {
			.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
			.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			.core = WIFSIGNALED(status) && WCOREDUMP(status),
		};

		children->ended(children->owner, (uint32_t)pid, &end);
		loop_run_tasks(children->loop);
	}
}

/* Signals of one kind that come together are one: so all who have ended are looked for. */
static void on_signal(struct source *source, uint32_t events)
{
	struct children *children = LIST_OF(source, struct children, source);
	struct signalfd_siginfo one;

	(void)events;
	while (read(source->fd, &one, sizeof one) == sizeof one)
		;
	reap(children);
}

int children_new(
	struct loop *loop, void (*ended)(void *owner, uint32_t pid, const struct child_end *end), void *owner, struct children **result)
{
	struct children *children;
	sigset_t set;
	int fd, e;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return kernel_error(errno);
	children = memory_new(sizeof *children);
	*children = (struct children){ .source = { .ready = on_signal, .fd = fd }, .loop = loop, .ended = ended, .owner = owner };
	list_init(&children->source.link);
	e = loop_register(loop, &children->source, EPOLLIN);
	if (e) {
		close(fd);
		memory_free(children);
		return e;
	}
	loop->others++;
	*result = children;
	return 0;
}

/* /proc/self/exe is this very program, even if another has been installed in its place since. */
_Noreturn static void run(char *const *arguments, const char *variable, int descriptor)
{
	char number[NUMBER_BYTES];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	snprintf(number, sizeof number, "%d", descriptor);
	unsetenv("NOTIFY_SOCKET");
	if (fcntl(descriptor, F_SETFD, 0) == 0 && setenv(variable, number, 1) == 0)
		execv("/proc/self/exe", arguments);
	LOG(LOG_ERROR, "io", "/proc/self/exe can't be run: %s", error_text(kernel_error(errno)));
	_exit(CANNOT_RUN);
}

int children_start(struct children *children, char *const *arguments, const char *variable, int descriptor, uint32_t *pid)
{
	pid_t child = fork();

	(void)children;
	if (child == 0)
		run(arguments, variable, descriptor);
	close(descriptor);
	if (child < 0)
		return kernel_error(errno == EAGAIN ? EMFILE : errno); /* as many processes as there may be */
	*pid = (uint32_t)child;
	return 0;
}

static void children_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct children, source));
}

void children_free(struct children *children)
{
	if (!children)
		return;
	close(children->source.fd);
	children->loop->others--;
	loop_bury(children->loop, &children->source, children_gone);
}

void child_end_show(const struct child_end *end, struct text *out)
{
	const char *name = end->signal ? sigabbrev_np(end->signal) : NULL;

	if (!end->signal)
		text_format(out, "ended with code %d", end->code);
	else if (name)
		text_format(out, "was killed by SIG%s", name);
	else
		text_format(out, "was killed by signal %d", end->signal);
	if (end->core)
		text_append(out, SLICE(", which left a core file"));
}
