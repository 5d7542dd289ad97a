/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http1.h: the HTTP/1.0 and 1.1 codec (RFC 9112), bytes in and heads, body runs and trailers out, and back again.
 *
 * Pure: no I/O, no clock, no memory of its own. What it decodes are slices of the caller's bytes, which must stay where they
 * are while the head is used. The caller embeds the structs, one for each connection and direction; one thread.
 *
 * Everything that two readers could understand differently is refused, never repaired: see http1_parse.c and http1_body.c.
 *
 *	http1_parser_init(&parser, &limits);
 *	e = http1_parse_request(&parser, bytes, length, &head, &consumed);   // again with more bytes: ERROR_INCOMPLETE
 *	if (e == ERROR_SYNTAX)
 *		answer(parser.status, parser.reason), close();
 *	http1_body_init(&body, &head);
 *	while (!(e = http1_body_decode(&body, rest, &run, &consumed, &step)) && step == HTTP1_DATA) ...
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "wire/head.h"

/* In bytes; 0 takes the default. */
struct http1_limits {
	uint32_t max_line_bytes; /* request or status line without its CRLF; 4096 */
	uint32_t max_head_bytes; /* all field lines and the empty line; 8192, at most 65536; a trailer section too */
	uint32_t max_fields;     /* at most and by default HEAD_MAX_FIELDS */
};

/* What is known of the head (or trailer section) that is being parsed, and why it was refused. */
struct http1_parser {
	struct http1_limits limits; /* defaults filled in */
	uint32_t at;                /* the first line not parsed yet */
	const char *base;           /* the bytes that `at` is an offset in; NULL: nothing parsed yet */
	uint32_t fields_at;         /* the first field line */
	bool in_fields;             /* the first line is parsed */
	uint16_t status;            /* of a refusal: 400, 414, 431, 501, 505 for requests, 502 for responses */
	const char *reason;         /* of a refusal: static, without a full stop */
};

void http1_parser_init(struct http1_parser *parser, const struct http1_limits *limits);

/* Why a first line is refused that has neither a target nor a version of HTTP: its sender speaks something else altogether. */
extern const char http1_not_http[];

/* Forgets the head begun. To be called when its bytes have been moved or `head` was not kept; parsing a head to its end or
 * refusing it does it too. */
void http1_parser_restart(struct http1_parser *parser);

/* Parses a request's head at the start of `bytes`. *consumed is its length with all empty lines.
 * ERROR_INCOMPLETE: to be called again with the same and more bytes, in the same place, and the same head; lines already
 * parsed are not looked at again. What makes a head bad is told as soon as it was received, however it arrives in pieces.
 * ERROR_SYNTAX: parser->status and ->reason say what to answer before closing; *consumed is 0.
 * In one case a byte of the request line is rewritten: `GET http://world?x` gets the slash that it lacks, so that
 * head->target always begins with '/' (or is "*", or CONNECT's authority). */
MUST_CHECK int http1_parse_request(struct http1_parser *parser, char *bytes, size_t length, struct head *head, size_t *consumed);

/* The same for a response (informational ones too: status 100 to 199) to a request with this method. */
MUST_CHECK int http1_parse_response(
	struct http1_parser *parser, char *bytes, size_t length, enum method request_method, struct head *head, size_t *consumed);

/* Parses a trailer section, up to and with its empty line, into `room`. Fields that RFC 9110 section 6.5.1 forbids there
 * (framing, routing, authentication, content's format) are left out. Resumable like a head; ERROR_INCOMPLETE, ERROR_SYNTAX. */
MUST_CHECK int http1_parse_trailers(struct http1_parser *parser, const char *bytes, size_t length, struct field *room, unsigned capacity,
	struct fields *trailers, size_t *consumed);

/* Whether the sender of this head keeps its connection open behind the message (RFC 9112 section 9.3); false also if the
 * message ends by closing, and for responses that carry framing which their status forbids. */
bool http1_persistent(const struct head *head);

/* Whether the bytes are HTTP/2's connection preface (RFC 9113 section 3.4): 0, ERROR_INCOMPLETE if they may become it,
 * ERROR_NOT_FOUND. http1_parse_request refuses it with 505. */
MUST_CHECK int http1_match_preface(struct slice bytes);

/* host [":" port] (RFC 3986 section 3.2, no userinfo): a Host field's value. The empty one is valid. */
bool http1_valid_authority(struct slice authority);

/* ---- bodies ---- */

enum http1_step {
	HTTP1_MORE,     /* all bytes are consumed and more are needed */
	HTTP1_DATA,     /* *data is a run of payload, never empty */
	HTTP1_TRAILERS, /* what follows is a trailer section: http1_parse_trailers goes on; the decoder is done */
	HTTP1_END,      /* the body has ended, without trailers */
};

struct http1_body {
	uint64_t left;      /* of the length, or of the chunk */
	uint32_t extension; /* bytes of chunk extensions so far, bounded */
	uint8_t kind;       /* enum body */
	uint8_t state;      /* http1_body.c */
	uint8_t digits;     /* of the chunk size so far */
	const char *reason; /* after ERROR_SYNTAX: static */
};

/* From head->body and head->body_length. */
void http1_body_init(struct http1_body *body, const struct head *head);

/* One step at the start of `bytes`, which may be empty. *consumed bytes are done with (*data lies in them).
 * ERROR_SYNTAX: the message is broken; the connection can't be used further (status 400). */
MUST_CHECK int http1_body_decode(struct http1_body *body, struct slice bytes, struct slice *data, size_t *consumed, enum http1_step *step);

/* True when nothing more will come: by length this is known with the last run, so that it can be sent on together. */
bool http1_body_ended(const struct http1_body *body);

/* The connection has ended: 0 if the body has, or ended just so (until close); else ERROR_SYNTAX: it was cut short. */
MUST_CHECK int http1_body_close(struct http1_body *body);

/* ---- writing ---- */

enum http1_connection {
	HTTP1_CONNECTION_DEFAULT, /* no Connection field: persistent in HTTP/1.1 */
	HTTP1_CONNECTION_CLOSE,
	HTTP1_CONNECTION_KEEP_ALIVE, /* for HTTP/1.0 clients */
	HTTP1_CONNECTION_UPGRADE,    /* the Upgrade field is sent too */
};

/* The room that a head needs at most, in bytes. */
size_t http1_head_room(const struct head *head);

/* Writes a request as HTTP/1.1 in origin-form (authority-form for CONNECT): Host from head->authority, framing from
 * head->body and ->body_length, every other field as it came unless dropped, without those of the connection (Connection,
 * Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade). Bytes written, or 0: `room` is too small. */
size_t http1_write_request(char *out, size_t room, const struct head *head, enum http1_connection connection);

/* How a response's body goes to a client of this version: without a length, chunked to 1.1 and until close to 1.0. */
enum body http1_response_framing(const struct head *head, enum version client);

/* The same for a response, to a request with this method; `framing` instead of head->body. An informational head too.
 * A Content-Length that came with a response to HEAD, or with a 304, is kept. head->reason with .at NULL: the standard phrase. */
size_t http1_write_response(
	char *out, size_t room, const struct head *head, enum method request_method, enum body framing, enum http1_connection connection);

enum { HTTP1_CHUNK_HEAD_ROOM = 2 + 16 + 2, HTTP1_LAST_CHUNK_ROOM = 2 + 5 };

/* Before a run of `size` > 0 bytes; behind an earlier chunk it begins with that one's CRLF, so that a chunk needs no piece
 * of its own for its end. */
size_t http1_write_chunk_head(char out[HTTP1_CHUNK_HEAD_ROOM], uint64_t size, bool first);

/* The last chunk, without trailers. */
size_t http1_write_last_chunk(char out[HTTP1_LAST_CHUNK_ROOM], bool first);

/* The last chunk, the trailers and the empty line. Bytes written, or 0: `room` is too small. */
size_t http1_trailers_room(const struct fields *trailers);
size_t http1_write_trailers(char *out, size_t room, const struct fields *trailers, bool first);

#endif
