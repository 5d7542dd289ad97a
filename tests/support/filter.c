/* SPDX-License-Identifier: Apache-2.0 */
#include "support/filter.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

enum {
	MAGIC = 0x46494c54,
	MOST_HELD = 32 * 1024, /* received and not delivered, then the stream below is paused */
	FEW = 8,
	LONGEST_DELAY_US = 400,
};

/* Bytes on their way through. */
struct held {
	struct text bytes;
	size_t at;
};

struct filter {
	struct stream stream; /* first */
	uint32_t magic;
	struct stream *below;
	struct held in, out;
	struct timer in_timer, out_timer, linger_timer;
	struct task task; /* goes on with what is due; frees what is closed */
	size_t below_waiting;
	bool connecting, paused, below_paused;
	bool below_ended, told_ended, failed;
	bool want_drained, finishing, finished;
	bool lingering, closed;
	bool secured, handshake; /* filter_secure; `connected` is still to be told */
	struct stream_security facts;
};

static const struct stream_events below_events;
static void below_failed(void *owner, int error);

static size_t held_length(const struct held *held)
{
	return held->bytes.length - held->at;
}

static void held_skip(struct held *held, size_t length)
{
	held->at += length;
	if (held->at == held->bytes.length) {
		text_clear(&held->bytes);
		held->at = 0;
	}
}

/* How much to pass on of so much: a few bytes as often as any other length. */
static size_t draw_length(struct filter *f, size_t available)
{
	struct random *random = loop_random(f->stream.loop);
	size_t most = available < BUFFER_CAPACITY ? available : BUFFER_CAPACITY;

	if (random_below(random, 2) == 0 && most > FEW)
		most = FEW;
	return 1 + random_below(random, (uint32_t)most);
}

static void delay(struct filter *f, struct timer *timer)
{
	struct loop *loop = f->stream.loop;

	if (!timer_is_set(timer))
		timer_set(loop, timer, loop_now(loop) + random_below(loop_random(loop), LONGEST_DELAY_US) * CLOCK_US);
}

static struct filter *of_stream(struct stream *stream)
{
	struct filter *f = (struct filter *)(void *)stream;

	CHECK_MAGIC(f, MAGIC);
	CHECK(!f->closed && !f->lingering);
	return f;
}

static void close_below(struct filter *f, enum stream_closing how)
{
	if (!f->below)
		return;
	f->below->ops->close(f->below, how);
	f->below = NULL;
}

/* Freed by the task, when nothing of it is on the stack any more. */
static void bury(struct filter *f)
{
	struct loop *loop = f->stream.loop;

	f->closed = true;
	timer_cancel(loop, &f->in_timer);
	timer_cancel(loop, &f->out_timer);
	timer_cancel(loop, &f->linger_timer);
	task_set(loop, &f->task);
}

static void run(void *owner)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	if (!f->closed) {
		bool tell = f->handshake;

		f->handshake = false;
		if (tell)
			f->stream.events->connected(f->stream.owner);
		return;
	}
	text_free(&f->in.bytes);
	text_free(&f->out.bytes);
	f->magic = 0;
	memory_free(f);
}

/* --- towards the owner --- */

static void set_below_paused(struct filter *f)
{
	bool want = held_length(&f->in) >= MOST_HELD;

	if (want == f->below_paused || !f->below)
		return;
	f->below_paused = want;
	if (want)
		stream_pause(f->below);
	else
		stream_resume(f->below);
}

static void deliver(void *owner)
{
	struct filter *f = owner;
	size_t length = held_length(&f->in);
	struct buffer *buffer;

	CHECK_MAGIC(f, MAGIC);
	if (f->closed || f->lingering || f->paused || f->failed)
		return;
	if (length > 0) {
		buffer = buffer_get(loop_buffers(f->stream.loop));
		if (!buffer) {
			below_failed(f, ERROR_LIMIT);
			return;
		}
		length = draw_length(f, length);
		memcpy(buffer->bytes, f->in.bytes.bytes + f->in.at, length);
		buffer->filled = (uint32_t)length;
		held_skip(&f->in, length);
		set_below_paused(f);
		delay(f, &f->in_timer);
		f->stream.events->received(f->stream.owner, buffer);
	} else if (f->below_ended && !f->told_ended) {
		f->told_ended = true;
		f->stream.events->ended(f->stream.owner);
	}
}

static void below_received(void *owner, struct buffer *buffer)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	CHECK(!f->below_paused);
	if (!f->lingering) {
		text_append(&f->in.bytes, slice_make(buffer->bytes, buffer->filled));
		delay(f, &f->in_timer);
		set_below_paused(f);
	}
	buffer_unref(buffer);
}

static void below_ended(void *owner)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	f->below_ended = true;
	if (!f->lingering)
		delay(f, &f->in_timer);
}

static void below_connected(void *owner)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	f->connecting = false;
	if (!f->lingering)
		f->stream.events->connected(f->stream.owner);
}

static void below_failed(void *owner, int error)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	f->failed = true;
	timer_cancel(f->stream.loop, &f->in_timer);
	timer_cancel(f->stream.loop, &f->out_timer);
	if (f->lingering) {
		close_below(f, STREAM_CLOSE);
		bury(f);
	} else {
		f->stream.events->failed(f->stream.owner, error);
	}
}

/* --- towards the peer --- */

/* All has gone to the stream below, and from there. */
static void out_is_empty(struct filter *f)
{
	if (f->lingering) {
		close_below(f, STREAM_LINGER);
		bury(f);
		return;
	}
	if (f->finishing && !f->finished) {
		f->finished = true;
		stream_finish(f->below);
	}
	if (f->want_drained) {
		f->want_drained = false;
		f->stream.events->drained(f->stream.owner);
	}
}

static void push(void *owner)
{
	struct filter *f = owner;
	size_t length = held_length(&f->out);
	struct buffer *buffer;
	struct piece piece;

	CHECK_MAGIC(f, MAGIC);
	if (f->closed || f->failed || f->below_waiting > 0)
		return;
	if (length == 0) {
		out_is_empty(f);
		return;
	}
	buffer = buffer_get(loop_buffers(f->stream.loop));
	if (!buffer) {
		below_failed(f, ERROR_LIMIT);
		return;
	}
	length = draw_length(f, length);
	memcpy(buffer->bytes, f->out.bytes.bytes + f->out.at, length);
	buffer->filled = (uint32_t)length;
	held_skip(&f->out, length);
	piece = piece_of(buffer, buffer->bytes, length);
	buffer_unref(buffer);
	f->below_waiting = stream_take(f->below, &piece, 1);
	delay(f, &f->out_timer);
}

static void below_drained(void *owner)
{
	struct filter *f = owner;

	CHECK_MAGIC(f, MAGIC);
	f->below_waiting = 0;
	delay(f, &f->out_timer);
}

static void linger_over(void *owner)
{
	struct filter *f = owner;

	close_below(f, STREAM_CLOSE);
	bury(f);
}

static const struct stream_events below_events = {
	.connected = below_connected,
	.received = below_received,
	.ended = below_ended,
	.drained = below_drained,
	.failed = below_failed,
};

/* --- what the owner does --- */

static size_t take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	struct filter *f = of_stream(stream);

	CHECK(count <= 64 && !f->finishing);
	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];

		if (!f->failed && piece.length > 0)
			text_append(&f->out.bytes, slice_make(piece.at, piece.length));
		piece_release(&piece);
	}
	if (f->failed)
		return 0;
	if (held_length(&f->out) > 0) {
		f->want_drained = true;
		delay(f, &f->out_timer);
	}
	return held_length(&f->out) + f->below_waiting;
}

static void pause_stream(struct stream *stream)
{
	of_stream(stream)->paused = true;
}

static void resume_stream(struct stream *stream)
{
	struct filter *f = of_stream(stream);

	f->paused = false;
	if (!f->failed)
		delay(f, &f->in_timer);
}

static void finish(struct stream *stream)
{
	struct filter *f = of_stream(stream);

	f->finishing = true;
	if (!f->failed)
		delay(f, &f->out_timer);
}

static void close_stream(struct stream *stream, enum stream_closing how)
{
	struct filter *f = of_stream(stream);

	if (how != STREAM_LINGER || f->failed) {
		close_below(f, how);
		bury(f);
		return;
	}
	f->lingering = true;
	f->stream.events = NULL;
	f->stream.owner = NULL;
	timer_cancel(f->stream.loop, &f->in_timer);
	timer_set(f->stream.loop, &f->linger_timer, loop_now(f->stream.loop) + 5 * CLOCK_SECOND);
	delay(f, &f->out_timer);
}

static void addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	const struct filter *f = (const struct filter *)(const void *)stream;

	CHECK_MAGIC(f, MAGIC);
	stream_addresses(f->below, local, remote);
}

static const struct stream_security *security(const struct stream *stream)
{
	const struct filter *f = (const struct filter *)(const void *)stream;

	CHECK_MAGIC(f, MAGIC);
	if (f->secured)
		return f->connecting || f->handshake ? NULL : &f->facts;
	return stream_security(f->below);
}

#define OPS .take = take, .pause = pause_stream, .resume = resume_stream, .finish = finish, .close = close_stream, .addresses = addresses

/* What is in plain text below has no security to tell, rather than one that isn't settled yet. */
static const struct stream_ops plain_ops = { OPS };
static const struct stream_ops secured_ops = { OPS, .security = security };

void filter_secure(struct stream *stream, const char *alpn, bool accepted)
{
	struct filter *f = of_stream(stream);

	f->stream.ops = &secured_ops;
	f->secured = true;
	f->handshake = accepted;
	f->connecting = !accepted;
	f->facts = (struct stream_security){ .version = SLICE("TLSv1.3"), .alpn = slice_of(alpn) };
	if (accepted)
		task_set(stream->loop, &f->task);
}

struct stream *filter_new(struct stream *below, struct loop *loop)
{
	struct filter *f = memory_new(sizeof *f);

	f->stream = (struct stream){ .ops = below->ops->security ? &secured_ops : &plain_ops, .loop = loop };
	f->magic = MAGIC;
	f->below = below;
	f->paused = true;
	timer_init(&f->in_timer, deliver, f);
	timer_init(&f->out_timer, push, f);
	timer_init(&f->linger_timer, linger_over, f);
	task_init(&f->task, run, f);
	stream_own(below, &below_events, f);
	stream_resume(below);
	return &f->stream;
}
