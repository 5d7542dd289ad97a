/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/tap.h: live requests for who asks: those that a filter wants, or a part of them, as they end.
 *
 * A tap has a ring for each worker. The worker draws lots and asks the filter before it copies anything; while nobody taps,
 * an exchange costs one comparison. Who reads the rings too slowly loses the oldest entries, and can tell how many; nobody waits for it.
 *
 *	tap = tap_new(&filter, workers);                     // the thread that reads: admin
 *	e = tap_start(tap, proxy);
 *	seen[i] = ring_read_since(tap_ring(tap, i), seen[i], &lost, visit, owner);    // struct tapped
 *	tap_end(tap);
 *	if (tap_is_idle(tap)) tap_free(tap);                 // some turns of the workers later
 */
#ifndef PROXY_TAP_H
#define PROXY_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "io/address.h"
#include "observe/record.h"

struct exchange;
struct proxy;
struct ring;
struct tap;
struct worker;

enum { TAP_MOST = 4, TAP_RING = 1024, TAP_PATTERN = 256 };

/* Empty patterns and zeros want everything. `*` in a pattern is any run of bytes, `?` any one (slice_like). */
struct tap_filter {
	double rate;               /* the part of all requests that is looked at, 0 to 1 */
	char router[TAP_PATTERN];  /* a label */
	char service[TAP_PATTERN]; /* of its name, with or without its first step */
	char path[TAP_PATTERN];    /* of the target, without its query */
	char method[TAP_PATTERN];  /* exactly */
	char header[TAP_PATTERN];  /* name of a field of the request, case ignored */
	char header_value[TAP_PATTERN];
	uint16_t status_from, status_to; /* of the response; 0: whatever */
	uint32_t min_latency_us;
};

/* Names are cut to their places, and end in NUL. */
struct tapped {
	struct record record;
	struct address source, destination; /* destination: of the last attempt; none: there was none */
	uint64_t request_bytes, response_bytes;
	uint8_t retries, requeues, grpc_status, is_grpc;
	char method[20];
	char router[32];
	char service[RECENT_NAME];
	char client[RECENT_NAME];
	char authority[96];
	char path[256];
};

_Static_assert(sizeof(struct tapped) % 8 == 0, "rings hold whole words");

struct tap *tap_new(const struct tap_filter *filter, unsigned workers);
/* ERROR_BUSY: a worker is too busy now; it is to be ended all the same. */
MUST_CHECK int tap_start(struct tap *tap, struct proxy *proxy);
const struct ring *tap_ring(const struct tap *tap, unsigned worker);
void tap_end(struct tap *tap);
/* No worker knows of it any more. */
bool tap_is_idle(const struct tap *tap);
void tap_free(struct tap *tap);

/* For exchanges at their end, on the worker; only when worker->tap_count isn't 0. */
void tap_exchange(struct worker *worker, const struct exchange *exchange, const struct record *record);

#endif
