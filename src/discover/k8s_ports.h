/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_ports.h: the ports of Services (v1) as rows of a table, for names that say a number: 80 is the Service's port, and the
 * EndpointSlices have the port behind it under the same name. Control thread.
 *
 *	table = k8s_table_new(api, &k8s_ports_kind, SLICE(""));
 *	watch = k8s_table_watch(table, SLICE("default/hello"), changed, owner);
 *	if (k8s_ports_name(watch, 80, &name)) ...      // "http"; a Service's only port may have the empty name
 */
#ifndef DISCOVER_K8S_PORTS_H
#define DISCOVER_K8S_PORTS_H

#include "discover/k8s_table.h"

extern const struct k8s_table_kind k8s_ports_kind;

/* False: there is no such Service, or it has no such TCP port. The name is valid until the watch's next change. */
bool k8s_ports_name(const struct k8s_table_watch *watch, uint16_t number, struct slice *name);

#endif
