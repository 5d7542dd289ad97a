/* SPDX-License-Identifier: Apache-2.0 */
#include "io/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { DOOR_BACKLOG = 16 };
static const int64_t accept_pause = 100 * CLOCK_MS;

struct packet_door {
	struct source source;
	struct loop *loop; /* NULL: not started */
	char *path;
	void (*came)(void *owner, struct packet_link *link);
	void *owner;
	struct timer pause;
};

struct packet_link {
	struct source source;
	struct loop *loop;
	const struct packet_events *events;
	void *owner;
	bool ended;
};

/* Room for a packet's descriptors, and for one too many. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE((PACKET_DESCRIPTORS + 1) * sizeof(int))];
};

static const struct address unix_socket = { .family = ADDRESS_UNIX };

void packet_drop(int descriptor)
{
	kernel_close(descriptor);
}

/* ---- links ---- */

static void end(struct packet_link *link, int error)
{
	link->ended = true;
	loop_unregister(link->loop, &link->source);
	link->events->ended(link->owner, error);
}

static unsigned take_descriptors(struct msghdr *message, int descriptors[static PACKET_DESCRIPTORS + 1])
{
	unsigned count = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		count = (unsigned)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(descriptors, CMSG_DATA(part), count * sizeof(int));
	}
	return count;
}

/* False when there is nothing more to read now, or ever. */
static bool read_one(struct packet_link *link)
{
	char bytes[PACKET_BYTES];
	union control control;
	int descriptors[PACKET_DESCRIPTORS + 1];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t length = recvmsg(link->source.fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	unsigned count;

	if (length < 0) {
		if (errno == EINTR)
			return true;
		if (errno != EAGAIN)
			end(link, kernel_error(errno));
		return false;
	}
	count = take_descriptors(&message, descriptors);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || count > PACKET_DESCRIPTORS) {
		while (count)
			kernel_close(descriptors[--count]);
		end(link, ERROR_LIMIT);
		return false;
	}
	if (length == 0) { /* nobody sends empty packets */
		end(link, 0);
		return false;
	}
	link->events->received(link->owner, slice_make(bytes, (size_t)length), descriptors, count);
	loop_run_tasks(link->loop);
	return link->source.fd >= 0;
}

static void on_readable(struct source *source, uint32_t events)
{
	struct packet_link *link = LIST_OF(source, struct packet_link, source);

	(void)events;
	while (read_one(link))
		;
}

static int link_new(struct loop *loop, int fd, struct packet_link **result)
{
	struct packet_link *link = memory_new(sizeof *link);
	int e;

	*link = (struct packet_link){ .source = { .ready = on_readable, .fd = fd }, .loop = loop };
	list_init(&link->source.link);
	e = loop_register(loop, &link->source, EPOLLIN);
	if (e) {
		memory_free(link);
		return e;
	}
	loop->others++;
	*result = link;
	return 0;
}

void packet_own(struct packet_link *link, const struct packet_events *events, void *owner)
{
	link->events = events;
	link->owner = owner;
}

/* "@name" is an abstract one (unix(7)): of a network namespace, not of a file system, and gone with the last that has it. */
static bool is_abstract(const char *path)
{
	return path[0] == '@';
}

static int name_of(const char *path, struct sockaddr_storage *result, socklen_t *length)
{
	struct sockaddr_un *name = (struct sockaddr_un *)result;
	int e = kernel_sockaddr_unix(path, result, length);

	if (e || !is_abstract(path))
		return e;
	if (!path[1])
		return ERROR_INVALID;
	name->sun_path[0] = '\0';
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	return 0;
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_storage name;
	socklen_t length;
	int e = name_of(path, &name, &length);

	if (e)
		return e;
	if (connect(fd, (const struct sockaddr *)&name, length) == 0)
		return 0;
	return errno == EPROTOTYPE ? ERROR_INVALID : kernel_error(errno);
}

int packet_connect(struct loop *loop, const char *path, const struct packet_events *events, void *owner, struct packet_link **result)
{
	int fd, e = kernel_socket(&unix_socket, SOCK_SEQPACKET, &fd);

	if (e)
		return e;
	e = connect_to(fd, path);
	if (!e)
		e = link_new(loop, fd, result);
	if (e) {
		close(fd);
		return e;
	}
	packet_own(*result, events, owner);
	return 0;
}

int packet_pair(struct loop *loop, const struct packet_events *events, void *owner, struct packet_link **result, int *theirs)
{
	int ends[2], e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return kernel_error(errno);
	e = link_new(loop, ends[0], result);
	if (e) {
		close(ends[0]);
		close(ends[1]);
		return e;
	}
	packet_own(*result, events, owner);
	*theirs = ends[1];
	return 0;
}

int packet_adopt(struct loop *loop, int descriptor, const struct packet_events *events, void *owner, struct packet_link **result)
{
	int type = 0, listens = 1, e = ERROR_INVALID;
	socklen_t length = sizeof type;

	if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
		getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && !listens &&
		fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0)
		e = link_new(loop, descriptor, result);
	if (!e)
		packet_own(*result, events, owner);
	return e;
}

int packet_send(struct packet_link *link, struct slice bytes, const int *descriptors, unsigned count)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.at, .iov_len = bytes.length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (link->ended)
		return ERROR_RESET;
	if (bytes.length == 0 || bytes.length > PACKET_BYTES || count > PACKET_DESCRIPTORS)
		return ERROR_LIMIT;
	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
	}
	return sendmsg(link->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? kernel_error(errno) : 0;
}

int packet_peer(const struct packet_link *link, struct stream_peer *peer)
{
	struct ucred who;
	socklen_t length = sizeof who;

	if (getsockopt(link->source.fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		return kernel_error(errno);
	*peer = (struct stream_peer){ .uid = who.uid, .gid = who.gid, .pid = (uint32_t)who.pid };
	return 0;
}

static void link_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct packet_link, source));
}

void packet_close(struct packet_link *link)
{
	if (!link)
		return;
	kernel_close(link->source.fd);
	link->loop->others--;
	loop_bury(link->loop, &link->source, link_gone);
}

/* ---- doors ---- */

static void on_knock(struct source *source, uint32_t events)
{
	struct packet_door *door = LIST_OF(source, struct packet_door, source);
	struct packet_link *link;
	int fd;

	(void)events;
	fd = accept4(door->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EAGAIN || errno == ECONNABORTED)
			return;
		loop_change(door->loop, &door->source, 0); /* no descriptors, no memory: it waits */
		timer_set(door->loop, &door->pause, clock_after(door->loop->now, accept_pause));
		return;
	}
	if (link_new(door->loop, fd, &link)) {
		close(fd);
		return;
	}
	door->came(door->owner, link);
}

static void on_pause_over(void *owner)
{
	struct packet_door *door = owner;

	loop_change(door->loop, &door->source, EPOLLIN);
}

static struct packet_door *door_new(int fd, const char *path)
{
	struct packet_door *door = memory_new(sizeof *door);

	*door = (struct packet_door){ .source = { .ready = on_knock, .fd = fd }, .path = memory_text(slice_of(path)) };
	list_init(&door->source.link);
	timer_init(&door->pause, on_pause_over, door);
	return door;
}

static int bind_abstract(int fd, const char *path)
{
	struct sockaddr_storage name;
	socklen_t length;
	int e = name_of(path, &name, &length);

	if (e)
		return e;
	return bind(fd, (const struct sockaddr *)&name, length) ? kernel_error(errno) : 0;
}

static void remove_path(const char *path)
{
	if (!is_abstract(path))
		unlink(path);
}

int packet_door_open(const char *path, unsigned mode, struct packet_door **result)
{
	int fd, e = kernel_socket(&unix_socket, SOCK_SEQPACKET, &fd);

	if (e)
		return e;
	e = is_abstract(path) ? bind_abstract(fd, path) : kernel_bind_unix(fd, path, mode);
	if (!e && listen(fd, DOOR_BACKLOG)) {
		e = kernel_error(errno);
		remove_path(path);
	}
	if (e) {
		close(fd);
		return e;
	}
	*result = door_new(fd, path);
	return 0;
}

/* It listens anew, for SO_PEERCRED is who listened last: the one that answers here from now on. */
int packet_door_adopt(int descriptor, const char *path, struct packet_door **result)
{
	int type = 0, listens = 0;
	socklen_t length = sizeof type;

	if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) || type != SOCK_SEQPACKET ||
		getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) || !listens || listen(descriptor, DOOR_BACKLOG)) {
		close(descriptor);
		return ERROR_INVALID;
	}
	*result = door_new(descriptor, path);
	return 0;
}

int packet_door_start(struct packet_door *door, struct loop *loop, void (*came)(void *owner, struct packet_link *link), void *owner)
{
	int e = loop_register(loop, &door->source, EPOLLIN);

	CHECK(!door->loop);
	if (e)
		return e;
	door->loop = loop;
	door->came = came;
	door->owner = owner;
	loop->others++;
	return 0;
}

int packet_door_descriptor(const struct packet_door *door)
{
	return door->source.fd;
}

static void door_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct packet_door, source));
}

/* Another process may have a copy of the descriptor, so closing ours doesn't take it from the loop. */
void packet_door_close(struct packet_door *door, bool keep)
{
	if (!door)
		return;
	if (!keep)
		remove_path(door->path);
	memory_free(door->path);
	if (!door->loop) {
		close(door->source.fd);
		memory_free(door);
		return;
	}
	timer_cancel(door->loop, &door->pause);
	loop_unregister(door->loop, &door->source);
	close(door->source.fd);
	door->loop->others--;
	loop_bury(door->loop, &door->source, door_gone);
}
