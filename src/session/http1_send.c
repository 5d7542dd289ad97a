/* SPDX-License-Identifier: Apache-2.0 */
/* Writes bodies and trailers with the framing that the head has announced. Everything goes into the output; the task sends it. */
#include "session/http1_session.h"

#include "base/check.h"

char *http1_send_room(struct http1_session *h, size_t length)
{
	char *at = output_room(&h->output, length);

	if (!at)
		http1_session_end(h, CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
	return at;
}

void http1_send_wrote(struct http1_session *h, size_t length)
{
	output_wrote(&h->output, length);
	http1_session_touch(h);
}

static void send_piece(struct http1_session *h, struct piece piece)
{
	output_piece(&h->output, piece);
	http1_session_touch(h);
}

static void send_chunk(struct http1_session *h, struct piece piece)
{
	char *at = http1_send_room(h, HTTP1_CHUNK_HEAD_ROOM);

	if (!at) {
		piece_release(&piece);
		return;
	}
	http1_send_wrote(h, http1_write_chunk_head(at, piece.length, h->first_chunk));
	h->first_chunk = false;
	send_piece(h, piece);
}

/* Never more than was announced: what is too much would be taken for the next message. */
static void send_counted(struct http1_session *h, struct piece piece)
{
	if (piece.length > h->left) {
		piece.length = h->left;
		h->persistent = false;
	}
	h->left -= piece.length;
	send_piece(h, piece);
}

static void send_by_framing(struct http1_session *h, struct piece piece)
{
	if (h->sending != SENDING_OPAQUE) {
		switch ((enum body)h->framing) {
		case BODY_NONE:
			piece_release(&piece);
			return;
		case BODY_LENGTH:
			send_counted(h, piece);
			return;
		case BODY_CHUNKED:
			send_chunk(h, piece);
			return;
		case BODY_UNTIL_CLOSE:
			break;
		}
	}
	send_piece(h, piece);
}

void http1_send_end(struct http1_session *h)
{
	char *at;

	if (h->sending == SENDING_OPAQUE || h->framing == BODY_UNTIL_CLOSE) {
		h->finish_stream = true;
		http1_session_touch(h);
	} else if (h->framing == BODY_CHUNKED) {
		at = http1_send_room(h, HTTP1_LAST_CHUNK_ROOM);
		if (at)
			http1_send_wrote(h, http1_write_last_chunk(at, h->first_chunk));
	} else if (h->framing == BODY_LENGTH && h->left > 0) {
		/* Less than was announced: the peer must see that it is cut. */
		http1_session_end(h, CLOSING_LINGER, RESET_CANCEL, 0);
	}
	http1_session_send_in(h, SENDING_DONE);
}

void http1_send_nowhere(struct side *side, bool end)
{
	struct http1_session *h = http1_session_of(side->session);

	if (end && h->sending != SENDING_DONE)
		http1_session_send_in(h, SENDING_DONE);
}

bool http1_send_body(struct side *side, struct piece piece, bool end)
{
	struct http1_session *h = http1_session_of_side(side);

	if (!h || h->sending == SENDING_DONE) {
		piece_release(&piece);
		http1_send_nowhere(side, end);
		return true;
	}
	CHECK(h->sending != SENDING_HEAD);
	if (piece.length > 0)
		send_by_framing(h, piece);
	else
		piece_release(&piece);
	if (end && h->closing == CLOSING_NOT)
		http1_send_end(h);
	if (h->closing != CLOSING_NOT)
		http1_send_nowhere(side, end);
	if (output_backlog(&h->output) < h->max_waiting_bytes || end)
		return true;
	h->blocked = true;
	return false;
}

void http1_send_trailers(struct side *side, const struct fields *trailers)
{
	struct http1_session *h = http1_session_of_side(side);
	size_t room, written;
	char *at;

	if (!h || h->sending == SENDING_DONE) {
		http1_send_nowhere(side, true);
		return;
	}
	CHECK(h->sending != SENDING_HEAD);
	if (h->sending == SENDING_OPAQUE || h->framing != BODY_CHUNKED) {
		http1_send_end(h);
		return;
	}
	room = http1_trailers_room(trailers);
	at = http1_send_room(h, room);
	if (at) {
		written = http1_write_trailers(at, room, trailers, h->first_chunk);
		CHECK(written > 0);
		http1_send_wrote(h, written);
	}
	http1_session_send_in(h, SENDING_DONE);
}
