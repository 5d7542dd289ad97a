/* SPDX-License-Identifier: Apache-2.0 */
/* wire/head.h: the head of an HTTP message, whatever version carried it. Pure; one thread.
 *
 * A head owns nothing: its slices lie in the buffer that it was decoded from, or in the exchange's arena. Fields keep the
 * order in which they came. A field is one line in memory, `name: value CRLF`, as HTTP/1 sends it, so that a run of
 * untouched fields is copied in one piece; codecs of other versions use name and value.
 *
 * Changing a head: head_drop marks a field as not forwarded; head_add appends one whose line lies in an arena.
 *
 *	struct field *f = head_find(head, FIELD_HOST);
 *	head_drop_all(head, FIELD_L5D_DTAB);
 *	head_add(head, &arena, FIELD_VIA, SLICE("Via"), SLICE("1.1 linkerd"));
 */
#ifndef WIRE_HEAD_H
#define WIRE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

/* Field names that weft itself looks at, recognised once when decoded (a perfect hash over the lower-case name).
 * X(id suffix, lower-case name). */
#define FIELD_TABLE(X) \
	X(ACCEPT_ENCODING, "accept-encoding") \
	X(B3, "b3") \
	X(CONNECTION, "connection") \
	X(CONTENT_LENGTH, "content-length") \
	X(CONTENT_TYPE, "content-type") \
	X(COOKIE, "cookie") \
	X(DATE, "date") \
	X(EXPECT, "expect") \
	X(FORWARDED, "forwarded") \
	X(GRPC_MESSAGE, "grpc-message") \
	X(GRPC_STATUS, "grpc-status") \
	X(GRPC_TIMEOUT, "grpc-timeout") \
	X(HOST, "host") \
	X(HTTP2_SETTINGS, "http2-settings") \
	X(KEEP_ALIVE, "keep-alive") \
	X(LOCATION, "location") \
	X(MAX_FORWARDS, "max-forwards") \
	X(PROXY_AUTHENTICATE, "proxy-authenticate") \
	X(PROXY_AUTHORIZATION, "proxy-authorization") \
	X(PROXY_CONNECTION, "proxy-connection") \
	X(REFERER, "referer") \
	X(RETRY_AFTER, "retry-after") \
	X(SERVER, "server") \
	X(TE, "te") \
	X(TRACEPARENT, "traceparent") \
	X(TRAILER, "trailer") \
	X(TRANSFER_ENCODING, "transfer-encoding") \
	X(UPGRADE, "upgrade") \
	X(USER_AGENT, "user-agent") \
	X(VIA, "via") \
	X(X_B3_TRACEID, "x-b3-traceid") \
	X(X_FORWARDED_CLIENT_CERT, "x-forwarded-client-cert") \
	X(X_FORWARDED_FOR, "x-forwarded-for") \
	X(X_FORWARDED_PROTO, "x-forwarded-proto") \
	X(X_REQUEST_ID, "x-request-id") \
	X(L5D_ADD_CONTEXT, "l5d-add-context") \
	X(L5D_CTX_DEADLINE, "l5d-ctx-deadline") \
	X(L5D_CTX_DTAB, "l5d-ctx-dtab") \
	X(L5D_CTX_TRACE, "l5d-ctx-trace") \
	X(L5D_DST_CLIENT, "l5d-dst-client") \
	X(L5D_DST_RESIDUAL, "l5d-dst-residual") \
	X(L5D_DST_SERVICE, "l5d-dst-service") \
	X(L5D_DTAB, "l5d-dtab") \
	X(L5D_ERR, "l5d-err") \
	X(L5D_NAME, "l5d-name") \
	X(L5D_REQID, "l5d-reqid") \
	X(L5D_RETRYABLE, "l5d-retryable") \
	X(L5D_SAMPLE, "l5d-sample") \
	X(L5D_SUCCESS_CLASS, "l5d-success-class")

enum field_id {
	FIELD_OTHER,
#define X(id, name) FIELD_##id,
	FIELD_TABLE(X)
#undef X
		FIELD_COUNT
};

/* RFC 9110 section 9, and PATCH. */
enum method {
	METHOD_OTHER, /* any other token: forwarded as it is */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_CONNECT,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PATCH,
};

enum version {
	VERSION_1_0,
	VERSION_1_1,
	VERSION_2,
};

/* How the body that follows is delimited. */
enum body {
	BODY_NONE,        /* there is none, by rule or by length 0 */
	BODY_LENGTH,      /* head.body_length bytes */
	BODY_CHUNKED,     /* unknown length, with an end and perhaps trailers (chunked, or HTTP/2 without a length) */
	BODY_UNTIL_CLOSE, /* responses only: until the connection ends */
};

struct field {
	const char *line; /* name, colon, blanks, value, CRLF */
	uint32_t line_length;
	uint16_t name_length;
	uint16_t value_offset; /* from line */
	uint32_t value_length; /* trimmed */
	uint8_t id;            /* enum field_id */
	uint8_t dropped;       /* not forwarded */
	uint8_t never_indexed; /* HTTP/2: its sender wants no compression to remember it (RFC 7541 section 7.1.3) */
};

enum {
	HEAD_MAX_FIELDS = 128,
	HEAD_ADDED = 16, /* more than what is added to any head that was received */
};

struct head {
	/* requests */
	struct slice method_text;
	struct slice scheme;    /* of an absolute-form target, or :scheme, else empty */
	struct slice authority; /* of an absolute- or authority-form target, or :authority, else the Host field's value */
	struct slice target;    /* what is sent upstream: path and query (origin-form), "*", or an authority for CONNECT */
	struct slice protocol;  /* :protocol of an extended CONNECT (see session/exchange.h), else empty */
	/* responses */
	struct slice reason;
	uint64_t body_length;
	uint16_t status;
	uint8_t method;  /* enum method */
	uint8_t version; /* enum version, as received */
	uint8_t body;    /* enum body */
	bool is_response;
	bool absolute_form;
	bool has_host;         /* a Host field was present */
	bool expects_continue; /* Expect: 100-continue */
	bool upgrades;         /* `Connection: upgrade` together with an Upgrade field */
	bool closes;           /* `Connection: close` */
	bool keeps_alive;      /* `Connection: keep-alive` */
	uint16_t field_count;
	uint16_t short_by; /* its memory ends so many fields before the struct's end: 0, but for heads that are kept (head_size) */
	uint64_t present;  /* bit for each field_id (but FIELD_OTHER) that is present and not dropped */
	struct field fields[HEAD_MAX_FIELDS];
};

/* Trailers. */
struct fields {
	uint16_t count;
	struct field *at;
};

static inline struct slice field_name(const struct field *field)
{
	return (struct slice){ field->line, field->name_length };
}

static inline struct slice field_value(const struct field *field)
{
	return (struct slice){ field->line + field->value_offset, field->value_length };
}

static inline bool head_is_full(const struct head *head)
{
	return head->field_count + head->short_by >= HEAD_MAX_FIELDS;
}

/* The bytes of a head that has room for so many fields. Such a head is copied by head_copy. */
static inline size_t head_size(size_t fields)
{
	return offsetof(struct head, fields) + fields * sizeof(struct field);
}

/* To a whole struct. */
static inline void head_copy(struct head *to, const struct head *from)
{
	memcpy(to, from, head_size(from->field_count));
	to->short_by = 0;
}

static inline bool head_has(const struct head *head, enum field_id id)
{
	return head->present >> id & 1;
}

enum field_id field_identify(struct slice name);
struct slice field_canonical(enum field_id id); /* its lower-case name */
enum method method_identify(struct slice text);
/* The first field that is not dropped, or NULL. head_find_next goes on behind `after`. */
struct field *head_find(struct head *head, enum field_id id);
struct field *head_find_next(struct head *head, const struct field *after);
struct field *head_find_name(struct head *head, struct slice name); /* any name, case ignored */
void head_drop(struct head *head, struct field *field);
void head_drop_all(struct head *head, enum field_id id);
/* ERROR_LIMIT (too many fields), ERROR_NO_MEMORY (arena), ERROR_INVALID (CR, LF or NUL in name or value). */
MUST_CHECK int head_add(struct head *head, struct arena *arena, enum field_id id, struct slice name, struct slice value);
/* The same with a line, CRLF included, that the caller has made, in memory that outlives the head. */
MUST_CHECK int head_add_line(struct head *head, enum field_id id, struct slice line, unsigned name_length, unsigned value_offset);
/* Drops what belongs to one connection only (RFC 9110 section 7.6.1): Connection, all that it names, Keep-Alive,
 * Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Trailer, Transfer-Encoding, Upgrade.
 * With keep_upgrade, Upgrade is kept (the codec writes the Connection field again). */
void head_drop_hop_by_hop(struct head *head, bool keep_upgrade);
/* The standard reason phrase, or "" */
struct slice status_reason(unsigned status);

#endif
