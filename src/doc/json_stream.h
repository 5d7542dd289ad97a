/* SPDX-License-Identifier: Apache-2.0 */
/* doc/json_stream.h: JSON that is longer than anybody wants to hold: cut, while it comes, into texts that are parsed one by one.
 *
 * Two shapes. A *list*: one object that has an array under a key (`items`, as Kubernetes' lists have): each element is told alone, and
 * so is each other member of the object. *Objects*: one behind the other, as a watch sends them, blanks between. Bytes may
 * be cut anywhere. No more is held than the text being read, and that only if it isn't whole in the bytes that came.
 *
 * What is between the texts is read as strictly as RFC 8259 has it. A text itself is only cut at its end (brackets are counted, strings
 * skipped): who is told it has it parsed (document_parse), which refuses what is no JSON. Heap; one thread at a time.
 *
 *	static const struct json_stream_events events = { .item = item, .member = member };
 *	json_stream_init(&stream, "items", 4 << 20, &events, owner);      // NULL instead of "items": objects
 *	while (more) e = json_stream_feed(&stream, bytes);                // tells item({"metadata":..}), member(kind, "PodList") ...
 *	e = json_stream_end(&stream);                                     // whole?
 *	json_stream_fini(&stream);
 */
#ifndef DOC_JSON_STREAM_H
#define DOC_JSON_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Slices are valid during the call, which must neither feed, end nor fini the stream. What they return, if not 0, ends the reading
 * and is what json_stream_feed returns. */
struct json_stream_events {
	int (*item)(void *owner, struct slice text);                      /* an element of the list; one of the objects */
	int (*member)(void *owner, struct slice key, struct slice value); /* never told of objects: NULL is allowed then */
};

/* All of it is json_stream.c's; `offset` may be read. */
struct json_stream {
	const struct json_stream_events *events;
	void *owner;
	const char *list;
	size_t max_text;
	uint64_t offset;  /* of the next byte, in all that was fed: behind an error, where it is */
	struct text held; /* the text being read, as far as it came with earlier bytes */
	struct text key;  /* of the member being read */
	int failed;       /* what ended the reading */
	uint32_t depth;   /* brackets open in the text being read */
	uint8_t state;    /* enum state */
	bool in_string, escaped, plain;
	bool listed; /* the list was there */
};

/* `list`: the key whose array is told element by element; static; NULL: objects. A text (a key, too) may be `max_text` bytes long. */
void json_stream_init(struct json_stream *stream, const char *list, size_t max_text, const struct json_stream_events *events, void *owner);
void json_stream_fini(struct json_stream *stream);
/* ERROR_SYNTAX (also: the list twice, neither array nor null, a key written with escapes), ERROR_LIMIT (a text is too long), or what
 * an event returned. It stays at that: later calls return the same. */
MUST_CHECK int json_stream_feed(struct json_stream *stream, struct slice bytes);
/* ERROR_INCOMPLETE: the bytes ended within a text, or in a list before its closing brace. */
MUST_CHECK int json_stream_end(struct json_stream *stream);

#endif
