/* SPDX-License-Identifier: Apache-2.0 */
/* export/dns.h: the resolver's counters (client/resolver.h) among the metrics: dns/lookups, dns/found, dns/queries, …
 *
 * Control thread.
 *
 *	struct scope *scope = dns_metrics(metrics, &options.counts);    // a reference; the counters live in it
 *	resolver_new(loop, network, &options, &resolver);
 *	...
 *	resolver_free(resolver);
 *	scope_unref(scope);
 */
#ifndef EXPORT_DNS_H
#define EXPORT_DNS_H

#include "client/resolver.h"
#include "observe/metrics.h"

struct scope *dns_metrics(struct metrics *metrics, struct resolver_counts **counts);

#endif
