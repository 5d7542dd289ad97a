/* SPDX-License-Identifier: Apache-2.0 */
/* discover/host_set.h: hosts with ports and weights, as live endpoints: IP literals as they are, names through the
 * resolver.
 *
 * For namers whose source says hosts. While a name has never been answered the set is pending. Then it is the union
 * of all answers; when that is empty: failed if asking failed for some name, neg if no name exists, bound to none if
 * there were no hosts. A weight of 0 means no calls: the host is left out. Control thread; `changed` comes from the
 * loop only.
 *
 *	struct host list[] = { { SLICE("127.0.1.1"), 7777, 1.0 }, { SLICE("api.example.org"), 80, 2.0 } };
 *	struct host_set *hosts = host_set_new(&discover, list, 2, &namer->version, changed, owner);   // all is copied
 *	use(host_set_endpoints(hosts));          // the newest set
 *	host_set_free(hosts);
 */
#ifndef DISCOVER_HOST_SET_H
#define DISCOVER_HOST_SET_H

#include "discover/namer.h"

struct host {
	struct slice name; /* an IP literal or a DNS name */
	uint16_t port;
	double weight;
};

struct host_set;

/* True for IP literals and for what can be a name in DNS (letters, digits, "-", "_", labels of 1 to 63 bytes). */
bool host_set_is_name(struct slice name);

/* Names must be such. Each set made gets the next of `version`, which outlives the hosts. */
struct host_set *host_set_new(const struct discover *discover, const struct host *list, uint32_t count, uint64_t *version,
	void (*changed)(void *owner), void *owner);
/* Belongs to `hosts`; take a reference to keep it beyond the next change. */
struct endpoints *host_set_endpoints(const struct host_set *hosts);
void host_set_free(struct host_set *hosts); /* NULL is allowed */

#endif
