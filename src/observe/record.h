/* SPDX-License-Identifier: Apache-2.0 */
/* observe/record.h: what an exchange leaves behind: a decision record of 64 bytes, always; and a recent request, sampled.
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
	uint8_t spare[5];
};

_Static_assert(sizeof(struct record) == 64, "a decision record is one cache line");

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
