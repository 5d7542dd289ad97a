/* SPDX-License-Identifier: Apache-2.0 */
/* discover/transformer.h: what an interpreter or a namer does to the endpoints that it found.
 *
 *	io.l5d.port          every address gets this port           id: /%/io.l5d.port/4141 ++ id
 *	io.l5d.specificHost  only addresses with this IP stay       id: /%/io.l5d.specificHost ++ id
 *	io.l5d.localhost     only addresses of this machine stay    id: /%/io.l5d.localhost ++ id
 *
 * A configured `prefix` replaces what follows /%. Filtered to nothing, a set becomes neg. Pure; immutable once made;
 * any thread may apply one, sets are made on the control thread.
 *
 *	struct transformer *port = transformer_new_port(4141, PATH_EMPTY);
 *	struct endpoints *seen = transformer_apply(port, found);     // a new reference, same version as `found`
 *	transformer_id(port, id, &arena, &client_id);   // of a list in order: the last one's prefix is first
 */
#ifndef DISCOVER_TRANSFORMER_H
#define DISCOVER_TRANSFORMER_H

#include "base/error.h"
#include "model/endpoints.h"
#include "model/path.h"

struct transformer;

/* `prefix`: empty for the default, else the configured path (copied), without "/%". */
struct transformer *transformer_new_port(uint16_t port, struct path prefix);
struct transformer *transformer_new_specific_host(const struct address *host, struct path prefix);
/* `local` are this machine's addresses (network_local_addresses), ports are ignored; copied. */
struct transformer *transformer_new_localhost(const struct address *local, unsigned count, struct path prefix);
void transformer_free(struct transformer *transformer);

/* "io.l5d.port" etc. */
const char *transformer_kind(const struct transformer *transformer);
/* "/%/io.l5d.port/4141"; belongs to the transformer. */
struct path transformer_prefix(const struct transformer *transformer);

/* A reference to give back. Sets that aren't bound come back as they are (same object, one reference more). */
struct endpoints *transformer_apply(const struct transformer *transformer, struct endpoints *endpoints);
/* transformer_prefix ++ id. ERROR_NO_MEMORY. */
MUST_CHECK int transformer_id(const struct transformer *transformer, struct path id, struct arena *arena, struct path *transformed);

#endif
