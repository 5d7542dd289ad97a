/* SPDX-License-Identifier: Apache-2.0 */
#include "support/contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum { MAGIC = 0x434f4e54 };

/* What was told or sent in one direction. */
enum progress {
	BEFORE_HEAD,
	BEHIND_HEAD,
	OVER,
};

struct contract {
	struct side side; /* what the exchange holds; first */
	uint32_t magic;
	struct side *inner;      /* NULL: released */
	struct contract *buried; /* the next of those released, kept so that a late event is noticed */
	enum contract_role role;
	enum progress told, sent;
	bool reset, paused, blocked;
	struct slice *kept; /* the texts of the head that was told, until it is released or forgotten */
	unsigned kept_count;
	uint64_t kept_hash;
};

static unsigned alive, calls;
static struct contract *graveyard;

static const struct side_ops ops;
static const struct side_events events;

#define RULE(condition, text) \
	do { \
		if (!(condition)) \
			broken(text, __LINE__); \
	} while (0)

static _Noreturn void broken(const char *rule, int line)
{
	fprintf(stderr, "contract.c:%d: the contract of the exchange is broken: %s\n", line, rule);
	abort();
}

static struct contract *of_exchange(struct side *side)
{
	struct contract *c = (struct contract *)(void *)side;

	CHECK_MAGIC(c, MAGIC);
	return c;
}

/* For an event: it must not come from inside a call, nor after a release. */
static struct contract *of_codec(struct side *side)
{
	struct contract *c = side->exchange;

	CHECK_MAGIC(c, MAGIC);
	RULE(calls == 0, "an event came from inside a side_* call");
	RULE(c->inner == side, "an event came from a side that was released");
	RULE(!c->reset, "an event came after reset");
	c->side.head = side->head;
	c->side.reused = side->reused;
	c->side.wrote = side->wrote;
	return c;
}

static uint64_t hash_kept(const struct contract *c)
{
	uint64_t hash = 0;

	for (unsigned i = 0; i < c->kept_count; i++)
		hash = hash * 31 + slice_hash(c->kept[i], i + 1);
	return hash;
}

/* Where the head's texts lie; what the exchange does with the struct is its own affair. */
static void keep_head(struct contract *c, const struct head *head)
{
	c->kept = memory_array(3u + head->field_count, sizeof *c->kept);
	c->kept[0] = head->target;
	c->kept[1] = head->method_text;
	c->kept[2] = head->reason;
	for (unsigned i = 0; i < head->field_count; i++)
		c->kept[3 + i] = slice_make(head->fields[i].line, head->fields[i].line_length);
	c->kept_count = 3u + head->field_count;
	c->kept_hash = hash_kept(c);
}

static void check_head(struct contract *c)
{
	if (c->kept)
		RULE(hash_kept(c) == c->kept_hash, "a head changed while it was held");
	memory_free(c->kept);
	c->kept = NULL;
}

static struct contract *wrap(enum contract_role role, const struct side_events *exchange_events, void *exchange)
{
	struct contract *c = memory_new(sizeof *c);

	c->magic = MAGIC;
	c->role = role;
	c->side.ops = &ops;
	c->side.events = exchange_events;
	c->side.exchange = exchange;
	c->told = role == CONTRACT_DOWNSTREAM ? BEHIND_HEAD : BEFORE_HEAD;
	alive++;
	return c;
}

static void attach(struct contract *c, struct side *inner)
{
	c->inner = inner;
	c->side.session = inner->session;
	c->side.head = inner->head;
	c->side.reused = inner->reused;
	c->side.wrote = inner->wrote;
}

struct side *contract_wrap(struct side *inner, enum contract_role role, const struct side_events *exchange_events, void *exchange)
{
	struct contract *c = wrap(role, exchange_events, exchange);

	RULE(calls == 0, "a side was opened from inside a side_* call");
	attach(c, inner);
	side_own(inner, &events, c);
	if (role == CONTRACT_DOWNSTREAM)
		keep_head(c, inner->head);
	return &c->side;
}

int contract_open(struct session *session, const struct side_events *exchange_events, void *exchange, struct side **side)
{
	struct contract *c = wrap(CONTRACT_UPSTREAM, exchange_events, exchange);
	struct side *inner;
	int e;

	calls++;
	e = session_open(session, &events, c, &inner);
	calls--;
	if (e) {
		alive--;
		memory_free(c);
		return e;
	}
	RULE(inner->ops && inner->events == &events && inner->exchange == c && inner->session == session, "session_open fills in the side");
	attach(c, inner);
	*side = &c->side;
	return 0;
}

void contract_check_finished(void)
{
	RULE(alive == 0, "a side was never released");
	RULE(calls == 0, "a call never returned");
	while (graveyard) {
		struct contract *c = graveyard;

		graveyard = c->buried;
		c->magic = 0;
		memory_free(c);
	}
}

const struct side *contract_inner(struct side *side)
{
	return of_exchange(side)->inner;
}

bool contract_in_call(void)
{
	return calls > 0;
}

/* --- what the codec tells --- */

static void informational(struct side *side, struct head *head)
{
	struct contract *c = of_codec(side);

	RULE(c->role == CONTRACT_UPSTREAM, "only responses have informational heads");
	RULE(c->told == BEFORE_HEAD, "an informational head came behind the final one");
	RULE(head->status >= 100 && head->status < 200 && head->status != 101, "an informational head has a status of 1xx");
	c->side.events->informational(&c->side, head);
}

static void head_told(struct side *side, struct head *head)
{
	struct contract *c = of_codec(side);

	RULE(c->role == CONTRACT_UPSTREAM, "a request's head is told by opened");
	RULE(c->told == BEFORE_HEAD, "two final heads");
	RULE(head->status >= 200 || head->status == 101, "a final head has a final status");
	RULE(side->head == head, "side->head is the head told");
	c->told = BEHIND_HEAD;
	keep_head(c, head);
	c->side.events->head(&c->side, head);
}

static struct contract *of_body(struct side *side)
{
	struct contract *c = of_codec(side);

	RULE(c->told == BEHIND_HEAD, "body, trailers or end outside of a message");
	RULE(!c->paused, "body, trailers or end were told while paused");
	return c;
}

static void body(struct side *side, struct piece piece)
{
	struct contract *c = of_body(side);

	RULE(piece.length > 0 && piece.at, "an empty piece");
	RULE(!piece.buffer || piece.buffer->references > 0, "a piece whose buffer is gone");
	c->side.events->body(&c->side, piece);
}

static void trailers(struct side *side, const struct fields *fields)
{
	struct contract *c = of_body(side);

	RULE(fields->count > 0, "trailers without a field are an end");
	c->told = OVER;
	c->side.events->trailers(&c->side, fields);
}

static void end(struct side *side)
{
	struct contract *c = of_body(side);

	c->told = OVER;
	c->side.events->end(&c->side);
}

static void reset(struct side *side, enum reset why, int error)
{
	struct contract *c = of_codec(side);

	RULE(why != RESET_NONE, "a reset without a reason");
	RULE(error <= 0, "an error is 0 or negative");
	RULE(c->told != OVER || c->sent != OVER, "a reset of an exchange that is over");
	c->reset = true;
	c->side.events->reset(&c->side, why, error);
}

static void writable(struct side *side)
{
	struct contract *c = of_codec(side);

	RULE(c->blocked, "writable was not waited for");
	c->blocked = false;
	c->side.events->writable(&c->side);
}

static const struct side_events events = {
	.informational = informational,
	.head = head_told,
	.body = body,
	.trailers = trailers,
	.end = end,
	.reset = reset,
	.writable = writable,
};

/* --- what the exchange does --- */

static struct contract *enter(struct side *side)
{
	struct contract *c = of_exchange(side);

	RULE(c->inner, "a call to a side that was released");
	calls++;
	return c;
}

static void leave(struct contract *c)
{
	calls--;
	c->side.reused = c->inner->reused;
	c->side.wrote = c->inner->wrote;
}

static void send_informational(struct side *side, const struct head *head)
{
	struct contract *c = enter(side);

	RULE(c->role == CONTRACT_DOWNSTREAM && c->sent == BEFORE_HEAD, "an informational head goes before a response's head");
	c->inner->ops->send_informational(c->inner, head);
	leave(c);
}

static void send_head(struct side *side, const struct head *head, bool ends)
{
	struct contract *c = enter(side);

	RULE(c->sent == BEFORE_HEAD, "a second head was sent");
	c->sent = ends ? OVER : BEHIND_HEAD;
	c->inner->ops->send_head(c->inner, head, ends);
	leave(c);
}

static bool send_body(struct side *side, struct piece piece, bool ends)
{
	struct contract *c = enter(side);
	bool more;

	RULE(c->sent == BEHIND_HEAD, "body was sent outside of a message");
	RULE(piece.length > 0 || ends, "an empty piece was sent");
	c->sent = ends ? OVER : BEHIND_HEAD;
	more = c->inner->ops->send_body(c->inner, piece, ends);
	if (!more)
		c->blocked = true;
	leave(c);
	return more;
}

static void send_trailers(struct side *side, const struct fields *fields)
{
	struct contract *c = enter(side);

	RULE(c->sent == BEHIND_HEAD, "trailers were sent outside of a message");
	c->sent = OVER;
	c->inner->ops->send_trailers(c->inner, fields);
	leave(c);
}

static void pause_side(struct side *side)
{
	struct contract *c = enter(side);

	c->paused = true;
	c->inner->ops->pause(c->inner);
	leave(c);
}

static void resume_side(struct side *side)
{
	struct contract *c = enter(side);

	c->paused = false;
	c->inner->ops->resume(c->inner);
	leave(c);
}

static void forget_head(struct side *side)
{
	struct contract *c = enter(side);

	RULE(c->told != BEFORE_HEAD, "forget_head comes behind the head");
	check_head(c);
	c->inner->ops->forget_head(c->inner);
	leave(c);
}

static void release(struct side *side, enum reset why)
{
	struct contract *c = enter(side);
	struct side *inner = c->inner;

	check_head(c);
	c->inner = NULL;
	inner->ops->release(inner, why);
	calls--;
	alive--;
	c->buried = graveyard;
	graveyard = c;
}

static const struct side_ops ops = {
	.send_informational = send_informational,
	.send_head = send_head,
	.send_body = send_body,
	.send_trailers = send_trailers,
	.pause = pause_side,
	.resume = resume_side,
	.forget_head = forget_head,
	.release = release,
};
