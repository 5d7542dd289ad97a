/* SPDX-License-Identifier: Apache-2.0 */
/* Between OpenSSL and the loop's buffers: what it reads comes from the buffer that the stream below delivered, what it writes is
 * gathered in output buffers, which then leave in one take. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>

#include "base/check.h"
#include "tls/stream_parts.h"

/* --- reading --- */

static int read_bytes(BIO *bio, char *out, size_t room, size_t *count)
{
	struct tls_stream *s = BIO_get_data(bio);
	size_t there = s->input ? s->input->filled - s->input_at : 0;

	BIO_clear_retry_flags(bio);
	if (there == 0) {
		*count = 0;
		BIO_set_retry_read(bio);
		return -1;
	}
	if (room > there)
		room = there;
	memcpy(out, s->input->bytes + s->input_at, room);
	s->input_at += (uint32_t)room;
	*count = room;
	return 1;
}

/* --- writing --- */

static void pass_on(struct tls_stream *s)
{
	struct flight *flight = &s->pools->flight;
	struct piece pieces[FLIGHT_MOST];

	for (unsigned i = 0; i < flight->count; i++) {
		struct buffer *buffer = flight->buffers[i];

		pieces[i] = piece_of(buffer, buffer->bytes, buffer->filled);
		buffer_unref(buffer);
	}
	unsigned count = flight->count;
	flight->count = 0;
	if (count)
		s->below_waiting = stream_take(s->below, pieces, count);
}

/* With room for `wanted` bytes, as far as one buffer has it: records are not cut without need. */
static struct buffer *room_for(struct tls_stream *s, size_t wanted)
{
	struct flight *flight = &s->pools->flight;
	struct buffer *last = flight->count ? flight->buffers[flight->count - 1] : NULL;

	if (last && (buffer_room(last) >= wanted || (wanted > last->capacity && buffer_room(last) > 0)))
		return last;
	if (flight->count == FLIGHT_MOST)
		pass_on(s);
	last = buffer_get(loop_buffers(s->stream.loop));
	if (!last)
		return NULL;
	last->filled = 0;
	flight->buffers[flight->count++] = last;
	return last;
}

static int write_bytes(BIO *bio, const char *bytes, size_t length, size_t *count)
{
	struct tls_stream *s = BIO_get_data(bio);
	size_t left = length;

	BIO_clear_retry_flags(bio);
	while (left > 0) {
		struct buffer *buffer = room_for(s, left);

		if (!buffer) {
			s->pools->flight.failed = true;
			return -1;
		}
		size_t some = buffer_room(buffer) < left ? buffer_room(buffer) : left;
		memcpy(buffer->bytes + buffer->filled, bytes, some);
		buffer->filled += (uint32_t)some;
		bytes += some;
		left -= some;
	}
	*count = length;
	return 1;
}

static long control(BIO *bio, int command, long number, void *at)
{
	(void)bio;
	(void)number;
	(void)at;
	return command == BIO_CTRL_FLUSH;
}

/* --- the BIO --- */

static const BIO_METHOD *method(void)
{
	static BIO_METHOD *made;
	int type;

	if (made)
		return made;
	type = BIO_get_new_index();
	made = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "weft stream");
	if (!made || !BIO_meth_set_read_ex(made, read_bytes) || !BIO_meth_set_write_ex(made, write_bytes) ||
		!BIO_meth_set_ctrl(made, control))
		check_out_of_memory("OpenSSL");
	return made;
}

void flight_prepare(void)
{
	(void)method();
}

BIO *flight_bio(struct tls_stream *s)
{
	BIO *bio = BIO_new(method());

	if (!bio)
		return NULL;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	return bio;
}

static void drop(struct flight *flight)
{
	for (unsigned i = 0; i < flight->count; i++)
		buffer_unref(flight->buffers[i]);
	flight->count = 0;
	flight->failed = false;
}

bool flight_send(struct tls_stream *s)
{
	bool good = !s->pools->flight.failed;

	s->pools->flight.failed = false;
	pass_on(s);
	return good;
}

/* --- what the owner sends --- */

static int encrypt(struct tls_stream *s, const char *bytes, size_t length)
{
	size_t written;

	if (length == 0)
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(s->ssl, bytes, length, &written) == 1 && written == length)
		return 0;
	return s->pools->flight.failed ? ERROR_LIMIT : ERROR_IO;
}

/* As few records as the bytes need: each is full but the last. Whole records inside one piece are encrypted from where they lie. */
static int encrypt_all(struct tls_stream *s, const struct piece *pieces, unsigned count)
{
	char *stage = s->pools->stage;
	size_t staged = 0;
	int e = 0;

	for (unsigned i = 0; i < count && !e; i++) {
		const char *at = pieces[i].at;
		size_t left = pieces[i].length;

		while (left > 0 && !e) {
			bool whole = staged == 0 && (left >= RECORD_MOST || i + 1 == count);
			size_t some = whole || staged + left > RECORD_MOST ? RECORD_MOST - staged : left;

			if (some > left)
				some = left;
			if (whole) {
				e = encrypt(s, at, some);
			} else {
				memcpy(stage + staged, at, some);
				staged += some;
			}
			at += some;
			left -= some;
			if (staged == RECORD_MOST) {
				e = encrypt(s, stage, staged);
				staged = 0;
			}
		}
	}
	return e ? e : encrypt(s, stage, staged);
}

int flight_write(struct tls_stream *s, const struct piece *pieces, unsigned count)
{
	int e = encrypt_all(s, pieces, count);

	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];

		piece_release(&piece);
	}
	/* A record that failed may count already: then the peer can't read the alert that OpenSSL writes behind it. */
	if (e) {
		drop(&s->pools->flight);
		s->alerted = false;
	} else if (!flight_send(s)) {
		e = ERROR_LIMIT;
	}
	return e;
}
