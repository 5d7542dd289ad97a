/* SPDX-License-Identifier: Apache-2.0 */
/* model/ingress.h: rules from hosts and paths to Services, as Kubernetes' Ingress objects have them: immutable, counted with an atomic.
 *
 * Of the rules that match, the one counts whose host says most (a name, then `*.example.com`, then none), then the one whose path does
 * (exact, then the longest prefix, then patterns), then the first. If none matches: the first default. Made on the control thread
 * (heap), read by workers without memory, freed by whoever drops the last reference.
 *
 *	struct ingress_rule rules[] = { { .host = SLICE("hello.world"), .kind = INGRESS_PREFIX, .path = SLICE("/"), .to = to } };
 *	struct ingress *ingress = ingress_new(rules, 1);       // one reference; copies all
 *	const struct ingress_backend *backend = ingress_find(ingress, SLICE("hello.world:80"), SLICE("/x?y"));
 *	ingress_unref(ingress);
 */
#ifndef MODEL_INGRESS_H
#define MODEL_INGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct ingress;

/* A Service's port, by name or number. */
struct ingress_backend {
	struct slice namespace, port, service;
};

enum ingress_path {
	INGRESS_DEFAULT, /* whatever the host and path, if no other rule matches */
	INGRESS_ANY,     /* every path */
	INGRESS_EXACT,
	INGRESS_PREFIX,  /* by whole segments: /a is a prefix of /a and /a/b, not of /ab */
	INGRESS_PATTERN, /* a regular expression for the whole path (model/pattern.h) */
};

struct ingress_rule {
	struct slice host; /* lower case; empty: any; "*.example.com": one label more */
	enum ingress_path kind;
	struct slice path;
	struct ingress_backend to;
};

/* CHECKed: patterns are such (pattern_new). */
struct ingress *ingress_new(const struct ingress_rule *rules, uint32_t count);
/* Nothing is known: asking failed, for this reason (not empty). */
struct ingress *ingress_new_failed(struct slice why);
struct ingress *ingress_ref(struct ingress *ingress);
void ingress_unref(struct ingress *ingress); /* NULL is allowed */

/* Empty: it is known. */
struct slice ingress_failure(const struct ingress *ingress);
/* NULL: no rule matches. `host` may have a port, `target` a query; both are a request's. Lives as long as `ingress`. */
const struct ingress_backend *ingress_find(const struct ingress *ingress, struct slice host, struct slice target);
uint32_t ingress_count(const struct ingress *ingress);

#endif
