/* SPDX-License-Identifier: Apache-2.0 */
/* observe/span.h: one hop of a trace, as a worker writes it into a ring (observe/ring.h) and as what exports it reads it there.
 *
 * A server span is a request as its router saw it; a client span, whose parent it is, an attempt at it. Names longer than their place are
 * cut; all end in NUL. Pure.
 */
#ifndef OBSERVE_SPAN_H
#define OBSERVE_SPAN_H

#include <stdint.h>

#include "base/slice.h"
#include "io/address.h"

enum span_kind {
	SPAN_SERVER,
	SPAN_CLIENT,
};

/* Why a span has failed, where its status doesn't say it. */
enum span_error {
	SPAN_FINE,
	SPAN_STATUS,   /* the status says it: 5xx, or what gRPC calls a server's error */
	SPAN_CONNECT,  /* no connection to the endpoint */
	SPAN_REFUSED,  /* the endpoint did not process it */
	SPAN_RESET,    /* the connection broke */
	SPAN_PROTOCOL, /* the endpoint's bytes were no acceptable response */
	SPAN_TIMEOUT,
	SPAN_CANCELED, /* nobody waited any more */
	SPAN_OVERLOAD, /* a limit of ours */
	SPAN_CUT,      /* the response came without its end */
	SPAN_ERRORS,
};

enum {
	SPAN_NAME = 96,
	SPAN_LABEL = 24,
	SPAN_AUTHORITY = 64,
	SPAN_METHOD = 16,
	SPAN_NO_GRPC = 255,
};

struct span {
	uint64_t trace_high, trace, id;
	uint64_t parent; /* 0: it has none */
	int64_t began;   /* ns since 1970 */
	int64_t lasted;  /* ns */
	struct address peer;
	uint16_t status;    /* of HTTP; 0: none */
	uint8_t kind;       /* enum span_kind */
	uint8_t error;      /* enum span_error */
	uint8_t rpc;        /* it is gRPC, and `rpc_method` says which method */
	uint8_t rpc_status; /* enum grpc_status; SPAN_NO_GRPC: none */
	uint8_t resends;    /* client: how many attempts came before */
	uint8_t version;    /* enum version, of the request */
	char router[SPAN_LABEL];
	char method[SPAN_METHOD];
	char authority[SPAN_AUTHORITY];
	char path[SPAN_NAME];       /* without query; empty for gRPC */
	char rpc_method[SPAN_NAME]; /* "pkg.Greeter/Hello" */
	char service[SPAN_NAME];    /* "/svc/hello" */
	char client[SPAN_NAME];     /* a bound id */
	uint8_t inferred;           /* server: the parent was not told, it is the one request that the caller works on */
	char rest[3];
};

_Static_assert(sizeof(struct span) % 8 == 0, "rings hold whole words");

/* "connection_error"; static; NULL for those that have no name of their own (SPAN_FINE, SPAN_STATUS). */
const char *span_error_text(enum span_error error);
/* Its error.type of OpenTelemetry: that, or the status; empty: none. `text` is room for it. */
enum { SPAN_ERROR_TEXT = 24 };
struct slice span_error_type(const struct span *span, char text[SPAN_ERROR_TEXT]);
/* What it is called: gRPC's method, or HTTP's. */
struct slice span_name(const struct span *span);

#endif
