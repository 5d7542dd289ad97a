/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets, connected; Linux picks their source ports at random. Level-triggered: they are few. */
#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/kernel/kernel.h"
#include "io/network.h"

enum { DATAGRAM_BYTES = 4096, AT_ONCE = 32 };

struct datagram {
	struct source source;
	struct loop *loop;
	const struct datagram_events *events;
	void *owner;
	struct address peer;
};

/* False when there is nothing more to read now, or the socket was closed. */
static bool receive_one(struct datagram *datagram)
{
	char bytes[DATAGRAM_BYTES];
	ssize_t n = recv(datagram->source.fd, bytes, sizeof bytes, MSG_TRUNC);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		if (datagram->events->failed)
			datagram->events->failed(datagram->owner, kernel_error(errno));
	} else {
		bool truncated = (size_t)n > sizeof bytes;
		struct slice received = slice_make(bytes, truncated ? sizeof bytes : (size_t)n);
		datagram->events->received(datagram->owner, &datagram->peer, received, truncated);
	}
	loop_run_tasks(datagram->loop);
	return datagram->source.fd >= 0;
}

static void on_readable(struct source *source, uint32_t events)
{
	struct datagram *datagram = LIST_OF(source, struct datagram, source);
	(void)events;
	for (int i = 0; i < AT_ONCE && receive_one(datagram); i++)
		;
}

int datagram_open(struct network *network, struct loop *loop, const struct address *peer, const struct datagram_events *events, void *owner,
	struct datagram **result)
{
	(void)network;
	struct sockaddr_storage name;
	socklen_t length = kernel_sockaddr(peer, &name);
	int fd, e = kernel_socket(peer, SOCK_DGRAM, &fd);
	if (e)
		return e;
	struct datagram *datagram = memory_new(sizeof *datagram);
	*datagram = (struct datagram){
		.source = { .ready = on_readable, .fd = fd },
		.loop = loop,
		.events = events,
		.owner = owner,
		.peer = *peer,
	};
	list_init(&datagram->source.link);
	if (connect(fd, (const struct sockaddr *)&name, length))
		e = kernel_error(errno);
	if (!e)
		e = loop_register(loop, &datagram->source, EPOLLIN);
	if (e) {
		close(fd);
		memory_free(datagram);
		return e;
	}
	loop->others++;
	*result = datagram;
	return 0;
}

int datagram_send(struct datagram *datagram, struct slice bytes)
{
	ssize_t n;
	do
		n = send(datagram->source.fd, bytes.at, bytes.length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? kernel_error(errno) : 0;
}

static void datagram_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct datagram, source));
}

void datagram_close(struct datagram *datagram)
{
	if (!datagram)
		return;
	close(datagram->source.fd);
	datagram->loop->others--;
	loop_bury(datagram->loop, &datagram->source, datagram_gone);
}
