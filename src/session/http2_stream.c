/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: their table, their states, what is told of them. The tables of states are in http2_session.h. */
#include "session/http2_session.h"

#include "base/check.h"
#include "session/pools.h"

#define BIT(state) (1u << (state))

static const uint8_t receiving_next[] = {
	[HTTP2_RECEIVING_HEAD] = BIT(HTTP2_RECEIVING_BODY) | BIT(HTTP2_RECEIVING_OVER),
	[HTTP2_RECEIVING_BODY] = BIT(HTTP2_RECEIVING_OVER),
	[HTTP2_RECEIVING_OVER] = BIT(HTTP2_RECEIVING_DONE),
	[HTTP2_RECEIVING_DONE] = 0,
};

static const uint8_t sending_next[] = {
	[HTTP2_SENDING_HEAD] = BIT(HTTP2_SENDING_BODY) | BIT(HTTP2_SENDING_ENDING) | BIT(HTTP2_SENDING_DONE),
	[HTTP2_SENDING_BODY] = BIT(HTTP2_SENDING_ENDING) | BIT(HTTP2_SENDING_DONE),
	[HTTP2_SENDING_ENDING] = BIT(HTTP2_SENDING_DONE),
	[HTTP2_SENDING_DONE] = 0,
};

void http2_stream_receive_in(struct http2_stream *s, enum http2_receiving state)
{
	CHECK(receiving_next[s->receiving] & BIT(state));
	s->receiving = (uint8_t)state;
	if (state == HTTP2_RECEIVING_OVER && s->open)
		http2_session_of(s->side.session)->awaited--;
}

void http2_stream_send_in(struct http2_stream *s, enum http2_sending state)
{
	CHECK(sending_next[s->sending] & BIT(state));
	s->sending = (uint8_t)state;
}

/* --- the table: chains, ids of one end being every other number --- */

static struct http2_stream **chain_of(struct http2_session *h, uint32_t id)
{
	return &h->table[id >> 1 & h->table_mask];
}

struct http2_stream *http2_stream_find(struct http2_session *h, uint32_t id)
{
	struct http2_stream *s = *chain_of(h, id);

	while (s && s->id != id)
		s = s->chain;
	return s;
}

static void rehash(struct http2_session *h, struct http2_stream **table, uint32_t mask)
{
	h->table = table;
	h->table_mask = mask;
	memset(table, 0, (mask + 1) * sizeof *table);
	LIST_EACH(&h->streams, link) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link), **chain;

		if (!s->open || s->id == 0)
			continue;
		chain = chain_of(h, s->id);
		s->chain = *chain;
		*chain = s;
	}
}

/* Chains of two or three are no reason; without memory they grow. */
static void grow_table(struct http2_session *h)
{
	struct http2_stream **larger;

	if (h->open < 4 * HTTP2_TABLE_FIRST || h->table != h->small_table)
		return;
	larger = pool_get(&h->pools->http2_tables);
	if (larger)
		rehash(h, larger, HTTP2_TABLE_SECOND - 1);
}

static void shrink_table(struct http2_session *h)
{
	struct http2_stream **larger = h->table;

	if (h->open > 0 || larger == h->small_table)
		return;
	rehash(h, h->small_table, HTTP2_TABLE_FIRST - 1);
	pool_put(&h->pools->http2_tables, larger);
}

/* --- their life --- */

/* It had something to send for so long, and its peer has not let it. */
static void stalled(struct expiry *expiry)
{
	struct http2_stream *s = LIST_OF(expiry, struct http2_stream, stall);
	struct http2_session *h = http2_session_of(s->side.session);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	if (h->session.counters)
		counter_add(&h->session.counters->stalled, 1);
	http2_stream_fail(h, s, HTTP2_CANCEL, RESET_TIMEOUT, ERROR_TIMEOUT);
}

struct http2_stream *http2_stream_new(struct http2_session *h, const struct side_ops *ops)
{
	struct http2_stream *s = pool_get(&h->pools->http2_streams);

	if (!s)
		return NULL;
	*s = (struct http2_stream){
		.side = { .ops = ops, .session = &h->session },
		.open = true,
		.send_window = (int32_t)h->stream_send_window,
		.receive_window = (int32_t)h->window,
	};
	list_append(&h->streams, &s->link);
	list_init(&s->ready);
	list_init(&s->wake);
	list_init(&s->waiting);
	expiry_init(&s->stall, stalled);
	h->open++;
	h->alive++;
	h->awaited++;
	return s;
}

void http2_stream_number(struct http2_session *h, struct http2_stream *s, uint32_t id)
{
	struct http2_stream **chain;

	grow_table(h);
	s->id = id;
	chain = chain_of(h, id);
	s->chain = *chain;
	*chain = s;
}

struct http2_head *http2_head_begin(struct http2_session *h)
{
	struct session_pools *pools = h->pools;

	if (!pools->http2_read)
		pools->http2_read = pool_get(&pools->http2_heads);
	return pools->http2_read;
}

struct http2_head *http2_head_take(struct http2_session *h)
{
	struct http2_head *read = h->pools->http2_read;

	h->pools->http2_read = NULL;
	return read;
}

/* By how many fields a head that is kept is short. */
static uint16_t shortened(const struct head *head)
{
	if (head->field_count <= HTTP2_SHORTEST_FIELDS - HEAD_ADDED)
		return HEAD_MAX_FIELDS - HTTP2_SHORTEST_FIELDS;
	return head->field_count <= HTTP2_SHORT_FIELDS - HEAD_ADDED ? HEAD_MAX_FIELDS - HTTP2_SHORT_FIELDS : 0;
}

static struct pool *pool_of_heads(struct session_pools *pools, uint16_t short_by)
{
	if (short_by == HEAD_MAX_FIELDS - HTTP2_SHORTEST_FIELDS)
		return &pools->http2_shortest_heads;
	return short_by ? &pools->http2_short_heads : &pools->http2_heads;
}

struct http2_head *http2_head_keep(struct http2_session *h)
{
	struct http2_head *read = h->pools->http2_read, *kept;
	uint16_t short_by = shortened(&read->head);

	kept = short_by ? pool_get(pool_of_heads(h->pools, short_by)) : NULL;
	if (!kept)
		return http2_head_take(h);
	read->head.short_by = short_by;
	memcpy(kept, read, http2_head_size(read->head.field_count));
	return kept;
}

void http2_head_drop(struct http2_session *h, struct http2_head **head)
{
	struct http2_head *gone = *head;

	*head = NULL;
	if (!gone)
		return;
	if (gone->buffer)
		buffer_unref(gone->buffer);
	pool_put(pool_of_heads(h->pools, gone->head.short_by), gone);
}

static void drop_received(struct http2_session *h, struct http2_stream *s)
{
	h->held_bytes -= s->in.bytes;
	queue_drop(&s->in, &h->shared);
	http2_head_drop(h, &s->trailers);
}

static void stream_free(struct http2_session *h, struct http2_stream *s)
{
	if (h->telling == s)
		h->telling = NULL;
	drop_received(h, s);
	http2_head_drop(h, &s->head);
	list_remove(&s->link);
	list_remove(&s->wake);
	pool_put(&h->pools->http2_streams, s);
	h->alive--;
}

void http2_stream_close(struct http2_session *h, struct http2_stream *s)
{
	CHECK(s->open);
	http2_send_drop(h, s);
	if (s->id != 0) {
		struct http2_stream **chain = chain_of(h, s->id);

		while (*chain != s)
			chain = &(*chain)->chain;
		*chain = s->chain;
	}
	s->open = false;
	h->open--;
	h->awaited -= s->receiving < HTTP2_RECEIVING_OVER;
	shrink_table(h);
	http2_session_rest(h);
	if (h->full && h->closing == HTTP2_CLOSING_NOT)
		http2_session_touch(h);
	if (s->released)
		stream_free(h, s);
}

void http2_stream_close_if_over(struct http2_session *h, struct http2_stream *s)
{
	if (!s->open || s->sending != HTTP2_SENDING_DONE || s->receiving < HTTP2_RECEIVING_OVER)
		return;
	if (s->cut)
		http2_send_rst_stream(h, s->id, HTTP2_NO_ERROR);
	else
		h->closed[h->closed_next++ % HTTP2_CLOSED_KNOWN] = s->id;
	http2_session_earn(h, 4, 1);
	http2_stream_close(h, s);
}

/* --- ends before their time --- */

void http2_stream_reset(struct http2_session *h, struct http2_stream *s, enum reset why, int error)
{
	bool over = s->receiving == HTTP2_RECEIVING_DONE && s->sending >= HTTP2_SENDING_ENDING;
	bool tell = !s->released && !s->resets && !over;

	/* Where the answer is whole, it stands; only what we still send is not wanted (RFC 9113 section 8.1). */
	if (tell && !h->server && s->receiving >= HTTP2_RECEIVING_OVER) {
		s->muted = true;
		tell = false;
	}
	if (tell) {
		s->resets = true;
		drop_received(h, s);
	}
	h->telling = s;
	if (s->open)
		http2_stream_close(h, s);
	if (h->telling == s && tell)
		s->side.events->reset(&s->side, why, error);
	else if (h->telling == s && s->muted && s->blocked && !s->released)
		http2_stream_wake(h, s);
}

void http2_stream_fail(struct http2_session *h, struct http2_stream *s, enum http2_error code, enum reset why, int error)
{
	if (!s->open)
		return;
	if (s->id != 0)
		http2_send_rst_stream(h, s->id, code);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	if (!s->released) {
		s->fate = (uint8_t)why;
		s->fate_error = error;
		http2_stream_wake(h, s);
	}
	http2_stream_close(h, s);
}

/* --- telling --- */

void http2_stream_wake(struct http2_session *h, struct http2_stream *s)
{
	if (list_empty(&s->wake))
		list_append(&h->wakes, &s->wake);
	http2_session_touch(h);
}

static void tell_body(struct http2_session *h, struct http2_stream *s)
{
	struct piece piece = queue_take(&s->in, &h->shared, SIZE_MAX);

	h->held_bytes -= piece.length;
	s->taken += (uint32_t)piece.length;
	s->side.events->body(&s->side, piece);
}

static void tell_over(struct http2_session *h, struct http2_stream *s)
{
	struct http2_head *trailers = s->trailers;
	struct fields fields;

	http2_stream_receive_in(s, HTTP2_RECEIVING_DONE);
	if (!trailers || trailers->head.field_count == 0 || s->tunnel) {
		s->side.events->end(&s->side);
		return;
	}
	/* The callback may release the side. */
	s->trailers = NULL;
	fields = (struct fields){ .count = trailers->head.field_count, .at = trailers->head.fields };
	s->side.events->trailers(&s->side, &fields);
	http2_head_drop(h, &trailers);
}

void http2_stream_deliver(struct http2_session *h, struct http2_stream *s)
{
	h->telling = s;
	while (h->telling == s && h->closing == HTTP2_CLOSING_NOT && !s->released && !s->resets && !s->paused && !s->held) {
		if (s->fate != RESET_NONE) {
			enum reset why = (enum reset)s->fate;

			s->fate = RESET_NONE;
			http2_stream_reset(h, s, why, s->fate_error);
			return;
		}
		if (!queue_empty(&s->in))
			tell_body(h, s);
		else if (s->receiving == HTTP2_RECEIVING_OVER)
			tell_over(h, s);
		else
			break;
	}
	if (h->telling == s && h->closing == HTTP2_CLOSING_NOT)
		http2_window_return_stream(h, s);
}

/* `100 Continue`, when nobody else has sent it, and the client isn't sending already (RFC 9110 section 10.1.1). */
static void continue_if_owed(struct http2_session *h, struct http2_stream *s)
{
	static const char status_100[] = { '1', '0', '0' };
	char *start, *at;

	if (!s->owes_continue || s->paused || s->heard || s->sending != HTTP2_SENDING_HEAD || !s->open || s->released)
		return;
	s->owes_continue = false;
	at = http2_send_block(h, s, hpack_field_room(0, sizeof status_100), &start);
	if (!at)
		return;
	at = hpack_put_field(at, HPACK_STATUS_200, SLICE(""), slice_make(status_100, sizeof status_100), false);
	http2_send_headers(h, s, start, at, false);
}

static void wake(struct http2_session *h, struct http2_stream *s)
{
	/* A reset is told also to who wants no body. */
	if (s->fate != RESET_NONE && !s->released && !s->resets) {
		enum reset why = (enum reset)s->fate;

		s->fate = RESET_NONE;
		http2_stream_reset(h, s, why, s->fate_error);
		return;
	}
	if (s->muted && s->blocked && !s->released) {
		s->blocked = false;
		h->telling = s;
		s->side.events->writable(&s->side);
		if (h->telling != s)
			return;
	}
	continue_if_owed(h, s);
	http2_stream_deliver(h, s);
}

void http2_stream_wakes(struct http2_session *h)
{
	struct list *link;

	while (h->closing == HTTP2_CLOSING_NOT && (link = list_first(&h->wakes))) {
		list_remove(link);
		wake(h, LIST_OF(link, struct http2_stream, wake));
	}
}

void http2_stream_settle(struct http2_session *h, struct http2_stream *s, bool tunnel)
{
	if (!s->held)
		return;
	s->held = false;
	s->tunnel = tunnel;
	if (!tunnel) {
		/* The request was nothing but its head; what follows is for a tunnel that there is none of. */
		drop_received(h, s);
		s->cut = s->receiving == HTTP2_RECEIVING_BODY;
		if (s->cut)
			http2_stream_receive_in(s, HTTP2_RECEIVING_OVER);
	}
	http2_stream_wake(h, s);
}

/* --- sides --- */

/* NULL: whatever the exchange does is without effect. */
static struct http2_session *going(struct side *side)
{
	struct http2_session *h = http2_session_of(side->session);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	return h->closing == HTTP2_CLOSING_NOT ? h : NULL;
}

void http2_side_pause(struct side *side)
{
	http2_stream_of(side)->paused = true;
}

void http2_side_resume(struct side *side)
{
	struct http2_session *h = going(side);
	struct http2_stream *s = http2_stream_of(side);

	if (!s->paused)
		return;
	s->paused = false;
	if (h)
		http2_stream_wake(h, s);
}

void http2_side_forget_head(struct side *side)
{
	struct http2_session *h = http2_session_of(side->session);
	struct http2_stream *s = http2_stream_of(side);

	if (!s->head)
		return;
	if (h->closing == HTTP2_CLOSING_NOT)
		http2_session_touch(h);
	http2_head_drop(h, &s->head);
	side->head = NULL;
}

/* The exchange has left. What it has ended still gets there; the rest of a stream that is not over is not wanted. */
static void leave(struct http2_session *h, struct http2_stream *s, enum reset why)
{
	if (s->sending < HTTP2_SENDING_ENDING) {
		enum http2_error code = h->server ? http2_server_code(why) : HTTP2_CANCEL;

		http2_stream_fail(h, s, code, RESET_CANCEL, 0);
	} else if (s->receiving < HTTP2_RECEIVING_OVER && s->sending == HTTP2_SENDING_DONE) {
		http2_stream_fail(h, s, h->server ? HTTP2_NO_ERROR : HTTP2_CANCEL, RESET_CANCEL, 0);
	} else if (s->receiving < HTTP2_RECEIVING_OVER && !h->server) {
		http2_stream_fail(h, s, HTTP2_CANCEL, RESET_CANCEL, 0);
	}
}

void http2_side_release(struct side *side, enum reset why)
{
	struct http2_session *h = http2_session_of(side->session);
	struct http2_stream *s = http2_stream_of(side);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	CHECK(!s->released);
	http2_head_drop(h, &s->head);
	drop_received(h, s);
	s->released = true;
	s->blocked = false;
	list_remove(&s->waiting);
	list_remove(&s->wake);
	if (!s->open)
		stream_free(h, s);
	else if (h->closing == HTTP2_CLOSING_NOT)
		leave(h, s, why);
	else
		http2_stream_close(h, s);
	if (h->closing == HTTP2_CLOSING_NOT)
		http2_session_touch(h);
	http2_session_unref(h);
}
