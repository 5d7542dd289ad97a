/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over real sockets on loopback: both ends in one loop, or one end a raw socket where a peer must misbehave. */
#include "unit/io/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end, and all that was told to it. */
struct end {
	struct stream *stream;
	struct end *peer;
	size_t received;
	uint64_t sum;  /* of the bytes received, each with its place */
	char text[64]; /* the first of them */
	bool connected, ended, drained, failed, got_some;
	unsigned drains, events;
	int error;
	bool echo, close_on_received, close_peer_on_received, close_on_failed;
	size_t wanted; /* got_all is set when so many have come */
	bool got_all;
};

static void on_connected(void *owner)
{
	struct end *end = owner;
	assert_false(end->connected);
	assert_int_equal(end->events++, 0); /* before anything else */
	end->connected = true;
}

static uint64_t sum_of(uint64_t sum, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static void on_received(void *owner, struct buffer *buffer)
{
	struct end *end = owner;
	assert_non_null(end->stream);
	assert_false(end->ended || end->failed);
	assert_true(buffer->filled > 0 && buffer->filled <= buffer->capacity);
	end->events++;
	end->sum = sum_of(end->sum, buffer->bytes, buffer->filled);
	for (size_t i = 0; i < buffer->filled && end->received + i < sizeof end->text - 1; i++)
		end->text[end->received + i] = buffer->bytes[i];
	end->received += buffer->filled;
	end->got_some = true;
	end->got_all = end->wanted && end->received >= end->wanted;
	if (end->echo) {
		struct piece piece = { buffer, buffer->bytes, buffer->filled };
		if (stream_take(end->stream, &piece, 1) > 0)
			stream_pause(end->stream);
	} else {
		buffer_unref(buffer);
	}
	if (end->close_peer_on_received) {
		stream_close(end->peer->stream);
		end->peer->stream = NULL;
	}
	if (end->close_on_received) {
		stream_close(end->stream);
		end->stream = NULL;
	}
}

static void on_ended(void *owner)
{
	struct end *end = owner;
	assert_non_null(end->stream);
	assert_false(end->ended || end->failed);
	end->events++;
	end->ended = true;
}

static void on_drained(void *owner)
{
	struct end *end = owner;
	assert_non_null(end->stream);
	assert_false(end->failed);
	end->events++;
	end->drained = true;
	end->drains++;
	if (end->echo)
		stream_resume(end->stream);
}

static void on_failed(void *owner, int error)
{
	struct end *end = owner;
	assert_non_null(end->stream);
	assert_false(end->failed);
	end->events++;
	end->failed = true;
	end->error = error;
	if (end->close_on_failed) {
		stream_close(end->stream);
		end->stream = NULL;
	}
}

static const struct stream_events end_events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

static void own(struct end *end, struct stream *stream)
{
	*end = (struct end){ .stream = stream };
	stream_own(stream, &end_events, end);
}

static void close_end(struct end *end)
{
	if (end->stream)
		stream_close(end->stream);
	end->stream = NULL;
}

/* Two connected ends: the client is reading, the server still paused. */
struct two {
	struct rig *rig;
	struct end client, server;
};

static void connect_two(struct two *two, const struct loop_options *options)
{
	struct stream *stream;
	*two = (struct two){ .rig = rig_new(options) };
	rig_listen(two->rig);
	assert_int_equal(network_connect(network_host(), two->rig->loop, &two->rig->address, NULL, &stream), 0);
	own(&two->client, stream);
	assert_true(rig_until(two->rig, &two->client.connected));
	rig_accept(two->rig, 1);
	own(&two->server, two->rig->accepted[0]);
	two->client.peer = &two->server;
	two->server.peer = &two->client;
	stream_resume(two->client.stream);
}

static void free_two(struct two *two)
{
	close_end(&two->client);
	close_end(&two->server);
	rig_free(two->rig);
}

static void send_text(struct end *end, const char *text)
{
	struct piece piece = { NULL, text, strlen(text) };
	assert_int_equal(stream_take(end->stream, &piece, 1), 0);
}

static const struct loop_options defaults = { .name = "test" };

static void echoes(void **state)
{
	(void)state;
	struct two two;
	struct address client_local, client_remote, server_local, server_remote;
	connect_two(&two, &defaults);
	stream_addresses(two.client.stream, &client_local, &client_remote);
	stream_addresses(two.server.stream, &server_local, &server_remote);
	assert_null(stream_security(two.client.stream));
	assert_null(stream_security(two.server.stream));
	assert_true(address_equal(&client_local, &server_remote));
	assert_true(address_equal(&client_remote, &server_local));
	assert_true(address_equal(&client_remote, &two.rig->address));
	two.server.echo = true;
	stream_resume(two.server.stream);
	send_text(&two.client, "ping");
	assert_true(rig_until(two.rig, &two.client.got_some));
	assert_string_equal(two.client.text, "ping");
	assert_int_equal(loop_buffers(two.rig->loop)->in_use, 0);
	free_two(&two);
}

static void sends_pieces_in_order(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	struct buffer *buffer = buffer_get(loop_buffers(two.rig->loop));
	memcpy(buffer->bytes, "abcdefgh", 8);
	struct piece pieces[] = {
		{ NULL, "<", 1 },
		piece_of(buffer, buffer->bytes, 3),
		{ NULL, "", 0 },
		piece_of(buffer, buffer->bytes + 5, 3),
		{ NULL, ">", 1 },
	};
	buffer_unref(buffer);
	two.server.wanted = 8;
	stream_resume(two.server.stream);
	assert_int_equal(stream_take(two.client.stream, pieces, 5), 0);
	assert_int_equal(loop_buffers(two.rig->loop)->in_use, 0);
	assert_true(rig_until(two.rig, &two.server.got_all));
	assert_string_equal(two.server.text, "<abcfgh>");
	free_two(&two);
}

/* Nothing is read before the owner resumes, nor while it pauses; nothing is lost by it. */
static void paused_streams_do_not_deliver(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	send_text(&two.client, "one");
	rig_turns(two.rig, 5);
	assert_int_equal(two.server.received, 0);
	stream_resume(two.server.stream);
	assert_true(rig_until(two.rig, &two.server.got_some));
	stream_pause(two.server.stream);
	send_text(&two.client, "two");
	rig_turns(two.rig, 5);
	assert_int_equal(two.server.received, 3);
	stream_resume(two.server.stream);
	stream_pause(two.server.stream); /* taken back before the loop ran */
	rig_turns(two.rig, 5);
	assert_int_equal(two.server.received, 3);
	two.server.wanted = 6;
	stream_resume(two.server.stream);
	assert_true(rig_until(two.rig, &two.server.got_all));
	assert_string_equal(two.server.text, "onetwo");
	free_two(&two);
}

enum { BIG = 8 * 1024 * 1024, STEP = 8192 };

struct source_of_bytes {
	struct two *two;
	size_t sent;
	uint64_t sum;
	size_t most_waiting;
	uint32_t most_buffers;
	bool done;
	struct timer read_slowly;
};

static char next_byte(size_t place)
{
	return (char)(place * 7 + place / 251);
}

/* Takes until the stream says that it has something waiting, in two buffers' pieces at a time. */
static void pump(struct source_of_bytes *source)
{
	struct loop *loop = source->two->rig->loop;
	size_t waiting = 0;
	while (source->sent < BIG && !waiting) {
		struct piece pieces[2];
		for (int i = 0; i < 2; i++) {
			struct buffer *buffer = buffer_get(loop_buffers(loop));
			assert_non_null(buffer);
			for (size_t j = 0; j < STEP; j++)
				buffer->bytes[j] = next_byte(source->sent + j);
			source->sum = sum_of(source->sum, buffer->bytes, STEP);
			source->sent += STEP;
			pieces[i] = (struct piece){ buffer, buffer->bytes, STEP };
		}
		waiting = stream_take(source->two->client.stream, pieces, 2);
	}
	if (waiting > source->most_waiting)
		source->most_waiting = waiting;
	if (loop_buffers(loop)->in_use > source->most_buffers)
		source->most_buffers = loop_buffers(loop)->in_use;
}

/* One read at a time: resumes, and pauses again as soon as something came. */
static void read_slowly(void *owner)
{
	struct source_of_bytes *source = owner;
	struct two *two = source->two;
	if (two->client.drained) {
		two->client.drained = false;
		pump(source);
	}
	if (two->server.got_some) {
		stream_pause(two->server.stream);
		two->server.got_some = false;
	} else {
		stream_resume(two->server.stream);
	}
	source->done = two->server.received == BIG;
	if (!source->done)
		timer_set(two->rig->loop, &source->read_slowly, loop_now(two->rig->loop));
}

static void a_slow_reader_holds_the_sender(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	struct source_of_bytes source = { .two = &two };
	timer_init(&source.read_slowly, read_slowly, &source);
	pump(&source);
	rig_turns(two.rig, 20);
	assert_true(source.sent < BIG); /* the reader is paused: the kernel's buffers are full, and ours don't grow */
	assert_in_range(source.most_waiting, 1, 2 * STEP);
	timer_set(two.rig->loop, &source.read_slowly, loop_now(two.rig->loop));
	assert_true(rig_until(two.rig, &source.done));
	assert_int_equal(source.sent, BIG);
	assert_true(two.server.sum == source.sum);
	assert_true(two.client.drains > 0);
	assert_in_range(source.most_buffers, 1, 4);
	assert_int_equal(loop_buffers(two.rig->loop)->in_use, 0);
	free_two(&two);
}

static void pump_some(struct source_of_bytes *source, unsigned turns)
{
	struct end *client = &source->two->client;
	while (turns-- && !client->got_all) {
		if (source->sent == 0 || client->drained) {
			client->drained = false;
			pump(source);
		}
		rig_turns(source->two->rig, 1);
	}
}

/* Everything comes back though the sender doesn't read for a while, and what we hold meanwhile stays small. */
static void echo_with_back_pressure_is_bounded(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	struct source_of_bytes source = { .two = &two };
	two.server.echo = true;
	two.client.wanted = BIG;
	stream_resume(two.server.stream);
	stream_pause(two.client.stream);
	pump_some(&source, 50);
	assert_int_equal(two.client.received, 0);
	stream_resume(two.client.stream);
	pump_some(&source, 20000);
	assert_int_equal(two.client.received, BIG);
	assert_true(two.client.sum == source.sum);
	assert_in_range(loop_buffers(two.rig->loop)->peak, 1, 8);
	free_two(&two);
}

static void half_close_works_both_ways(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	send_text(&two.client, "question");
	stream_finish(two.client.stream);
	stream_resume(two.server.stream);
	assert_true(rig_until(two.rig, &two.server.ended));
	assert_string_equal(two.server.text, "question");
	assert_false(two.client.ended);
	send_text(&two.server, "answer");
	assert_true(rig_until(two.rig, &two.client.got_some));
	assert_string_equal(two.client.text, "answer");
	stream_finish(two.server.stream);
	assert_true(rig_until(two.rig, &two.client.ended));
	rig_turns(two.rig, 3);
	assert_false(two.client.failed || two.server.failed);
	struct piece late = { NULL, "late", 4 };
	assert_int_equal(stream_take(two.client.stream, &late, 1), 0); /* behind the FIN: dropped */
	free_two(&two);
}

/* The FIN comes behind everything that was taken, though the kernel could not take it all. */
static void finish_waits_for_what_was_taken(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	struct source_of_bytes source = { .two = &two };
	pump(&source);
	size_t sent = source.sent;
	stream_finish(two.client.stream);
	rig_turns(two.rig, 3);
	stream_resume(two.server.stream);
	assert_true(rig_until(two.rig, &two.server.ended));
	assert_int_equal(two.server.received, sent);
	assert_true(two.server.sum == source.sum);
	assert_true(two.client.drained);
	free_two(&two);
}

static int raw_listener(struct address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(address_parse(SLICE("127.0.0.1"), ntohs(name.sin_port), address), 0);
	return fd;
}

static int raw_connect(const struct address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(address->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static void raw_reset(int fd)
{
	struct linger hard = { 1, 0 };
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
	close(fd);
}

/* A rig whose one accepted stream has a raw socket as its peer. */
struct raw {
	struct rig *rig;
	struct end end;
	int fd;
};

static void connect_raw(struct raw *raw, const struct loop_options *options)
{
	*raw = (struct raw){ .rig = rig_new(options) };
	rig_listen(raw->rig);
	raw->fd = raw_connect(&raw->rig->address);
	rig_accept(raw->rig, 1);
	own(&raw->end, raw->rig->accepted[0]);
}

static void free_raw(struct raw *raw)
{
	close_end(&raw->end);
	if (raw->fd >= 0)
		close(raw->fd);
	rig_free(raw->rig);
}

static void connecting_to_nobody_is_refused(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct address address;
	struct stream *stream;
	struct end end;
	close(raw_listener(&address));
	assert_int_equal(network_connect(network_host(), rig->loop, &address, NULL, &stream), 0);
	own(&end, stream);
	struct buffer *buffer = buffer_get(loop_buffers(rig->loop));
	struct piece piece = { buffer, buffer->bytes, 10 };
	assert_int_equal(stream_take(stream, &piece, 1), 10);
	assert_int_equal(end.events, 0); /* never from inside a call */
	assert_true(rig_until(rig, &end.failed));
	assert_int_equal(end.error, ERROR_REFUSED);
	assert_int_equal(end.events, 1);
	assert_int_equal(loop_buffers(rig->loop)->in_use, 0);
	buffer = buffer_get(loop_buffers(rig->loop));
	piece = (struct piece){ buffer, buffer->bytes, 10 };
	assert_int_equal(stream_take(stream, &piece, 1), 0); /* drops */
	assert_int_equal(loop_buffers(rig->loop)->in_use, 0);
	close_end(&end);
	rig_free(rig);
}

static void a_refused_stream_may_be_closed_in_its_last_event(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct address address;
	struct stream *stream;
	struct end end;
	close(raw_listener(&address));
	assert_int_equal(network_connect(network_host(), rig->loop, &address, NULL, &stream), 0);
	own(&end, stream);
	end.close_on_failed = true;
	assert_true(rig_until(rig, &end.failed));
	assert_null(end.stream);
	rig_free(rig);
}

static void a_connecting_stream_may_be_closed(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct stream *stream;
	struct end end;
	rig_listen(rig);
	assert_int_equal(network_connect(network_host(), rig->loop, &rig->address, NULL, &stream), 0);
	own(&end, stream);
	close_end(&end);
	rig_accept(rig, 1);
	rig_turns(rig, 2);
	assert_int_equal(end.events, 0);
	stream_close(rig->accepted[0]);
	rig_free(rig);
}

static void what_is_taken_while_connecting_is_sent(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct stream *stream;
	struct end client, server;
	rig_listen(rig);
	assert_int_equal(network_connect(network_host(), rig->loop, &rig->address, NULL, &stream), 0);
	own(&client, stream);
	struct piece piece = { NULL, "early", 5 };
	size_t waiting = stream_take(stream, &piece, 1);
	assert_true(waiting == 0 || waiting == 5);
	rig_accept(rig, 1);
	own(&server, rig->accepted[0]);
	stream_resume(server.stream);
	assert_true(rig_until(rig, &server.got_some));
	assert_string_equal(server.text, "early");
	assert_true(rig_until(rig, &client.connected));
	assert_int_equal(client.drains, waiting ? 1 : 0);
	close_end(&client);
	close_end(&server);
	rig_free(rig);
}

static void a_reset_is_told(void **state)
{
	(void)state;
	struct raw raw;
	connect_raw(&raw, &defaults);
	stream_resume(raw.end.stream);
	raw_reset(raw.fd);
	raw.fd = -1;
	assert_true(rig_until(raw.rig, &raw.end.failed));
	assert_int_equal(raw.end.error, ERROR_RESET);
	assert_int_equal(raw.end.events, 1);
	rig_turns(raw.rig, 3);
	assert_int_equal(raw.end.events, 1);
	free_raw(&raw);
}

static void a_reset_is_told_to_who_does_not_read(void **state)
{
	(void)state;
	struct raw raw;
	connect_raw(&raw, &defaults);
	raw_reset(raw.fd);
	raw.fd = -1;
	assert_true(rig_until(raw.rig, &raw.end.failed));
	assert_int_equal(raw.end.error, ERROR_RESET);
	free_raw(&raw);
}

static void a_reset_after_the_end_is_told(void **state)
{
	(void)state;
	struct raw raw;
	connect_raw(&raw, &defaults);
	stream_resume(raw.end.stream);
	assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
	assert_true(rig_until(raw.rig, &raw.end.ended));
	raw_reset(raw.fd);
	raw.fd = -1;
	assert_true(rig_until(raw.rig, &raw.end.failed));
	free_raw(&raw);
}

/* The peer answers and goes away while we are still sending: its answer is told before the failure. */
static void an_answer_survives_a_broken_send(void **state)
{
	(void)state;
	struct raw raw;
	connect_raw(&raw, &defaults);
	assert_int_equal(write(raw.fd, "refused", 7), 7);
	close(raw.fd);
	raw.fd = -1;
	/* The first is answered by a reset, the next ones find it. */
	for (int i = 0; i < 3; i++) {
		struct piece piece = { NULL, "body", 4 };
		assert_int_equal(stream_take(raw.end.stream, &piece, 1), 0);
	}
	assert_int_equal(raw.end.events, 0);
	stream_resume(raw.end.stream);
	assert_true(rig_until(raw.rig, &raw.end.failed));
	assert_string_equal(raw.end.text, "refused");
	assert_int_equal(raw.end.error, ERROR_RESET);
	free_raw(&raw);
}

static void closing_inside_received_is_safe(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	two.server.close_on_received = true;
	stream_resume(two.server.stream);
	send_text(&two.client, "bye");
	stream_finish(two.client.stream);
	assert_true(rig_until(two.rig, &two.client.ended));
	assert_int_equal(two.server.events, 1);
	free_two(&two);
}

/* Both ends have an event in one turn; whichever comes first closes the other. */
static void closing_the_other_in_the_same_turn_is_safe(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	two.client.close_peer_on_received = two.server.close_peer_on_received = true;
	stream_resume(two.server.stream);
	send_text(&two.client, "to the server");
	send_text(&two.server, "to the client");
	for (int i = 0; i < 20 && !two.client.got_some && !two.server.got_some; i++)
		rig_turns(two.rig, 1);
	rig_turns(two.rig, 2);
	assert_int_equal(two.client.got_some + two.server.got_some, 1);
	free_two(&two);
}

static size_t raw_read_all(int fd, char *text, size_t room, bool *clean)
{
	size_t length = 0;
	for (;;) {
		ssize_t n = read(fd, text + length, room - length);
		*clean = n == 0;
		if (n <= 0)
			return length;
		length += (size_t)n;
	}
}

/* RFC 9112 section 9.6: what the peer sends after our last response must not destroy it by a reset. */
static void linger_delivers_the_last_answer(void **state)
{
	(void)state;
	struct raw raw;
	char text[100] = "";
	bool clean;
	connect_raw(&raw, &defaults);
	for (int i = 0; i < 10; i++)
		assert_int_equal(write(raw.fd, "unread request", 14), 14);
	send_text(&raw.end, "413 too large");
	stream_linger(raw.end.stream);
	raw.end.stream = NULL;
	rig_turns(raw.rig, 3);
	assert_int_equal(write(raw.fd, "more of it", 10), 10);
	rig_turns(raw.rig, 3);
	size_t length = raw_read_all(raw.fd, text, sizeof text - 1, &clean);
	assert_true(clean);
	assert_int_equal(length, 13);
	assert_string_equal(text, "413 too large");
	close(raw.fd);
	raw.fd = -1;
	free_raw(&raw);
}

/* A million bytes that wait when the stream is lingered are all sent. */
static void linger_sends_what_waits(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	struct source_of_bytes source = { .two = &two };
	pump(&source);
	stream_linger(two.client.stream);
	two.client.stream = NULL;
	rig_turns(two.rig, 2);
	stream_resume(two.server.stream);
	assert_true(rig_until(two.rig, &two.server.ended));
	assert_int_equal(two.server.received, source.sent);
	assert_true(two.server.sum == source.sum);
	free_two(&two);
}

/* A peer that goes on sending is not listened to for ever. */
static void linger_ends_after_its_bytes(void **state)
{
	(void)state;
	struct raw raw;
	static char rubbish[128 * 1024];
	connect_raw(&raw, &defaults);
	stream_linger(raw.end.stream);
	raw.end.stream = NULL;
	size_t sent = 0;
	ssize_t n = 0;
	for (int i = 0; i < 200 && n >= 0; i++) {
		n = send(raw.fd, rubbish, sizeof rubbish, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			n = 0;
		sent += (size_t)(n > 0 ? n : 0);
		rig_turns(raw.rig, 1);
	}
	assert_true(n < 0); /* reset */
	assert_true(sent >= 64 * 1024);
	free_raw(&raw);
}

/* Dropped bytes don't look like an orderly end. */
static void closing_with_bytes_waiting_resets(void **state)
{
	(void)state;
	struct raw raw;
	static char room[1 << 20];
	bool clean = true;
	connect_raw(&raw, &defaults);
	size_t waiting = 0;
	while (!waiting) {
		struct piece piece = { NULL, room, sizeof room };
		waiting = stream_take(raw.end.stream, &piece, 1);
	}
	close_end(&raw.end);
	size_t length;
	do
		length = raw_read_all(raw.fd, room, sizeof room, &clean);
	while (length == sizeof room);
	assert_false(clean);
	free_raw(&raw);
}

/* Nothing waits, and the peer has read all: still it is a reset for it, also when it has ended already, and behind the bytes. */
static void resetting_resets(void **state)
{
	(void)state;
	for (int ended = 0; ended < 2; ended++) {
		struct raw raw;
		char text[100] = "";
		bool clean = true;
		connect_raw(&raw, &defaults);
		stream_resume(raw.end.stream);
		if (ended) {
			assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
			assert_true(rig_until(raw.rig, &raw.end.ended));
		}
		send_text(&raw.end, "part");
		rig_turns(raw.rig, 2);
		stream_reset(raw.end.stream);
		raw.end.stream = NULL;
		rig_turns(raw.rig, 2);
		assert_int_equal(raw_read_all(raw.fd, text, sizeof text - 1, &clean), 4);
		assert_int_equal(errno, ECONNRESET);
		assert_false(clean);
		free_raw(&raw);
	}
}

/* Whoever waits for the connection to be made may give it up so, too. */
static void a_connecting_stream_may_be_reset(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct stream *stream;
	rig_listen(rig);
	assert_int_equal(network_connect(network_host(), rig->loop, &rig->address, NULL, &stream), 0);
	stream_reset(stream);
	rig_accept(rig, 1);
	rig_turns(rig, 2);
	stream_close(rig->accepted[0]);
	rig_free(rig);
}

/* With all buffers in use reading waits, and goes on when they come back. */
static void reading_waits_for_buffers(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &(struct loop_options){ .name = "test", .max_buffers = 2 });
	struct pool *buffers = loop_buffers(two.rig->loop);
	struct buffer *held[2] = { buffer_get(buffers), buffer_get(buffers) };
	assert_non_null(held[1]);
	stream_resume(two.server.stream);
	send_text(&two.client, "patience");
	rig_turns(two.rig, 5);
	assert_int_equal(two.server.received, 0);
	assert_true(buffers->refused > 0);
	buffer_unref(held[0]);
	assert_true(rig_until(two.rig, &two.server.got_some));
	assert_string_equal(two.server.text, "patience");
	buffer_unref(held[1]);
	free_two(&two);
}

/* More than one buffer arrives before the loop looks: all of it is told, then the end. */
static void full_buffers_are_followed_by_the_rest(void **state)
{
	(void)state;
	struct raw raw;
	static char bytes[100000];
	connect_raw(&raw, &defaults);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = next_byte(i);
	assert_int_equal(write(raw.fd, bytes, sizeof bytes), sizeof bytes);
	assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
	stream_resume(raw.end.stream);
	assert_true(rig_until(raw.rig, &raw.end.ended));
	assert_int_equal(raw.end.received, sizeof bytes);
	assert_true(raw.end.sum == sum_of(0, bytes, sizeof bytes));
	free_raw(&raw);
}

/* The request path in its steady state asks the system for no memory. */
static void the_steady_state_allocates_nothing(void **state)
{
	(void)state;
	struct two two;
	connect_two(&two, &defaults);
	two.server.echo = true;
	stream_resume(two.server.stream);
	send_text(&two.client, "warm");
	assert_true(rig_until(two.rig, &two.client.got_some));
	struct pool probe;
	pool_init(&probe, "probe", 32, 0);
	void *a = pool_get(&probe);
	uint64_t before = memory_system_calls();
	void *b = pool_get(&probe);
	bool through = memory_system_calls() > before; /* a sanitizer's build: pools are malloc */
	pool_put(&probe, a);
	pool_put(&probe, b);
	pool_fini(&probe);
	before = memory_system_calls();
	for (int i = 0; i < 100; i++) {
		two.client.got_some = false;
		send_text(&two.client, "again");
		assert_true(rig_until(two.rig, &two.client.got_some));
	}
	assert_int_equal(two.client.received, 4 + 100 * 5);
	if (!through)
		assert_int_equal(memory_system_calls(), before);
	free_two(&two);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(sends_pieces_in_order),
		cmocka_unit_test(paused_streams_do_not_deliver),
		cmocka_unit_test(a_slow_reader_holds_the_sender),
		cmocka_unit_test(echo_with_back_pressure_is_bounded),
		cmocka_unit_test(half_close_works_both_ways),
		cmocka_unit_test(finish_waits_for_what_was_taken),
		cmocka_unit_test(connecting_to_nobody_is_refused),
		cmocka_unit_test(a_refused_stream_may_be_closed_in_its_last_event),
		cmocka_unit_test(a_connecting_stream_may_be_closed),
		cmocka_unit_test(what_is_taken_while_connecting_is_sent),
		cmocka_unit_test(a_reset_is_told),
		cmocka_unit_test(a_reset_is_told_to_who_does_not_read),
		cmocka_unit_test(a_reset_after_the_end_is_told),
		cmocka_unit_test(an_answer_survives_a_broken_send),
		cmocka_unit_test(closing_inside_received_is_safe),
		cmocka_unit_test(closing_the_other_in_the_same_turn_is_safe),
		cmocka_unit_test(linger_delivers_the_last_answer),
		cmocka_unit_test(linger_sends_what_waits),
		cmocka_unit_test(linger_ends_after_its_bytes),
		cmocka_unit_test(closing_with_bytes_waiting_resets),
		cmocka_unit_test(resetting_resets),
		cmocka_unit_test(a_connecting_stream_may_be_reset),
		cmocka_unit_test(reading_waits_for_buffers),
		cmocka_unit_test(full_buffers_are_followed_by_the_rest),
		cmocka_unit_test(the_steady_state_allocates_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
