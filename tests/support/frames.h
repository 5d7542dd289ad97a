/* SPDX-License-Identifier: Apache-2.0 */
/* support/frames.h: a raw end of an HTTP/2 connection: writes frames of any kind, and takes apart what it receives.
 *
 *	frames_new(&frames, pair);
 *	frames_preface(&frames);                                       // the client's, with an empty SETTINGS
 *	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
 *	frames_send(&frames);
 *	frames_settle(&frames);                                        // a second of the world's time; then:
 *	assert_non_null(frames_find(&frames, HTTP2_HEADERS, 1));
 *	pair_free(pair);
 *	frames_free(&frames);                                          // after the pair
 */
#ifndef SUPPORT_FRAMES_H
#define SUPPORT_FRAMES_H

#include "support/pair.h"
#include "wire/http2.h"

/* Fields: "name|value\n" each. */
#define FRAMES_GET ":method|GET\n:scheme|http\n:path|/\n:authority|a\n"
#define FRAMES_POST ":method|POST\n:scheme|http\n:path|/\n:authority|a\n"
#define FRAMES_OK ":status|200\n"

/* One that was received. */
struct frames_seen {
	struct http2_frame frame;
	const char *payload;
	char *fields;  /* of HEADERS whose block is whole: lines */
	uint32_t code; /* of RST_STREAM and GOAWAY */
};

struct frames {
	struct pair *pair;
	struct text out;   /* not sent yet */
	struct text *kept; /* what was sent: it must stay there */
	unsigned kept_count;
	struct frames_seen *seen;
	unsigned count;
	struct pool tables;
};

void frames_new(struct frames *frames, struct pair *pair);
void frames_free(struct frames *frames);

void frames_preface(struct frames *frames);
void frames_put(struct frames *frames, unsigned type, unsigned flags, uint32_t stream, const void *payload, size_t length);
/* END_HEADERS is added to the flags; without it: frames_block and frames_put. */
void frames_headers(struct frames *frames, uint32_t stream, unsigned flags, const char *fields);
struct slice frames_block(const char *fields, char *room);
void frames_data(struct frames *frames, uint32_t stream, unsigned flags, size_t length);
void frames_setting(struct frames *frames, enum http2_setting setting, uint32_t value);
void frames_window(struct frames *frames, uint32_t stream, uint32_t increment);
void frames_reset(struct frames *frames, uint32_t stream, enum http2_error code);
void frames_goaway(struct frames *frames, uint32_t last, enum http2_error code);
void frames_ping(struct frames *frames, const char *payload, bool ack);

void frames_send(struct frames *frames);
/* All that was received so far, in `seen`. */
void frames_read(struct frames *frames);
void frames_settle(struct frames *frames);
void frames_exchange(struct frames *frames); /* sends and settles */
/* Whether five bytes answer FRAMES_GET. */
bool frames_hello(struct frames *frames, uint32_t stream);

/* The first and the last of that type on that stream; NULL: none. */
const struct frames_seen *frames_find(const struct frames *frames, enum http2_type type, uint32_t stream);
const struct frames_seen *frames_last(const struct frames *frames, enum http2_type type, uint32_t stream);
unsigned frames_number(const struct frames *frames, enum http2_type type, uint32_t stream);
/* Payload bytes of all DATA on that stream. */
size_t frames_data_length(const struct frames *frames, uint32_t stream);
/* Of all WINDOW_UPDATE on it. */
uint64_t frames_window_given(const struct frames *frames, uint32_t stream);
/* The code of the GOAWAY that came last; UINT32_MAX: none. */
uint32_t frames_goaway_code(const struct frames *frames);

#endif
