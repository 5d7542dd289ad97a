/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http2.h: the HTTP/2 codec (RFC 9113): frames, settings, and header blocks as heads and back.
 *
 * Pure: no I/O, no clock, no heap. Streams, flow control and what a connection does about an error are session/'s. One thread.
 *
 * Header blocks become heads whose lines lie in pooled buffers that the heads of a connection share. All of RFC 9113 sections 8.2
 * and 8.3 is checked, and what an HTTP/1 message could not say is refused, so that nothing is smuggled when it is sent on
 * as one.
 *
 *	http2_parse_frame(bytes, &frame);                                // 9 bytes
 *	http2_reader_init(&reader, &limits, tables, buffers, large);
 *	e = http2_read_request(&reader, block, ends, &head, &buffer);    // the caller owns a reference to the buffer
 *	http2_reader_fini(&reader);
 *	room = HTTP2_FRAME_HEAD + http2_head_room(&head);
 *	written = http2_write_response(out, &head, METHOD_GET, 0) - out;
 */
#ifndef WIRE_HTTP2_H
#define WIRE_HTTP2_H

#include "base/buffer.h"
#include "wire/head.h"
#include "wire/hpack.h"

/* ---- frames (section 4.1 and 6) ---- */

enum http2_type {
	HTTP2_DATA,
	HTTP2_HEADERS,
	HTTP2_PRIORITY,
	HTTP2_RST_STREAM,
	HTTP2_SETTINGS,
	HTTP2_PUSH_PROMISE,
	HTTP2_PING,
	HTTP2_GOAWAY,
	HTTP2_WINDOW_UPDATE,
	HTTP2_CONTINUATION,
};

enum http2_flag {
	HTTP2_END_STREAM = 0x1,
	HTTP2_ACK = 0x1,
	HTTP2_END_HEADERS = 0x4,
	HTTP2_PADDED = 0x8,
	HTTP2_HAS_PRIORITY = 0x20,
};

/* Section 7 */
enum http2_error {
	HTTP2_NO_ERROR,
	HTTP2_PROTOCOL_ERROR,
	HTTP2_INTERNAL_ERROR,
	HTTP2_FLOW_CONTROL_ERROR,
	HTTP2_SETTINGS_TIMEOUT,
	HTTP2_STREAM_CLOSED,
	HTTP2_FRAME_SIZE_ERROR,
	HTTP2_REFUSED_STREAM,
	HTTP2_CANCEL,
	HTTP2_COMPRESSION_ERROR,
	HTTP2_CONNECT_ERROR,
	HTTP2_ENHANCE_YOUR_CALM,
	HTTP2_INADEQUATE_SECURITY,
	HTTP2_HTTP_1_1_REQUIRED,
};

enum {
	HTTP2_PREFACE_LENGTH = 24,
	HTTP2_FRAME_HEAD = 9,
	HTTP2_FRAME_MOST = 16384,   /* the least that everybody takes, and the most that we send */
	HTTP2_WINDOW_FIRST = 65535, /* of streams and connections, before anybody has said otherwise */
	HTTP2_SETTING_LENGTH = 6,
	HTTP2_PING_LENGTH = 8,
};
#define HTTP2_WINDOW_MOST INT32_MAX
#define HTTP2_STREAM_MOST UINT32_C(0x7fffffff)

struct http2_frame {
	uint32_t length; /* of the payload */
	uint32_t stream;
	uint8_t type; /* enum http2_type, or one that is not known */
	uint8_t flags;
};

extern const char http2_preface[HTTP2_PREFACE_LENGTH + 1];

/* Big-endian numbers. */
uint32_t http2_get32(const char bytes[4]);

void http2_parse_frame(const char bytes[HTTP2_FRAME_HEAD], struct http2_frame *frame);

/* Each writes a frame, or only its head, at `out` and answers where it ends. */
char *http2_put_frame(char *out, size_t length, enum http2_type type, unsigned flags, uint32_t stream);
enum {
	HTTP2_RST_STREAM_ROOM = HTTP2_FRAME_HEAD + 4,
	HTTP2_WINDOW_UPDATE_ROOM = HTTP2_FRAME_HEAD + 4,
	HTTP2_PING_ROOM = HTTP2_FRAME_HEAD + HTTP2_PING_LENGTH,
	HTTP2_GOAWAY_ROOM = HTTP2_FRAME_HEAD + 8,
};
char *http2_put_rst_stream(char *out, uint32_t stream, enum http2_error code);
char *http2_put_window_update(char *out, uint32_t stream, uint32_t increment);
char *http2_put_ping(char *out, const char payload[HTTP2_PING_LENGTH], bool ack);
char *http2_put_goaway(char *out, uint32_t last_stream, enum http2_error code);

/* ---- settings (section 6.5.2, and RFC 8441 section 3) ---- */

enum http2_setting {
	HTTP2_HEADER_TABLE_SIZE = 1,
	HTTP2_ENABLE_PUSH,
	HTTP2_MAX_CONCURRENT_STREAMS,
	HTTP2_INITIAL_WINDOW_SIZE,
	HTTP2_MAX_FRAME_SIZE,
	HTTP2_MAX_HEADER_LIST_SIZE,
	HTTP2_ENABLE_CONNECT_PROTOCOL = 8,
};

/* What is of use to us of the peer's. */
struct http2_settings {
	uint32_t max_concurrent_streams;
	uint32_t initial_window_size;
	uint32_t max_frame_size;
	bool enable_connect_protocol;
};

void http2_settings_init(struct http2_settings *settings);
/* One of HTTP2_SETTING_LENGTH bytes, from a server or from a client. The code to end the connection with, or HTTP2_NO_ERROR. */
enum http2_error http2_settings_apply(struct http2_settings *settings, const char *bytes, bool from_server);
char *http2_put_setting(char *out, enum http2_setting setting, uint32_t value);

/* ---- reading header blocks ---- */

/* In bytes; 0 takes the default. The same as struct http1_limits, so that a head is as large over either version. */
struct http2_limits {
	uint32_t max_line_bytes; /* the target; 4096 */
	uint32_t max_head_bytes; /* all lines; 8192 */
	uint32_t max_fields;     /* at most and by default HEAD_MAX_FIELDS */
};

/* One for a connection. */
struct http2_reader {
	struct hpack_decoder decoder;
	struct http2_limits limits;
	struct pool *buffers, *large;
	struct buffer *lines; /* where heads are laid, one behind the other; NULL: none yet */
	uint16_t status;      /* of a refusal for its size: 414 or 431; 503: there was no large buffer */
	const char *reason;   /* of any refusal: static, without a full stop */
};

/* `large`: of BUFFER_LARGE_CAPACITY, each for one head that outgrows the others; NULL: such heads are too large. */
void http2_reader_init(
	struct http2_reader *reader, const struct http2_limits *limits, struct pool *tables, struct pool *buffers, struct pool *large);
void http2_reader_fini(struct http2_reader *reader);
/* Gives back the buffer that the next head would be laid into: nothing is going on. */
void http2_reader_rest(struct http2_reader *reader);

/* Each reads a whole block. `ends`: nothing follows it. *buffer is what the lines lie in, with a reference for the caller.
 * Errors, after all of which but the first two the connection can go on:
 * ERROR_SYNTAX: it can't be decoded (COMPRESSION_ERROR), ERROR_NO_MEMORY;
 * ERROR_INVALID: the message is malformed (section 8.1.1), reader->reason; ERROR_LIMIT: too large, reader->status and ->reason. */
MUST_CHECK int http2_read_request(struct http2_reader *reader, struct slice block, bool ends, struct head *head, struct buffer **buffer);
MUST_CHECK int http2_read_response(
	struct http2_reader *reader, struct slice block, bool ends, enum method request_method, struct head *head, struct buffer **buffer);
/* The fields are head->fields[0 .. field_count]; those that may not be in trailers are left out, and those of the connection
 * malformed (section 8.2.2). */
MUST_CHECK int http2_read_trailers(struct http2_reader *reader, struct slice block, struct head *head, struct buffer **buffer);
/* A block that nobody wants. ERROR_SYNTAX, ERROR_NO_MEMORY. */
MUST_CHECK int http2_skip_block(struct http2_reader *reader, struct slice block);

/* A field for the head that was read last, in its buffer. ERROR_LIMIT. */
MUST_CHECK int http2_head_add(struct head *head, struct buffer *buffer, struct slice name, struct slice value);

/* ---- writing header blocks: each answers where it ends ---- */

/* The room that a head's block needs at most. */
size_t http2_head_room(const struct head *head);
/* `scheme`: when the head has none. extended: as an extended CONNECT with the protocol that the Upgrade field names. */
char *http2_write_request(char *out, const struct head *head, struct slice scheme, bool extended);
/* `status`: 0, or instead of the head's. An informational head, too. */
char *http2_write_response(char *out, const struct head *head, enum method request_method, unsigned status);
size_t http2_trailers_room(const struct fields *trailers);
char *http2_write_trailers(char *out, const struct fields *trailers);

#endif
