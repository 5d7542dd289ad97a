/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over TCP sockets.
 *
 * A socket is registered once, edge-triggered, for reading and writing. `readable` remembers an edge until a read came
 * back short, which says that the socket is empty (epoll(7), question 9): so a message costs one recv and one send, and
 * pausing, resuming and waiting for room cost no system call at all. `hangup` says that an end or an error lies behind
 * the bytes; then reading goes on until it is met.
 *
 *	CONNECTING ──▶ OPEN ──▶ FAILED ──▶ CLOSED        finish, ended: flags of OPEN
 *	                 └────▶ LINGERING ──▶ CLOSED     close from anywhere
 */
#include "io/kernel/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

enum { MAX_PIECES = 64, MAX_WAITING = 1 << 20 };
enum { LINGER_BYTES = 64 * 1024 };
static const int64_t linger_read_time = CLOCK_SECOND;      /* after our FIN */
static const int64_t linger_send_time = 10 * CLOCK_SECOND; /* without a byte of progress */

enum tcp_state { CONNECTING, OPEN, FAILED, LINGERING, CLOSED };

struct tcp_waiting {
	struct tcp_waiting *next;
	struct piece piece;
};

struct tcp {
	struct stream stream;
	struct source source;
	uint8_t state; /* enum tcp_state */
	bool paused;
	bool readable; /* an edge said so, and no short read since */
	bool hangup;   /* ... and the last of it is an end or an error */
	bool ended;    /* the peer's FIN was read */
	bool finish;   /* a FIN is wanted behind what waits */
	bool finished; /* it is sent, or at least shut down */
	bool drain;    /* the owner waits for `drained` */
	int broken;    /* the error that `failed` will tell */
	struct tcp_waiting *first, *last;
	size_t waiting; /* bytes in that queue */
	union {
		struct task notice;  /* CONNECTING, OPEN: tells what a call has found out */
		struct timer linger; /* LINGERING */
	};
	struct list lingering;
	size_t dropped; /* bytes read and dropped while lingering */
	struct address remote;
};

static const struct stream_ops tcp_ops;
static void tcp_ready(struct source *source, uint32_t events);
static void tcp_linger_ready(struct tcp *tcp, uint32_t events);

void tcp_pools_init(struct loop *loop, uint32_t max_streams)
{
	pool_init(&loop->streams, "stream", sizeof(struct tcp), max_streams);
	pool_init(&loop->waiting, "waiting piece", sizeof(struct tcp_waiting), MAX_WAITING);
}

static void tcp_gone(struct loop *loop, struct source *source)
{
	pool_put(&loop->streams, LIST_OF(source, struct tcp, source));
}

/* Sending */

static bool enqueue(struct tcp *tcp, const struct piece *piece)
{
	struct tcp_waiting *node = pool_get(&tcp->stream.loop->waiting);
	if (!node)
		return false;
	*node = (struct tcp_waiting){ .piece = *piece };
	if (tcp->first)
		tcp->last->next = node;
	else
		tcp->first = node;
	tcp->last = node;
	tcp->waiting += piece->length;
	return true;
}

static void dequeue(struct tcp *tcp)
{
	struct tcp_waiting *node = tcp->first;
	tcp->first = node->next;
	tcp->waiting -= node->piece.length;
	piece_release(&node->piece);
	pool_put(&tcp->stream.loop->waiting, node);
}

static void drop_queue(struct tcp *tcp)
{
	while (tcp->first)
		dequeue(tcp);
}

static void release_all(const struct piece *pieces, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].buffer)
			buffer_unref(pieces[i].buffer);
}

/* What we send is lost, so the queue goes. The owner is told by a task, after what can still be read. */
static void break_sending(struct tcp *tcp, int error)
{
	drop_queue(tcp);
	if (tcp->broken)
		return;
	tcp->broken = error;
	task_set(tcp->stream.loop, &tcp->notice);
}

static ssize_t send_vector(int fd, struct iovec *vector, unsigned count)
{
	struct msghdr message = { .msg_iov = vector, .msg_iovlen = count };
	ssize_t n;
	if (count == 1)
		do
			n = send(fd, vector->iov_base, vector->iov_len, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
	else
		do
			n = sendmsg(fd, &message, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
	return n;
}

static __attribute__((noinline)) ssize_t send_many(int fd, const struct piece *pieces, unsigned count)
{
	struct iovec vector[MAX_PIECES];
	unsigned used = 0;
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].length)
			vector[used++] = (struct iovec){ (void *)(uintptr_t)pieces[i].at, pieces[i].length };
	return used ? send_vector(fd, vector, used) : 0;
}

/* Bytes that the kernel took (0 when it has no room), or a negative error. */
static ssize_t send_pieces(struct tcp *tcp, const struct piece *pieces, unsigned count)
{
	ssize_t n;
	if (count == 1 && pieces->length) {
		struct iovec vector = { (void *)(uintptr_t)pieces->at, pieces->length };
		n = send_vector(tcp->source.fd, &vector, 1);
	} else {
		n = send_many(tcp->source.fd, pieces, count);
	}
	if (__builtin_expect(n >= 0, 1))
		return n;
	return errno == EAGAIN ? 0 : kernel_error(errno);
}

/* Queues the pieces from byte `sent` on, and gives back those before. */
static void keep_rest(struct tcp *tcp, const struct piece *pieces, unsigned count, size_t sent)
{
	unsigned i = 0;
	for (; i < count && sent >= pieces[i].length; i++)
		sent -= pieces[i].length;
	release_all(pieces, i);
	for (; i < count; i++) {
		struct piece piece = { pieces[i].buffer, pieces[i].at + sent, pieces[i].length - sent };
		sent = 0;
		if (!piece.length) {
			piece_release(&piece);
		} else if (!enqueue(tcp, &piece)) {
			release_all(pieces + i, count - i);
			break_sending(tcp, ERROR_LIMIT);
			return;
		}
	}
	tcp->drain = tcp->waiting > 0;
}

static size_t tcp_take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	struct tcp *tcp = (struct tcp *)stream;
	CHECK(count <= MAX_PIECES);
	if (__builtin_expect(tcp->state > OPEN || tcp->broken || tcp->finish, 0)) {
		release_all(pieces, count);
		return 0;
	}
	if (tcp->first || tcp->state != OPEN) {
		keep_rest(tcp, pieces, count, 0);
		return tcp->waiting;
	}
	ssize_t sent = send_pieces(tcp, pieces, count);
	if (__builtin_expect(sent < 0, 0)) {
		release_all(pieces, count);
		break_sending(tcp, (int)sent);
		return 0;
	}
	keep_rest(tcp, pieces, count, (size_t)sent);
	return tcp->waiting;
}

static void shut_down(struct tcp *tcp)
{
	if (tcp->finished)
		return;
	tcp->finished = true;
	if (shutdown(tcp->source.fd, SHUT_WR) && errno != ENOTCONN && tcp->state == OPEN)
		break_sending(tcp, kernel_error(errno));
}

/* Sends what waits. 0 also when the kernel has no room; else a negative error. */
static int flush(struct tcp *tcp)
{
	while (tcp->first) {
		struct iovec vector[MAX_PIECES];
		unsigned count = 0;
		size_t bytes = 0;
		for (struct tcp_waiting *node = tcp->first; node && count < MAX_PIECES; node = node->next) {
			vector[count++] = (struct iovec){ (void *)(uintptr_t)node->piece.at, node->piece.length };
			bytes += node->piece.length;
		}
		ssize_t n = send_vector(tcp->source.fd, vector, count);
		if (n < 0)
			return errno == EAGAIN ? 0 : kernel_error(errno);
		bool all = (size_t)n == bytes;
		while (tcp->first && (size_t)n >= tcp->first->piece.length) {
			n -= (ssize_t)tcp->first->piece.length;
			dequeue(tcp);
		}
		if (n) {
			tcp->first->piece.at += n;
			tcp->first->piece.length -= (size_t)n;
			tcp->waiting -= (size_t)n;
		}
		if (!all)
			return 0;
	}
	return 0;
}

static void tcp_finish(struct stream *stream)
{
	struct tcp *tcp = (struct tcp *)stream;
	if (tcp->state > OPEN || tcp->broken || tcp->finish)
		return;
	tcp->finish = true;
	if (tcp->state == OPEN && !tcp->first)
		shut_down(tcp);
}

/* Telling the owner. Each of these may close the stream. */

static void tell_failed(struct tcp *tcp, int error)
{
	struct stream *stream = &tcp->stream;
	drop_queue(tcp);
	task_cancel(stream->loop, &tcp->notice);
	list_remove(&tcp->source.link);
	tcp->state = FAILED;
	tcp->broken = error;
	if (stream->events && stream->events->failed)
		stream->events->failed(stream->owner, error);
}

static void tell_ended(struct tcp *tcp)
{
	tcp->ended = true;
	tcp->readable = false;
	if (tcp->stream.events->ended)
		tcp->stream.events->ended(tcp->stream.owner);
}

/* Reading */

enum reading {
	READ_SHORT, /* fewer bytes than fit */
	READ_FULL,
	READ_OVER, /* nothing there, ended, failed or starved */
};

/* One recv and one event. */
static enum reading read_once(struct tcp *tcp)
{
	struct loop *loop = tcp->stream.loop;
	struct buffer *buffer = buffer_get(&loop->buffers);
	if (!buffer) {
		loop_starve(loop, &tcp->source);
		return READ_OVER;
	}
	ssize_t n;
	do
		n = recv(tcp->source.fd, buffer->bytes, buffer->capacity, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		bool full = (uint32_t)n == buffer->capacity;
		buffer->filled = (uint32_t)n;
		tcp->readable = full || tcp->hangup;
		tcp->stream.events->received(tcp->stream.owner, buffer);
		return full ? READ_FULL : READ_SHORT;
	}
	int number = errno;
	buffer_unref(buffer);
	if (n < 0 && number == EAGAIN) {
		tcp->readable = false;
		return READ_OVER;
	}
	if (tcp->broken || n < 0)
		tell_failed(tcp, tcp->broken ? tcp->broken : kernel_error(number));
	else
		tell_ended(tcp);
	return READ_OVER;
}

static bool may_read(const struct tcp *tcp)
{
	return tcp->readable && !tcp->paused && !tcp->ended && tcp->state == OPEN && !tcp->broken;
}

static void read_some(struct tcp *tcp)
{
	while (may_read(tcp)) {
		enum reading reading = read_once(tcp);
		if (reading == READ_OVER)
			return;
		loop_run_tasks(tcp->stream.loop);
		if (reading == READ_FULL)
			break;
	}
	if (may_read(tcp)) /* a full buffer: the rest in the next turn, after the others */
		loop_again(tcp->stream.loop, &tcp->source);
}

static int pending_error(const struct tcp *tcp)
{
	int number = 0;
	socklen_t length = sizeof number;
	if (getsockopt(tcp->source.fd, SOL_SOCKET, SO_ERROR, &number, &length))
		return kernel_error(errno);
	return kernel_error(number);
}

/* What a call has found out, told from the loop: a connection made at once, or a broken one. Of the latter all is still
 * read that has arrived (an answer that came before the break), unless the owner doesn't want to read. */
static void tcp_notice(void *owner)
{
	struct tcp *tcp = owner;
	struct stream *stream = &tcp->stream;
	if (!tcp->broken) {
		if (stream->events && stream->events->connected)
			stream->events->connected(stream->owner);
		return;
	}
	if (tcp->state == OPEN && !tcp->paused && !tcp->ended) {
		enum reading reading = read_once(tcp);
		if (reading != READ_OVER && tcp->state == OPEN)
			task_set(stream->loop, &tcp->notice);
		if (reading != READ_OVER || tcp->state != OPEN)
			return;
	}
	tell_failed(tcp, tcp->broken);
}

static void on_connecting(struct tcp *tcp, uint32_t events)
{
	struct stream *stream = &tcp->stream;
	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	int e = pending_error(tcp);
	if (e || (events & (EPOLLERR | EPOLLHUP))) {
		tell_failed(tcp, e ? e : ERROR_RESET);
		return;
	}
	tcp->state = OPEN;
	if (stream->events && stream->events->connected)
		stream->events->connected(stream->owner);
	loop_run_tasks(stream->loop);
}

static void on_writable(struct tcp *tcp)
{
	struct stream *stream = &tcp->stream;
	int e = flush(tcp);
	if (e) {
		break_sending(tcp, e);
		return;
	}
	if (tcp->first)
		return;
	if (tcp->finish)
		shut_down(tcp);
	if (tcp->drain && !tcp->broken) {
		tcp->drain = false;
		if (stream->events && stream->events->drained)
			stream->events->drained(stream->owner);
	}
	loop_run_tasks(stream->loop);
}

static void tcp_ready(struct source *source, uint32_t events)
{
	struct tcp *tcp = LIST_OF(source, struct tcp, source);
	if (__builtin_expect(tcp->state != OPEN, 0)) {
		if (tcp->state == LINGERING)
			tcp_linger_ready(tcp, events);
		else if (tcp->state == CONNECTING && !tcp->broken)
			on_connecting(tcp, events);
		if (tcp->state != OPEN)
			return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		tcp->readable = true;
		if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			tcp->hangup = true;
	}
	if (__builtin_expect(tcp->first != NULL, 0) && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		on_writable(tcp);
	read_some(tcp);
	/* Who doesn't read isn't told of an end, but of a break. */
	if (__builtin_expect(events & EPOLLERR, 0) && tcp->state == OPEN && !tcp->broken && (tcp->paused || tcp->ended)) {
		int e = pending_error(tcp);
		if (e)
			tell_failed(tcp, e);
	}
}

static void tcp_pause(struct stream *stream)
{
	((struct tcp *)stream)->paused = true;
}

static void tcp_resume(struct stream *stream)
{
	struct tcp *tcp = (struct tcp *)stream;
	tcp->paused = false;
	if (may_read(tcp))
		loop_again(stream->loop, &tcp->source);
}

/* Closing */

static void set_reset_on_close(struct tcp *tcp)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	(void)!setsockopt(tcp->source.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

/* Bytes that are dropped must not look like an orderly end to the peer, so it is sent a reset instead of a FIN. */
static void bury(struct tcp *tcp)
{
	if (tcp->first) {
		set_reset_on_close(tcp);
		drop_queue(tcp);
	}
	if (tcp->state == LINGERING) {
		timer_cancel(tcp->stream.loop, &tcp->linger);
		list_remove(&tcp->lingering);
	}
	tcp->state = CLOSED;
	close(tcp->source.fd);
	loop_bury(tcp->stream.loop, &tcp->source, tcp_gone);
}

static void on_linger_over(void *owner)
{
	bury(owner);
}

static void tcp_close(struct stream *stream, enum stream_closing how)
{
	struct tcp *tcp = (struct tcp *)stream;
	CHECK(tcp->state == CONNECTING || tcp->state == OPEN || tcp->state == FAILED);
	stream->events = NULL;
	task_cancel(stream->loop, &tcp->notice);
	list_remove(&tcp->source.link);
	if (how == STREAM_RESET)
		set_reset_on_close(tcp);
	if (how != STREAM_LINGER || tcp->state != OPEN || tcp->broken || (tcp->ended && !tcp->first)) {
		bury(tcp);
		return;
	}
	tcp->state = LINGERING;
	tcp->finish = true;
	timer_init(&tcp->linger, on_linger_over, tcp);
	list_append(&stream->loop->lingering, &tcp->lingering);
	if (!tcp->first)
		shut_down(tcp);
	timer_set(stream->loop, &tcp->linger, clock_after(stream->loop->now, tcp->first ? linger_send_time : linger_read_time));
	loop_again(stream->loop, &tcp->source);
}

/* True when nothing more is to come from the peer, or too much. MSG_TRUNC: dropped without being copied (tcp(7)). */
static bool drop_input(struct tcp *tcp)
{
	while (tcp->dropped <= LINGER_BYTES) {
		ssize_t n = recv(tcp->source.fd, NULL, LINGER_BYTES, MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0)
			return true;
		tcp->dropped += (size_t)n;
	}
	return true;
}

static void tcp_linger_ready(struct tcp *tcp, uint32_t events)
{
	struct loop *loop = tcp->stream.loop;
	size_t before = tcp->waiting;
	if (tcp->first && (flush(tcp) || (events & EPOLLERR))) {
		bury(tcp);
		return;
	}
	if (tcp->waiting < before)
		timer_set(loop, &tcp->linger, clock_after(loop->now, tcp->first ? linger_send_time : linger_read_time));
	if (!tcp->first)
		shut_down(tcp);
	if (drop_input(tcp) && !tcp->first)
		bury(tcp);
}

void tcp_drop_lingering(struct loop *loop)
{
	struct list *link;
	while ((link = list_first(&loop->lingering)))
		bury(LIST_OF(link, struct tcp, lingering));
}

/* Making */

static void tcp_addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	const struct tcp *tcp = (const struct tcp *)stream;
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;
	if (remote)
		*remote = tcp->remote;
	if (local) {
		if (getsockname(tcp->source.fd, (struct sockaddr *)&name, &length))
			name.ss_family = AF_UNSPEC;
		kernel_address(&name, local);
	}
}

/* After 3 retransmissions, that is 1.4 s at the least: what is outstanding may have been sent only just now, behind a long silence in which
 * there was nothing to acknowledge. */
static int64_t tcp_silence(const struct stream *stream)
{
	enum { MANY = 3 };
	const struct tcp *tcp = (const struct tcp *)stream;
	struct tcp_info state = { 0 };
	socklen_t length = sizeof state;

	if (getsockopt(tcp->source.fd, IPPROTO_TCP, TCP_INFO, &state, &length) || state.tcpi_unacked == 0 || state.tcpi_retransmits < MANY)
		return 0;
	return (int64_t)state.tcpi_last_ack_recv * CLOCK_MS;
}

static int tcp_peer(const struct stream *stream, struct stream_peer *peer)
{
	const struct tcp *tcp = (const struct tcp *)stream;
	struct ucred who;
	socklen_t length = sizeof who;
	if (tcp->remote.family != ADDRESS_UNIX)
		return ERROR_UNSUPPORTED;
	if (getsockopt(tcp->source.fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		return kernel_error(errno);
	*peer = (struct stream_peer){ .uid = who.uid, .gid = who.gid, .pid = (uint32_t)who.pid };
	return 0;
}

static const struct stream_ops tcp_ops = {
	.take = tcp_take,
	.pause = tcp_pause,
	.resume = tcp_resume,
	.finish = tcp_finish,
	.close = tcp_close,
	.addresses = tcp_addresses,
	.silence = tcp_silence,
	.peer = tcp_peer,
};

static int tcp_new(struct loop *loop, int fd, const struct address *remote, enum tcp_state state, struct tcp **result)
{
	bool limit = loop->streams.max && loop->streams.in_use >= loop->streams.max;
	struct tcp *tcp = pool_get(&loop->streams);
	if (!tcp)
		return limit ? ERROR_LIMIT : ERROR_NO_MEMORY;
	*tcp = (struct tcp){
		.stream = { .ops = &tcp_ops, .loop = loop },
		.source = { .ready = tcp_ready, .fd = fd },
		.state = (uint8_t)state,
		.paused = true,
		.remote = *remote,
	};
	task_init(&tcp->notice, tcp_notice, tcp);
	list_init(&tcp->source.link);
	list_init(&tcp->lingering);
	int e = loop_register(loop, &tcp->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	if (e) {
		pool_put(&loop->streams, tcp);
		return e;
	}
	*result = tcp;
	return 0;
}

int tcp_accepted(struct loop *loop, int fd, const struct address *remote, struct stream **stream)
{
	struct tcp *tcp;
	int e = tcp_new(loop, fd, remote, OPEN, &tcp);
	if (e) {
		close(fd);
		return e;
	}
	*stream = &tcp->stream;
	return 0;
}

/* The kernel's answer to connect(2): 0 made, 1 under way, or an error. */
static int start_connect(int fd, const struct address *remote)
{
	struct sockaddr_storage name;
	socklen_t length = kernel_sockaddr(remote, &name);
	if (connect(fd, (const struct sockaddr *)&name, length) == 0)
		return 0;
	if (errno == EINPROGRESS || errno == EINTR)
		return 1;
	if (errno == EADDRNOTAVAIL || errno == EAGAIN) /* no local port is free */
		return ERROR_LIMIT;
	return kernel_error(errno);
}

int tcp_connecting(struct loop *loop, int fd, const struct address *remote, struct stream **stream)
{
	return tcp_started(loop, fd, remote, start_connect(fd, remote), stream);
}

int tcp_started(struct loop *loop, int fd, const struct address *remote, int answer, struct stream **stream)
{
	struct tcp *tcp;
	int e = tcp_new(loop, fd, remote, answer == 0 ? OPEN : CONNECTING, &tcp);
	if (e) {
		close(fd);
		return e;
	}
	if (answer < 0)
		tcp->broken = answer;
	if (answer <= 0)
		task_set(loop, &tcp->notice);
	*stream = &tcp->stream;
	return 0;
}
