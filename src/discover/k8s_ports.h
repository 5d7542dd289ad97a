/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_ports.h: Services (v1) as rows of a table: their ports, for names that say a number (80 is the Service's port, and the
 * EndpointSlices have the port behind it under the same name), and where their load balancers are. Control thread.
 *
 *	table = k8s_table_new(api, &k8s_ports_kind, SLICE(""));
 *	watch = k8s_table_watch(table, SLICE("default/hello"), changed, owner);
 *	if (k8s_ports_name(watch, 80, &name)) ...      // "http"; a Service's only port may have the empty name
 *	if (k8s_ports_balancers(watch, SLICE("http"), SLICE(""), &port, &hosts))
 *		while (k8s_ports_next_host(&hosts, &host)) ...
 */
#ifndef DISCOVER_K8S_PORTS_H
#define DISCOVER_K8S_PORTS_H

#include "discover/k8s_table.h"

extern const struct k8s_table_kind k8s_ports_kind;

/* False: there is no such Service, or it has no such TCP port. The name is valid until the watch's next change. */
bool k8s_ports_name(const struct k8s_table_watch *watch, uint16_t number, struct slice *name);

/* From outside: the Service's number of its TCP port with this name or number, and its load balancers' hosts. `value`: of the table's
 * label; ignored if the table has none. False: there is no such Service, or it has no such port. */
bool k8s_ports_balancers(const struct k8s_table_watch *watch, struct slice port, struct slice value, uint16_t *number, struct slice *hosts);
/* The next of them, an IP address or a name; false: no more. */
bool k8s_ports_next_host(struct slice *hosts, struct slice *host);

#endif
