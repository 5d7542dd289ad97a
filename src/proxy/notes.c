/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/notes.h"

#include "proxy/worker.h"

static void write_text(struct exchange *exchange, enum note_kind kind, struct slice text)
{
	struct note note = { .number = notes_number(exchange), .kind = (uint8_t)kind };

	note.length = (uint8_t)(text.length < NOTE_TEXT ? text.length : NOTE_TEXT);
	memcpy(note.text, text.at, note.length);
	ring_write(exchange->worker->notes, &note);
}

void notes_dtab(struct exchange *exchange)
{
	exchange->flags |= FLAG_OWN_DTAB;
	write_text(exchange, NOTE_DTAB, exchange->local_dtab);
}

void notes_answer(struct exchange *exchange, struct slice text)
{
	write_text(exchange, NOTE_ANSWER, text);
}

static uint32_t microseconds(int64_t ns)
{
	return ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

void notes_attempt(struct exchange *exchange, unsigned status, int64_t wait_ns)
{
	struct note note = { .number = notes_number(exchange), .kind = NOTE_ATTEMPT, .status = (uint16_t)status };

	note.attempt.client = exchange->leaf->client->hash;
	note.attempt.endpoint = exchange->last_address;
	note.attempt.began_us = microseconds(exchange->attempt_began - exchange->began);
	note.attempt.took_us = microseconds(exchange->attempt_ns);
	note.attempt.wait_us = microseconds(wait_ns > 0 ? wait_ns : 0);
	note.attempt.outcome = exchange->outcome;
	ring_write(exchange->worker->notes, &note);
}
