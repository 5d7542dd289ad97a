/* SPDX-License-Identifier: Apache-2.0 */
/* origin_h2 PORT BODY_BYTES plain|grpc|early: the fastest honest HTTP/2 origin that fits in a short file, for measuring what
 * stands before it. Cleartext with prior knowledge on 127.0.0.1.
 *
 *   plain  answers each request, when it has ended, with 200 and a body of BODY_BYTES
 *   grpc   the same as a gRPC message of BODY_BYTES, and trailers with grpc-status 0
 *   early  like plain, but the head comes with the request's: callers that don't end their requests hold streams open
 *
 * It reads frames, not fields: requests are answered whatever they ask (RFC 9113 sections 4 to 6). Heads use HPACK's dynamic
 * table, as real origins' do, unless the peer has made it smaller. It keeps the peer's windows. Requests that need
 * CONTINUATION, and peers that don't read what they asked for, are not what this measures: the connection is closed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 65536, FRAME_HEAD = 9, MAX_FRAME = 16384, INPUT = 65536, OUTPUT = 1 << 20, EVENTS = 256, WAITING = 4096, TABLE = 4096 };
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { HEAD_SENT = 1 }; /* a stream in the ring, shifted by one, and this */
enum { PREFACE = 24, CREDIT = 1 << 20 };

struct peer {
	int64_t window;        /* what it takes on the connection before it gives more */
	int64_t stream_window; /* and on a new stream */
	uint32_t table;        /* bytes of its decoder's dynamic table */
	uint32_t consumed;     /* of its request bodies, not yet given back as credit */
	bool indexed;          /* the fields of our head are in its table */
	bool greeted;
	uint32_t waiting[WAITING]; /* streams whose answers wait for the window: a ring */
	unsigned first, waits;
	size_t filled;
	unsigned char input[INPUT];
};

static struct peer *peers[MAX_FD];
static enum { PLAIN, GRPC, EARLY } mode;
static size_t body_bytes; /* of a DATA frame's payload */
static unsigned char output[OUTPUT];
static size_t filled;
static unsigned char body[MAX_FRAME];
static unsigned char first_head[128], later_head[8], literal_head[128];
static size_t first_length, later_length, literal_length;

static void put_frame_head(size_t length, int type, int flags, uint32_t stream)
{
	unsigned char *at = output + filled;
	const unsigned char head[FRAME_HEAD] = { (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length,
		(unsigned char)type, (unsigned char)flags, (unsigned char)(stream >> 24), (unsigned char)(stream >> 16),
		(unsigned char)(stream >> 8), (unsigned char)stream };
	memcpy(at, head, sizeof head);
	filled += FRAME_HEAD;
}

static void put(int type, int flags, uint32_t stream, const void *payload, size_t length)
{
	put_frame_head(length, type, flags, stream);
	if (length)
		memcpy(output + filled, payload, length);
	filled += length;
}

static void put_window_update(uint32_t stream, uint32_t bytes)
{
	uint32_t value = htonl(bytes);
	put(WINDOW_UPDATE, 0, stream, &value, 4);
}

/* One field, not Huffman-coded: with incremental indexing (RFC 7541 section 6.2.1), or without (6.2.2). */
static size_t put_field(unsigned char *at, bool index, const char *name, const char *value)
{
	size_t n = 0;
	at[n++] = index ? 0x40 : 0;
	at[n++] = (unsigned char)strlen(name);
	n += (size_t)sprintf((char *)at + n, "%s", name);
	at[n++] = (unsigned char)strlen(value);
	n += (size_t)sprintf((char *)at + n, "%s", value);
	return n;
}

static size_t put_fields(unsigned char *at, bool index)
{
	char length[16];
	size_t n = 0;
	at[n++] = 0x88; /* :status 200, by HPACK's static table */
	n += put_field(at + n, index, "server", "origin");
	n += put_field(at + n, index, "content-type", mode == GRPC ? "application/grpc" : "text/plain");
	snprintf(length, sizeof length, "%zu", body_bytes);
	if (mode != GRPC)
		n += put_field(at + n, index, "content-length", length);
	return n;
}

static void prepare(void)
{
	memset(body, 'x', sizeof body);
	if (mode == GRPC) { /* a message's flag and length */
		uint32_t length = htonl((uint32_t)(body_bytes));
		body[0] = 0;
		memcpy(body + 1, &length, 4);
		body_bytes += 5;
	}
	first_length = put_fields(first_head, true);
	literal_length = put_fields(literal_head, false);
	later_head[later_length++] = 0x88;
	for (int newest = 62, fields = mode == GRPC ? 2 : 3; fields > 0; fields--)
		later_head[later_length++] = (unsigned char)(0x80 | (newest + fields - 1));
}

static void put_head(struct peer *peer, uint32_t stream)
{
	if (peer->table < TABLE)
		put(HEADERS, END_HEADERS, stream, literal_head, literal_length);
	else if (peer->indexed)
		put(HEADERS, END_HEADERS, stream, later_head, later_length);
	else
		put(HEADERS, END_HEADERS, stream, first_head, first_length);
	peer->indexed = true;
}

static void put_answer(struct peer *peer, uint32_t stream, bool head_sent)
{
	static const unsigned char trailers[] = "\0\013grpc-status\0010";
	if (!head_sent)
		put_head(peer, stream);
	put(DATA, mode == GRPC ? 0 : END_STREAM, stream, body, body_bytes);
	peer->window -= (int64_t)body_bytes;
	if (mode == GRPC)
		put(HEADERS, END_HEADERS | END_STREAM, stream, trailers, sizeof trailers - 1);
}

/* Writes what was put. 0, or -1 if the peer doesn't take it. */
static int flush(int fd)
{
	size_t length = filled;
	filled = 0;
	return length == 0 || write(fd, output, length) == (ssize_t)length ? 0 : -1;
}

/* Answers as many of the waiting streams as the window allows. */
static int answer(int fd, struct peer *peer)
{
	while (peer->waits > 0 && peer->window >= (int64_t)body_bytes) {
		uint32_t one = peer->waiting[peer->first];
		put_answer(peer, one >> 1, one & HEAD_SENT);
		peer->first = (peer->first + 1) % WAITING;
		peer->waits--;
		if (filled > OUTPUT - 2 * MAX_FRAME && flush(fd))
			return -1;
	}
	return 0;
}

static int wait_for_answer(struct peer *peer, uint32_t stream, bool head_sent)
{
	if (peer->waits == WAITING || peer->stream_window < (int64_t)body_bytes)
		return -1;
	peer->waiting[(peer->first + peer->waits++) % WAITING] = stream << 1 | (head_sent ? HEAD_SENT : 0);
	return 0;
}

static int take_head(struct peer *peer, int flags, uint32_t stream)
{
	if (!(flags & END_HEADERS))
		return -1;
	if (flags & END_STREAM)
		return wait_for_answer(peer, stream, false);
	if (mode == EARLY)
		put_head(peer, stream);
	return 0;
}

static uint32_t number(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void take_settings(struct peer *peer, int flags, const unsigned char *payload, size_t length)
{
	if (flags & ACK)
		return;
	for (size_t at = 0; at + 6 <= length; at += 6) {
		unsigned key = (unsigned)payload[at] << 8 | payload[at + 1];
		if (key == 1)
			peer->table = number(payload + at + 2);
		else if (key == 4)
			peer->stream_window = number(payload + at + 2);
	}
	put(SETTINGS, ACK, 0, NULL, 0);
}

static int take_data(struct peer *peer, int flags, uint32_t stream, size_t length)
{
	peer->consumed += (uint32_t)length;
	if (peer->consumed >= CREDIT / 2) {
		put_window_update(0, peer->consumed);
		peer->consumed = 0;
	}
	return flags & END_STREAM ? wait_for_answer(peer, stream, mode == EARLY) : 0;
}

static int take_frame(struct peer *peer, const unsigned char *frame, size_t length)
{
	int type = frame[3], flags = frame[4];
	uint32_t stream = number(frame + 5) & 0x7fffffff;
	const unsigned char *payload = frame + FRAME_HEAD;
	switch (type) {
	case HEADERS:
		return take_head(peer, flags, stream);
	case DATA:
		return take_data(peer, flags, stream, length);
	case SETTINGS:
		take_settings(peer, flags, payload, length);
		return 0;
	case PING:
		if (!(flags & ACK))
			put(PING, ACK, 0, payload, length);
		return 0;
	case WINDOW_UPDATE:
		if (stream == 0)
			peer->window += number(payload) & 0x7fffffff;
		return 0;
	case CONTINUATION:
		return -1;
	default:
		return 0;
	}
}

static size_t take_preface(struct peer *peer)
{
	if (peer->filled < PREFACE)
		return 0;
	const unsigned char settings[] = { 0, 3, 0, 0, 16, 0, 0, 4, 0, 16, 0, 0 }; /* 4,096 streams; windows of 1 MiB */
	put(SETTINGS, 0, 0, settings, sizeof settings);
	put_window_update(0, CREDIT);
	peer->greeted = true;
	return PREFACE;
}

static int take_input(struct peer *peer)
{
	size_t at = peer->greeted ? 0 : take_preface(peer);
	while (peer->greeted && peer->filled - at >= FRAME_HEAD) {
		const unsigned char *frame = peer->input + at;
		size_t length = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
		if (length > MAX_FRAME)
			return -1;
		if (peer->filled - at < FRAME_HEAD + length)
			break;
		if (take_frame(peer, frame, length))
			return -1;
		at += FRAME_HEAD + length;
	}
	peer->filled -= at;
	memmove(peer->input, peer->input + at, peer->filled);
	return 0;
}

static void serve(int fd)
{
	struct peer *peer = peers[fd];
	ssize_t n = read(fd, peer->input + peer->filled, INPUT - peer->filled);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		peer->filled += (size_t)n;
	filled = 0;
	if (n <= 0 || take_input(peer) || answer(fd, peer) || flush(fd)) {
		free(peer);
		peers[fd] = NULL;
		close(fd);
	}
}

static void welcome(int fd, int loop)
{
	int one = 1;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	struct peer *peer = fd < MAX_FD ? calloc(1, sizeof *peer) : NULL;
	if (!peer) {
		close(fd);
		return;
	}
	peer->window = peer->stream_window = 65535;
	peer->table = TABLE;
	peers[fd] = peer;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int listener, int loop)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		welcome(fd, loop);
}

static int take_arguments(int argc, char **argv)
{
	if (argc != 4 || atoi(argv[2]) < 0 || atoi(argv[2]) > MAX_FRAME - 5)
		return -1;
	body_bytes = (size_t)atoi(argv[2]);
	if (strcmp(argv[3], "plain") == 0)
		mode = PLAIN;
	else if (strcmp(argv[3], "grpc") == 0)
		mode = GRPC;
	else if (strcmp(argv[3], "early") == 0)
		mode = EARLY;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	if (take_arguments(argc, argv)) {
		fprintf(stderr, "usage: origin_h2 PORT BODY_BYTES plain|grpc|early\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prepare();
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), loop = epoll_create1(EPOLL_CLOEXEC);
	struct sockaddr_in here = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((unsigned short)atoi(argv[1]))
	};
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (void *)&here, sizeof here) || listen(listener, 4096)) {
		perror("origin_h2");
		return 1;
	}
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[EVENTS];
	epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(loop, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener, loop);
			else
				serve(events[i].data.fd);
		}
	}
}
