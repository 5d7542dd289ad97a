/* SPDX-License-Identifier: Apache-2.0 */
/* model/endpoints.h: the addresses behind a name at one moment: immutable, counted with an atomic.
 *
 * Made on the control thread (heap, one block), read by workers, freed by whoever drops the last reference. A live
 * set is a sequence of these under one id, with rising versions; who gets an older version than it has ignores it.
 * Endpoints are sorted by address and each address is there once, so that two sets are compared in one pass.
 *
 *	struct endpoint list[] = { { .address = a, .weight = 1.0 } };
 *	struct endpoints *set = endpoints_new(list, 1, version);     // one reference; copies all
 *	post(worker, endpoints_ref(set));
 *	endpoints_unref(set);
 */
#ifndef MODEL_ENDPOINTS_H
#define MODEL_ENDPOINTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "io/address.h"

enum endpoints_state {
	ENDPOINTS_PENDING, /* not known yet */
	ENDPOINTS_BOUND,   /* known; may be none */
	ENDPOINTS_NEG,     /* the name has no addresses (a transformer took them all, the DNS name doesn't exist) */
	ENDPOINTS_FAILED,  /* asking failed: see message */
};

struct label {
	struct slice key, value;
};

struct endpoint {
	struct address address;
	double weight;              /* > 0, usually 1.0 */
	struct slice id;            /* "127.0.1.1:7777"; made by endpoints_new */
	const struct label *labels; /* e.g. nodeName */
	uint32_t label_count;
};

struct endpoints {
	atomic_uint references;
	enum endpoints_state state;
	uint64_t version;
	struct slice message; /* failed: why */
	uint32_t count;       /* 0 unless bound */
	const struct endpoint *list;
};

/* Bound. Of endpoints with the same address the heaviest stays. `count` may be 0. */
struct endpoints *endpoints_new(const struct endpoint *list, uint32_t count, uint64_t version);
/* Pending, neg or failed (message is copied; empty else). */
struct endpoints *endpoints_new_state(enum endpoints_state state, struct slice message, uint64_t version);
struct endpoints *endpoints_ref(struct endpoints *endpoints);
void endpoints_unref(struct endpoints *endpoints); /* NULL is allowed */
/* Same state, message and endpoints, whatever the version: nothing needs to be published. */
bool endpoints_equal(const struct endpoints *a, const struct endpoints *b);
/* The endpoint at this address, or NULL; binary search. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, const struct address *address);
/* The value of a label; {NULL, 0} when it has none. */
struct slice endpoint_label(const struct endpoint *endpoint, struct slice key);
/* "pending", "bound", "neg", "failed". */
const char *endpoints_state_text(enum endpoints_state state);

#endif
