/* SPDX-License-Identifier: Apache-2.0 */
/* What the peer may send: the windows of streams and of the connection (RFC 9113 section 5.2).
 *
 * A stream's window is given back as its exchange takes the bytes, the connection's when they arrive: a slow stream is stopped by its
 * own window, and no other one is. What all streams may so pile up is bounded all the same: where much waits already, the window of
 * every stream is made narrow by SETTINGS (section 6.9.2), until most of it is taken. A peer that goes by its settings never has to
 * wait for the connection's window; one that doesn't acknowledge them is held up as a whole, at `held_most`. */
#include "session/http2_session.h"

enum {
	CONNECTION_WINDOW = 1024 * 1024, /* or a stream's, where that is larger */
	NARROWEST = 512,
	UPDATE_MOST = HTTP2_WINDOW_FIRST / 2, /* of the connection: worth a frame, whatever the share */
};

#define DEFAULT_SHARE 0.5

/* What has to be taken of a window before the peer is told. */
static uint32_t worth_telling(const struct http2_session *h, uint32_t window)
{
	uint32_t worth = window - (uint32_t)((double)window * h->limits.window_share);

	return worth > 0 ? worth : 1;
}

static uint32_t most_streams(const struct http2_session *h)
{
	uint32_t most = h->limits.max_streams;

	return !h->server && h->peer.max_concurrent_streams < most ? h->peer.max_concurrent_streams : most;
}

/* A quarter of what may be held, for all streams that there may be. */
static uint32_t narrow_window(const struct http2_session *h)
{
	uint32_t streams = most_streams(h), narrow = h->limits.max_held_bytes / 4 / (streams > 0 ? streams : 1);

	if (narrow < NARROWEST)
		narrow = NARROWEST;
	return narrow < h->limits.stream_window ? narrow : h->limits.stream_window;
}

static size_t narrow_above(const struct http2_session *h)
{
	return h->limits.max_held_bytes / 2;
}

uint32_t http2_window_of_connection(const struct http2_session *h)
{
	return h->limits.stream_window > CONNECTION_WINDOW ? h->limits.stream_window : CONNECTION_WINDOW;
}

void http2_window_init(struct http2_session *h)
{
	uint32_t own = http2_window_of_connection(h);
	size_t worst = narrow_above(h) + own + (size_t)narrow_window(h) * h->limits.max_streams;

	if (h->limits.window_share <= 0)
		h->limits.window_share = DEFAULT_SHARE;
	h->window = h->window_told = h->limits.stream_window;
	h->stream_worth = worth_telling(h, h->window);
	h->worth = worth_telling(h, own);
	if (h->worth > UPDATE_MOST)
		h->worth = UPDATE_MOST;
	h->held_most = worst > h->limits.max_held_bytes ? worst : h->limits.max_held_bytes;
}

bool http2_window_take(struct http2_session *h, struct http2_stream *s, uint32_t length)
{
	/* Until the peer has acknowledged our settings, it goes by the window that every connection begins with (section 6.9.3). */
	int32_t beyond = h->settings_known || h->window >= HTTP2_WINDOW_FIRST ? 0 : HTTP2_WINDOW_FIRST - (int32_t)h->window;

	s->receive_window -= (int32_t)length;
	return s->receive_window >= -beyond;
}

void http2_window_return(struct http2_session *h)
{
	if (h->unreturned < h->worth)
		return;
	h->withheld = h->held_bytes > h->held_most;
	if (h->withheld)
		return;
	http2_send_window_update(h, 0, h->unreturned);
	h->receive_window += h->unreturned;
	h->unreturned = 0;
}

void http2_window_return_stream(struct http2_session *h, struct http2_stream *s)
{
	if (s->taken < h->stream_worth || s->paused || !s->open || s->receiving != HTTP2_RECEIVING_BODY)
		return;
	http2_send_window_update(h, s->id, s->taken);
	s->receive_window += (int32_t)s->taken;
	s->taken = 0;
}

/* The window that all streams began with is another one. */
static void change(struct http2_session *h)
{
	int32_t by = (int32_t)(h->window_told - h->window);

	h->window = h->window_told;
	h->stream_worth = worth_telling(h, h->window);
	LIST_EACH(&h->streams, link) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link);

		s->receive_window += by;
		if (!s->released)
			http2_window_return_stream(h, s);
	}
}

static void tell(struct http2_session *h, uint32_t window)
{
	char *start = http2_send_room(h, HTTP2_FRAME_HEAD + HTTP2_SETTING_LENGTH);

	if (!start)
		return;
	http2_put_frame(start, HTTP2_SETTING_LENGTH, HTTP2_SETTINGS, 0, 0);
	http2_send_wrote(h, start, http2_put_setting(start + HTTP2_FRAME_HEAD, HTTP2_INITIAL_WINDOW_SIZE, window));
	h->window_unknown = true;
	h->window_told = window;
	/* A larger one may be used before its acknowledgement is here; of a smaller one nothing is known before. */
	if (window > h->window)
		change(h);
}

void http2_window_adapt(struct http2_session *h)
{
	bool narrow = h->window_told < h->limits.stream_window;
	uint32_t narrower;

	if (h->window_unknown || !h->settings_known || h->closing != HTTP2_CLOSING_NOT || h->lost)
		return;
	if (narrow && h->held_bytes < narrow_above(h) / 4) {
		tell(h, h->limits.stream_window);
	} else if (!narrow && h->held_bytes > narrow_above(h)) {
		narrower = narrow_window(h);
		if (narrower < h->window_told)
			tell(h, narrower);
	}
}

void http2_window_taken(struct http2_session *h)
{
	if (h->closing != HTTP2_CLOSING_NOT || h->lost)
		return;
	if (h->withheld)
		http2_window_return(h);
	if (h->window_told < h->limits.stream_window)
		http2_window_adapt(h);
}

void http2_window_known(struct http2_session *h)
{
	h->settings_known = true;
	h->window_unknown = false;
	if (h->window_told != h->window)
		change(h);
	http2_window_adapt(h);
}
