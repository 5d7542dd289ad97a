/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. TCP_NODELAY and keep-alive are set once, here: Linux hands them on to each accepted connection. */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/kernel/inherit.h"
#include "io/kernel/kernel.h"
#include "io/kernel/tcp.h"
#include "io/network.h"

enum {
	DEFAULT_BACKLOG = 4096,
	ACCEPTS_AT_ONCE = 64, /* a turn; what waits longer is reported again */
};
static const int64_t accept_pause = 100 * CLOCK_MS;

/* One socket for each worker where it was opened here. What was inherited may be more or fewer: each worker has every `workers`th, or
 * several workers share one. */
struct listen_set {
	struct address bound;
	char *path; /* of a Unix socket */
	int backlog;
	bool deaf;
	unsigned workers, started;
	unsigned inherited; /* of the sockets; those behind them don't listen before their worker does */
	unsigned count;
	int fds[];
};

/* A socket that a worker accepts from. */
struct acceptor {
	struct source source;
	struct listener *listener;
};

struct listener {
	struct listen_set *set;
	struct loop *loop;
	void (*accepted)(void *owner, struct stream *stream);
	void *owner;
	struct timer pause;
	bool stopped;
	unsigned alive; /* acceptors that are not buried yet */
	unsigned count;
	struct acceptor acceptors[];
};

static int set_option_to(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) ? kernel_error(errno) : 0;
}

static int set_option(int fd, int level, int name)
{
	return set_option_to(fd, level, name, 1);
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
	if (set->inherited)
		return 0; /* listen_start listens */
	if (listen(fd, set->backlog))
		return kernel_error(errno);
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &length))
		return kernel_error(errno);
	kernel_address(&name, &set->bound); /* with the port that was given for port 0 */
	return 0;
}

static int open_anew(struct listen_set *set, const struct listen_options *options)
{
	bool shared = set->workers > 1;
	int e = shared ? check_free(&set->bound, options) : 0;
	for (unsigned i = 0; i < set->workers && !e; i++)
		e = open_one(set, shared, options);
	return e;
}

/* They listen already, and who gave them may still accept from them. Each gets what this configuration says. */
static int adopt(struct listen_set *set, const struct listen_options *options)
{
	int e = 0, unused = 0;
	inherited_take(options->inherited, &set->bound, set->fds, set->inherited);
	set->count = set->inherited;
	for (unsigned i = 0; i < set->inherited && !e; i++) {
		/* Who was killed while it drained has left it deaf (listen_deafen). */
		(void)!setsockopt(set->fds[i], SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
		e = set_option_to(set->fds[i], IPPROTO_TCP, TCP_NODELAY, !options->socket.delay);
		if (!e)
			e = set_option_to(set->fds[i], SOL_SOCKET, SO_KEEPALIVE, options->socket.keep_alive);
		if (!e && listen(set->fds[i], set->backlog))
			e = kernel_error(errno);
	}
	return e;
}

/* Where workers are more than inherited sockets, the others get sockets beside them. These are bound now and listen when their worker
 * begins: the kernel would at once send connections to them, which nobody accepted if this process never got so far. Where they can't
 * be bound the workers share what there is. */
static void widen(struct listen_set *set, const struct listen_options *options)
{
	int e = 0;
	for (unsigned i = 0; i < set->inherited && !e && set->workers > set->inherited; i++)
		e = set_option(set->fds[i], SOL_SOCKET, SO_REUSEPORT);
	while (!e && set->count < set->workers)
		e = open_one(set, true, options);
	if (e)
		LOG(LOG_WARN, "io", "%u workers share %u inherited sockets: %s", set->workers, set->count, error_text(e));
}

int listen_open(struct network *network, const struct address *address, unsigned sockets, const struct listen_options *options,
	struct listen_set **result)
{
	(void)network;
	CHECK(sockets > 0);
	struct address bound = *address;
	unsigned inherited = options->inherited ? inherited_count(options->inherited, &bound, options->role) : 0;
	unsigned most = inherited > sockets ? inherited : sockets;
	struct listen_set *set = memory_new(sizeof *set + most * sizeof *set->fds);
	*set = (struct listen_set){
		.bound = bound,
		.backlog = options->backlog ? options->backlog : DEFAULT_BACKLOG,
		.workers = sockets,
		.inherited = inherited,
	};
	int e = inherited ? adopt(set, options) : open_anew(set, options);
	if (!e && inherited)
		widen(set, options);
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
int kernel_bind_unix(int fd, const char *path, unsigned mode)
{
	struct sockaddr_storage name;
	socklen_t length;
	int e = kernel_sockaddr_unix(path, &name, &length);
	if (e)
		return e;
	if (fchmod(fd, (mode_t)mode))
		return kernel_error(errno);
	if (bind(fd, (const struct sockaddr *)&name, length)) {
		e = kernel_error(errno);
		if (e != ERROR_EXISTS || !is_left_over(path, &name, length))
			return e;
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
	set->workers = 1;
	int fd, e = kernel_socket(&set->bound, SOCK_STREAM, &fd);
	if (e)
		goto no_socket;
	e = kernel_bind_unix(fd, path, mode);
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

const int *listen_descriptors(const struct listen_set *set, unsigned *count)
{
	*count = set->count;
	return set->fds;
}

/* The segment that asks for a connection is dropped; all others pass, so that handshakes under way come to their end. */
void listen_deafen(struct listen_set *set)
{
	enum { FLAGS = 13, SYN = 0x02 }; /* RFC 9293 section 3.1 */
	static struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	static const struct sock_fprog filter = { .len = sizeof program / sizeof *program, .filter = program };
	set->deaf = true;
	for (unsigned i = 0; i < set->count; i++)
		if (setsockopt(set->fds[i], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
			LOG(LOG_WARN, "io", "connections may be lost when the socket is closed: %s", error_text(kernel_error(errno)));
}

/* The kernel tells a listening socket's queue in the place of what isn't acknowledged (tcp_get_info). */
unsigned listen_waiting(const struct listen_set *set)
{
	unsigned waiting = 0;
	for (unsigned i = 0; i < set->count; i++) {
		struct tcp_info info = { 0 };
		socklen_t length = sizeof info;
		if (getsockopt(set->fds[i], IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
			waiting += info.tcpi_unacked;
	}
	return waiting;
}

/* An inherited socket may be another process's, too (systemd's), and is to hear again. */
static void close_socket(const struct listen_set *set, int fd)
{
	int unused = 0;
	if (set->deaf && set->inherited)
		(void)!setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
	close(fd);
}

void listen_close(struct listen_set *set)
{
	if (!set)
		return;
	CHECK(__atomic_load_n(&set->started, __ATOMIC_ACQUIRE) == 0);
	for (unsigned i = 0; i < set->count; i++)
		close_socket(set, set->fds[i]);
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
	for (unsigned i = 0; i < listener->count; i++)
		loop_change(listener->loop, &listener->acceptors[i].source, 0);
	timer_set(listener->loop, &listener->pause, clock_after(listener->loop->now, accept_pause));
}

static void on_pause_over(void *owner)
{
	struct listener *listener = owner;
	for (unsigned i = 0; i < listener->count; i++)
		loop_change(listener->loop, &listener->acceptors[i].source, EPOLLIN);
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct acceptor *acceptor)
{
	struct listener *listener = acceptor->listener;
	struct loop *loop = listener->loop;
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;
	struct address remote;
	struct stream *stream;
	if (loop->streams.in_use >= loop->streams.max) {
		pause_accepting(listener, ERROR_LIMIT);
		return false;
	}
	int fd = accept4(acceptor->source.fd, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
	struct acceptor *acceptor = LIST_OF(source, struct acceptor, source);
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(acceptor); i++)
		;
}

/* The `n`th socket of a worker; -1: it has no more. */
static int socket_of(const struct listen_set *set, unsigned worker, unsigned n)
{
	unsigned at = worker + n * set->workers;
	if (set->count < set->workers)
		return n ? -1 : set->fds[worker % set->count];
	return at < set->count ? set->fds[at] : -1;
}

/* One that was bound beside inherited ones begins to listen; if it can't, the worker shares one of those. */
static int listening(const struct listen_set *set, int fd, unsigned worker)
{
	if (!set->inherited || worker < set->inherited || listen(fd, set->backlog) == 0)
		return fd;
	LOG(LOG_WARN, "io", "a worker shares an inherited socket: %s", error_text(kernel_error(errno)));
	return set->fds[worker % set->inherited];
}

static void add_acceptor(struct listener *listener, int fd)
{
	struct acceptor *acceptor = &listener->acceptors[listener->count++];
	*acceptor = (struct acceptor){ .source = { .ready = on_acceptable, .fd = fd }, .listener = listener };
	list_init(&acceptor->source.link);
	if (loop_register(listener->loop, &acceptor->source, EPOLLIN))
		check_out_of_memory("a listener");
}

struct listener *listen_start(
	struct listen_set *set, unsigned index, struct loop *loop, void (*accepted)(void *owner, struct stream *stream), void *owner)
{
	CHECK(index < set->workers);
	unsigned count = 1;
	while (socket_of(set, index, count) >= 0)
		count++;
	struct listener *listener = memory_new(sizeof *listener + count * sizeof *listener->acceptors);
	*listener = (struct listener){
		.set = set,
		.loop = loop,
		.accepted = accepted,
		.owner = owner,
		.alive = count,
	};
	timer_init(&listener->pause, on_pause_over, listener);
	add_acceptor(listener, listening(set, socket_of(set, index, 0), index));
	while (listener->count < count)
		add_acceptor(listener, socket_of(set, index, listener->count));
	__atomic_add_fetch(&set->started, 1, __ATOMIC_ACQ_REL);
	loop->others++;
	return listener;
}

static void acceptor_gone(struct loop *loop, struct source *source)
{
	struct listener *listener = LIST_OF(source, struct acceptor, source)->listener;
	(void)loop;
	if (--listener->alive == 0)
		memory_free(listener);
}

void listen_stop(struct listener *listener)
{
	if (!listener)
		return;
	struct loop *loop = listener->loop;
	listener->stopped = true;
	timer_cancel(loop, &listener->pause);
	for (unsigned i = 0; i < listener->count; i++)
		loop_unregister(loop, &listener->acceptors[i].source);
	__atomic_sub_fetch(&listener->set->started, 1, __ATOMIC_ACQ_REL);
	loop->others--;
	for (unsigned i = 0; i < listener->count; i++)
		loop_bury(loop, &listener->acceptors[i].source, acceptor_gone);
}
