/* SPDX-License-Identifier: Apache-2.0 */
/* observe/record.h: what an exchange leaves behind: a decision record of 64 bytes, always; notes, when there is more to say (a failed
 * attempt, a dtab of its own, an answer from here); and a recent request, sampled.
 *
 * Written by the worker at the end of an exchange into its rings (observe/ring.h), read by the admin thread.
 */
#ifndef OBSERVE_RECORD_H
#define OBSERVE_RECORD_H

#include <stdint.h>

#include "io/address.h"

/* Envoy's response flags, those that can happen here. */
enum response_flag {
	FLAG_NO_ROUTE = 1 << 0,            /* NR: no binding */
	FLAG_NO_HEALTHY_UPSTREAM = 1 << 1, /* UH: bound to no endpoint */
	FLAG_UPSTREAM_CONNECT = 1 << 2,    /* UF: connection failure */
	FLAG_UPSTREAM_RESET = 1 << 3,      /* UC: connection termination */
	FLAG_UPSTREAM_TIMEOUT = 1 << 4,    /* UT */
	FLAG_UPSTREAM_PROTOCOL = 1 << 5,   /* UPE */
	FLAG_RETRY_LIMIT = 1 << 6,         /* URX: would have been retried, but budget or limits forbade */
	FLAG_OVERLOAD = 1 << 7,            /* UO: a limit of ours */
	FLAG_DOWNSTREAM_GONE = 1 << 8,     /* DC */
	FLAG_DOWNSTREAM_PROTOCOL = 1 << 9, /* DPE */
	FLAG_DURATION_TIMEOUT = 1 << 10,   /* DT: total timeout */
	FLAG_LOCAL_REPLY = 1 << 11,        /* the proxy made the response */
	FLAG_RETRIED = 1 << 12,
	FLAG_FORCED = 1 << 13, /* picked though not available */
	FLAG_OWN_DTAB = 1 << 14,
};

struct record {
	int64_t wall_ns; /* when the request came */
	uint64_t trace_id;
	uint64_t service; /* slice_hash(name, 0) */
	uint64_t client;
	uint32_t duration_us;
	uint32_t upstream_us; /* the last attempt */
	uint32_t flags;       /* enum response_flag */
	uint16_t status;
	uint16_t endpoint_port;
	uint8_t endpoint_ip[4]; /* the last four bytes for IPv6 */
	uint8_t attempts;
	uint8_t router;       /* index in the snapshot */
	uint16_t request_kib; /* body bytes / 1024, at most 65535 */
	uint16_t response_kib;
	uint8_t method;
	uint8_t identifier; /* which of the router's named it, its index + 1; 0: none did */
	uint32_t number;    /* its notes have the same */
};

_Static_assert(sizeof(struct record) == 64, "a decision record is one cache line");

enum note_kind {
	NOTE_ATTEMPT, /* one that another followed */
	NOTE_DTAB,    /* text: what came with the request */
	NOTE_ANSWER,  /* text: what weft answered in an endpoint's place */
};

enum { NOTE_TEXT = 240 };

/* Texts are cut at NOTE_TEXT bytes. */
struct note {
	uint32_t number; /* of the record that it belongs to */
	uint8_t kind;    /* enum note_kind */
	uint8_t length;  /* of the text */
	uint16_t status; /* NOTE_ATTEMPT: of the response that was not passed on; 0: none came */
	union {
		struct {
			uint64_t client;
			struct address endpoint;
			uint32_t began_us; /* after the request came */
			uint32_t took_us;
			uint32_t wait_us; /* from its end to the next one's beginning, as planned */
			uint8_t outcome;  /* enum outcome (proxy/outcome.h) */
		} attempt;
		char text[NOTE_TEXT];
	};
};

_Static_assert(sizeof(struct note) % 8 == 0, "rings hold whole words");

enum { RECENT_NAME = 120 };

/* For telemetry io.l5d.recentRequests. Names are cut at RECENT_NAME - 1 bytes and end in NUL. */
struct recent {
	int64_t wall_ns;
	struct address source, server, destination;
	char router[24];
	char service[RECENT_NAME];
	char client[RECENT_NAME];
	uint16_t status;
	uint8_t pad[6];
};

_Static_assert(sizeof(struct recent) % 8 == 0, "rings hold whole words");

#endif
