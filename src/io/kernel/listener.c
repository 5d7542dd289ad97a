/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. TCP_NODELAY and keep-alive are set once, here: Linux hands them on to each accepted connection. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"
#include "io/kernel/tcp.h"
#include "io/network.h"

enum {
	DEFAULT_BACKLOG = 4096,
	ACCEPTS_AT_ONCE = 64, /* a turn; what waits longer is reported again */
};
static const int64_t accept_pause = 100 * CLOCK_MS;

struct listen_set {
	struct address bound;
	char *path; /* of a Unix socket */
	unsigned count, started;
	int fds[];
};

struct listener {
	struct source source;
	struct listen_set *set;
	struct loop *loop;
	void (*accepted)(void *owner, struct stream *stream);
	void *owner;
	struct timer pause;
	bool stopped;
};

static int set_option(int fd, int level, int name)
{
	int one = 1;
	return setsockopt(fd, level, name, &one, sizeof one) ? kernel_error(errno) : 0;
}

static int set_options(int fd, const struct address *address, bool shared, const struct listen_options *options)
{
	int zero = 0;
	int e = options->exclusive ? 0 : set_option(fd, SOL_SOCKET, SO_REUSEADDR);
	if (!e && shared)
		e = set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (!e && !options->socket.delay)
		e = set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (!e && options->socket.keep_alive)
		e = set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
	if (!e && address->family == ADDRESS_IP6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero))
		e = kernel_error(errno);
	return e;
}

/* A socket bound to the address; its backlog only when it is to listen. */
static int open_bound(const struct address *address, bool shared, const struct listen_options *options, int *result)
{
	struct sockaddr_storage name;
	socklen_t length = kernel_sockaddr(address, &name);
	int fd, e = kernel_socket(address, SOCK_STREAM, &fd);
	if (e)
		return e;
	e = set_options(fd, address, shared, options);
	if (!e && bind(fd, (const struct sockaddr *)&name, length))
		e = kernel_error(errno);
	if (e) {
		close(fd);
		return e;
	}
	*result = fd;
	return 0;
}

/* Sockets that share a port would also share it, silently, with those of another process of this user. So a socket that
 * doesn't share is bound first: that fails when anybody listens there. */
static int check_free(const struct address *address, const struct listen_options *options)
{
	int fd, e;
	if (!address->port)
		return 0;
	e = open_bound(address, false, options, &fd);
	if (!e)
		close(fd);
	return e;
}

static int open_one(struct listen_set *set, bool shared, const struct listen_options *options)
{
	int fd, e = open_bound(&set->bound, shared, options, &fd);
	if (e)
		return e;
	set->fds[set->count++] = fd;
	if (listen(fd, options->backlog ? options->backlog : DEFAULT_BACKLOG))
		return kernel_error(errno);
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &length))
		return kernel_error(errno);
	kernel_address(&name, &set->bound); /* with the port that was given for port 0 */
	return 0;
}

int listen_open(struct network *network, const struct address *address, unsigned sockets, const struct listen_options *options,
	struct listen_set **result)
{
	(void)network;
	CHECK(sockets > 0);
	struct listen_set *set = memory_new(sizeof *set + sockets * sizeof *set->fds);
	set->bound = *address;
	int e = sockets > 1 ? check_free(address, options) : 0;
	for (unsigned i = 0; i < sockets && !e; i++)
		e = open_one(set, sockets > 1, options);
	if (e) {
		listen_close(set);
		return e;
	}
	*result = set;
	return 0;
}

/* Whether what is at the path is a socket that nobody listens on any more. */
static bool is_left_over(const char *path, const struct sockaddr_storage *name, socklen_t length)
{
	static const struct address local = { .family = ADDRESS_UNIX };
	struct stat about;
	int fd;
	bool dead;
	if (lstat(path, &about) || !S_ISSOCK(about.st_mode) || kernel_socket(&local, SOCK_STREAM, &fd))
		return false;
	dead = connect(fd, (const struct sockaddr *)name, length) && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

/* The mode is set before binding, when umask may still narrow it, and as it is to be behind that: never is it wider. */
static int bind_unix(int fd, const char *path, unsigned mode)
{
	struct sockaddr_storage name;
	socklen_t length;
	int e = kernel_sockaddr_unix(path, &name, &length);
	if (e)
		return e;
	if (fchmod(fd, (mode_t)mode))
		return kernel_error(errno);
	if (bind(fd, (const struct sockaddr *)&name, length)) {
		if (errno != EADDRINUSE || !is_left_over(path, &name, length))
			return kernel_error(errno);
		unlink(path);
		if (bind(fd, (const struct sockaddr *)&name, length))
			return kernel_error(errno);
	}
	return chmod(path, (mode_t)mode) ? kernel_error(errno) : 0;
}

int listen_open_unix(
	struct network *network, const char *path, unsigned mode, const struct listen_options *options, struct listen_set **result)
{
	(void)network;
	struct listen_set *set = memory_new(sizeof *set + sizeof *set->fds);
	set->bound = (struct address){ .family = ADDRESS_UNIX };
	int fd, e = kernel_socket(&set->bound, SOCK_STREAM, &fd);
	if (e)
		goto no_socket;
	e = bind_unix(fd, path, mode);
	if (e)
		goto not_bound;
	if (listen(fd, options->backlog ? options->backlog : DEFAULT_BACKLOG)) {
		e = kernel_error(errno);
		unlink(path);
		goto not_bound;
	}
	set->path = memory_text(slice_of(path));
	set->fds[set->count++] = fd;
	*result = set;
	return 0;

not_bound:
	close(fd);
no_socket:
	memory_free(set);
	return e;
}

void listen_address(const struct listen_set *set, struct address *bound)
{
	*bound = set->bound;
}

void listen_close(struct listen_set *set)
{
	if (!set)
		return;
	CHECK(__atomic_load_n(&set->started, __ATOMIC_ACQUIRE) == 0);
	for (unsigned i = 0; i < set->count; i++)
		close(set->fds[i]);
	if (set->path)
		unlink(set->path);
	memory_free(set->path);
	memory_free(set);
}

/* Descriptors, memory or streams have run out: the connections wait in the kernel's queue. */
static void pause_accepting(struct listener *listener, int error)
{
	char text[ADDRESS_TEXT];
	address_format(&listener->set->bound, text);
	LOG(LOG_WARN, "io", "accepting on %s pauses: %s", text, error_text(error));
	loop_change(listener->loop, &listener->source, 0);
	timer_set(listener->loop, &listener->pause, clock_after(listener->loop->now, accept_pause));
}

static void on_pause_over(void *owner)
{
	struct listener *listener = owner;
	loop_change(listener->loop, &listener->source, EPOLLIN);
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct listener *listener)
{
	struct loop *loop = listener->loop;
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;
	struct address remote;
	struct stream *stream;
	if (loop->streams.in_use >= loop->streams.max) {
		pause_accepting(listener, ERROR_LIMIT);
		return false;
	}
	int fd = accept4(listener->source.fd, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		int e = errno == EAGAIN ? ERROR_BUSY : kernel_error(errno);
		if (e == ERROR_LIMIT || e == ERROR_NO_MEMORY)
			pause_accepting(listener, e);
		/* Anything else was this one connection's own error (accept(2)). */
		return e != ERROR_BUSY && e != ERROR_LIMIT && e != ERROR_NO_MEMORY;
	}
	kernel_address(&name, &remote);
	int e = tcp_accepted(loop, fd, &remote, &stream);
	if (e) {
		pause_accepting(listener, e);
		return false;
	}
	listener->accepted(listener->owner, stream);
	loop_run_tasks(loop);
	return !listener->stopped;
}

static void on_acceptable(struct source *source, uint32_t events)
{
	struct listener *listener = LIST_OF(source, struct listener, source);
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(listener); i++)
		;
}

struct listener *listen_start(
	struct listen_set *set, unsigned index, struct loop *loop, void (*accepted)(void *owner, struct stream *stream), void *owner)
{
	CHECK(index < set->count);
	struct listener *listener = memory_new(sizeof *listener);
	*listener = (struct listener){
		.source = { .ready = on_acceptable, .fd = set->fds[index] },
		.set = set,
		.loop = loop,
		.accepted = accepted,
		.owner = owner,
	};
	list_init(&listener->source.link);
	timer_init(&listener->pause, on_pause_over, listener);
	if (loop_register(loop, &listener->source, EPOLLIN))
		check_out_of_memory("a listener");
	__atomic_add_fetch(&set->started, 1, __ATOMIC_ACQ_REL);
	loop->others++;
	return listener;
}

static void listener_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct listener, source));
}

void listen_stop(struct listener *listener)
{
	if (!listener)
		return;
	struct loop *loop = listener->loop;
	listener->stopped = true;
	timer_cancel(loop, &listener->pause);
	loop_unregister(loop, &listener->source);
	__atomic_sub_fetch(&listener->set->started, 1, __ATOMIC_ACQ_REL);
	loop->others--;
	loop_bury(loop, &listener->source, listener_gone);
}
