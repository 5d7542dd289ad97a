/* SPDX-License-Identifier: Apache-2.0 */
#include "client/question.h"

#include "base/check.h"
#include "base/memory.h"
#include "io/network.h"
#include "io/stream.h"

enum {
	UDP_SIZE = 1232, /* what passes unfragmented nearly everywhere (DNS flag day 2020) */
	CODE_BAD_VERSION = 16,
};

/* A socket that can't be had now may be had soon. */
static const int64_t no_socket_ns = 100 * CLOCK_MS;

static void try_again(struct question *question);
static void timed_out(void *owner);

void question_servers_init(
	struct question_servers *servers, struct loop *loop, struct network *network, struct question_counts *counts, unsigned max_active)
{
	*servers = (struct question_servers){ .loop = loop, .network = network, .counts = counts, .max_active = max_active };
	list_init(&servers->waiting);
}

void question_init(struct question *question)
{
	*question = (struct question){ .state = QUESTION_IDLE };
	list_init(&question->waiting);
	timer_init(&question->timer, timed_out, question);
}

static bool is_active(enum question_state state)
{
	return state == QUESTION_UDP || state == QUESTION_TCP;
}

/* The only way between states: what belongs to the old one is given back. The new one's socket is opened by the
 * caller. */
static void enter(struct question *question, enum question_state state)
{
	struct question_servers *servers = question->servers;
	if (servers) {
		timer_cancel(servers->loop, &question->timer);
		servers->active += (unsigned)is_active(state) - (unsigned)is_active(question->state);
	}
	list_remove(&question->waiting);
	if (question->datagram)
		datagram_close(question->datagram);
	question->datagram = NULL;
	if (question->stream)
		stream_close(question->stream);
	question->stream = NULL;
	memory_free(question->answer);
	question->answer = NULL;
	question->answer_length = 0;
	question->state = state;
}

static void begin(struct question *question)
{
	struct question_servers *servers = question->servers;
	question->first = servers->next;
	if (question->conf->rotate)
		servers->next = (servers->next + 1) % question->conf->server_count;
	try_again(question);
}

/* There is room for another one. */
static void begin_waiting(struct question_servers *servers)
{
	struct list *link = list_first(&servers->waiting);
	if (link && servers->active < servers->max_active)
		begin(LIST_OF(link, struct question, waiting));
}

static void finish(struct question *question, enum question_outcome outcome)
{
	question->outcome = outcome;
	enter(question, QUESTION_IDLE);
	begin_waiting(question->servers);
	question->done(question);
}

static unsigned server_index(const struct question *question)
{
	return (question->first + question->tries) % question->conf->server_count;
}

/* Questions to come begin with another server than one that doesn't answer. */
static void unanswered(struct question *question)
{
	struct question_servers *servers = question->servers;
	unsigned index = server_index(question), count = question->conf->server_count;
	counter_add(&servers->counts->unanswered, 1);
	if (servers->next % count == index)
		servers->next = (index + 1) % count;
	question->tries++;
	try_again(question);
}

static void timed_out(void *owner)
{
	unanswered(owner);
}

static void failed_answer(struct question *question)
{
	counter_add(&question->servers->counts->failures, 1);
	question->server_failed = true;
	question->tries++;
	try_again(question);
}

static void take_addresses(struct question *question, struct dns_answer *answer)
{
	struct dns_value value;
	question->count = 0;
	while (question->count < QUESTION_ADDRESSES && dns_answer_next(answer, &value)) {
		struct address *address = &question->addresses[question->count++];
		*address = (struct address){ .family = question->type == DNS_A ? ADDRESS_IP4 : ADDRESS_IP6 };
		memcpy(address->ip, value.ip, question->type == DNS_A ? 4 : 16);
	}
}

static void settled(struct question *question, struct dns_answer *answer)
{
	static const enum question_outcome outcomes[] = {
		[DNS_FOUND] = QUESTION_FOUND,
		[DNS_NO_NAME] = QUESTION_NO_NAME,
		[DNS_NO_DATA] = QUESTION_NO_DATA,
	};
	counter_add(&question->servers->counts->answers, 1);
	take_addresses(question, answer);
	question->ttl = answer->ttl;
	finish(question, outcomes[answer->outcome]);
}

/* --- TCP (RFC 7766): when the answer didn't fit into a datagram --- */

static void stream_answered(struct question *question)
{
	struct dns_answer answer;
	struct slice bytes = slice_make(question->answer + 2, question->answer_length - 2);
	int e = dns_answer_read(bytes, question->id, &question->name, question->type, &answer);
	if (e || answer.outcome == DNS_FAILED || answer.outcome == DNS_TRUNCATED)
		failed_answer(question);
	else
		settled(question, &answer);
}

/* How long the whole answer is with its length; 2 while that isn't known yet. */
static size_t answer_size(const struct question *question)
{
	if (question->answer_length < 2)
		return 2;
	return 2 + ((size_t)(uint8_t)question->answer[0] << 8 | (uint8_t)question->answer[1]);
}

static void stream_received(void *owner, struct buffer *buffer)
{
	struct question *question = owner;
	struct slice bytes = slice_make(buffer->bytes, buffer->filled);
	while (bytes.length && question->answer_length < answer_size(question)) {
		size_t size = answer_size(question), missing = size - question->answer_length;
		size_t n = bytes.length < missing ? bytes.length : missing;
		question->answer = memory_grow(question->answer, size, 1);
		memcpy(question->answer + question->answer_length, bytes.at, n);
		question->answer_length += n;
		bytes = slice_from(bytes, n);
	}
	buffer_unref(buffer);
	if (question->answer_length > 2 && question->answer_length == answer_size(question))
		stream_answered(question);
	else if (question->answer_length == 2 && answer_size(question) == 2)
		failed_answer(question);
}

static void stream_connected(void *owner)
{
	(void)owner;
}

static void stream_drained(void *owner)
{
	(void)owner;
}

static void stream_ended(void *owner)
{
	unanswered(owner);
}

static void stream_failed(void *owner, int error)
{
	(void)error;
	unanswered(owner);
}

static void ask_by_stream(struct question *question)
{
	static const struct stream_events events = {
		.connected = stream_connected,
		.received = stream_received,
		.ended = stream_ended,
		.drained = stream_drained,
		.failed = stream_failed,
	};
	struct question_servers *servers = question->servers;
	int64_t wait = question->conf->timeout_ns;
	enter(question, QUESTION_TCP);
	if (network_connect(servers->network, servers->loop, &question->conf->servers[server_index(question)],
		    &(struct socket_options){ 0 }, &question->stream)) {
		question->stream = NULL;
		wait = no_socket_ns;
	} else {
		/* The query's bytes stay as they are until the stream is closed. */
		question->query[0] = (char)(question->query_length >> 8);
		question->query[1] = (char)question->query_length;
		struct piece piece = piece_of(NULL, question->query, question->query_length + 2);
		stream_own(question->stream, &events, question);
		stream_resume(question->stream);
		stream_take(question->stream, &piece, 1);
		counter_add(&servers->counts->queries, 1);
		counter_add(&servers->counts->tcp, 1);
	}
	timer_set(servers->loop, &question->timer, loop_now(servers->loop) + wait);
}

/* --- UDP --- */

/* Servers that don't know EDNS are asked once more without (RFC 6891 section 7). */
static bool is_edns_refused(const struct question *question, const struct dns_answer *answer)
{
	return question->edns &&
		(answer->code == DNS_CODE_FORMAT || answer->code == DNS_CODE_UNSUPPORTED || answer->code == CODE_BAD_VERSION);
}

static void datagram_received(void *owner, const struct address *from, struct slice bytes, bool truncated)
{
	struct question *question = owner;
	struct dns_answer answer;
	(void)from; /* the socket is connected */
	int e = dns_answer_read(bytes, question->id, &question->name, question->type, &answer);
	if (e == ERROR_INVALID) {
		counter_add(&question->servers->counts->ignored, 1);
	} else if (truncated || (!e && answer.outcome == DNS_TRUNCATED)) {
		ask_by_stream(question);
	} else if (!e && answer.outcome == DNS_FAILED && is_edns_refused(question, &answer)) {
		question->edns = false;
		try_again(question);
	} else if (e || answer.outcome == DNS_FAILED) {
		failed_answer(question);
	} else {
		settled(question, &answer);
	}
}

static void datagram_failed(void *owner, int error)
{
	(void)error;
	unanswered(owner);
}

/* A new socket for each try, so that each has a port and an id of its own to be guessed (RFC 5452). */
static int send_datagram(struct question *question)
{
	static const struct datagram_events events = { .received = datagram_received, .failed = datagram_failed };
	struct question_servers *servers = question->servers;
	int e = datagram_open(
		servers->network, servers->loop, &question->conf->servers[server_index(question)], &events, question, &question->datagram);
	if (e) {
		question->datagram = NULL;
		return e;
	}
	question->id = (uint16_t)(random_u64(loop_random(servers->loop)) >> 48);
	question->query_length =
		dns_query_write(question->id, &question->name, question->type, question->edns ? UDP_SIZE : 0, question->query + 2);
	counter_add(&servers->counts->queries, 1);
	return datagram_send(question->datagram, slice_make(question->query + 2, question->query_length));
}

static void try_again(struct question *question)
{
	struct question_servers *servers = question->servers;
	if (question->tries >= question->conf->attempts * question->conf->server_count) {
		finish(question, question->server_failed ? QUESTION_FAILED : QUESTION_UNANSWERED);
		return;
	}
	enter(question, QUESTION_UDP);
	int64_t wait = send_datagram(question) ? no_socket_ns : question->conf->timeout_ns;
	timer_set(servers->loop, &question->timer, loop_now(servers->loop) + wait);
}

void question_start(struct question *question, struct question_servers *servers, const struct resolv_conf *conf,
	const struct dns_name *name, enum dns_type type, void (*done)(struct question *question), void *owner)
{
	CHECK(question->state == QUESTION_IDLE && (type == DNS_A || type == DNS_AAAA));
	question_init(question);
	question->servers = servers;
	question->conf = conf;
	question->name = *name;
	question->type = type;
	question->done = done;
	question->owner = owner;
	question->edns = true;
	if (servers->active < servers->max_active) {
		begin(question);
	} else {
		enter(question, QUESTION_WAITING);
		list_append(&servers->waiting, &question->waiting);
	}
}

void question_cancel(struct question *question)
{
	if (question->state == QUESTION_IDLE)
		return;
	enter(question, QUESTION_IDLE);
	begin_waiting(question->servers);
}
