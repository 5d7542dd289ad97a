/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_slices.h: EndpointSlices (discovery.k8s.io/v1) as rows of a table by their Service, and endpoints made of them.
 *
 * Which endpoints count, as kube-proxy has it: those that are ready; if none is, those that are serving while they terminate. Of a
 * Service of both families IPv4's, as long as one of them counts. TCP ports only; slices of host names (FQDN) are ignored. An endpoint
 * has the labels `nodeName` and `zone`, and, where Kubernetes hints whom it is to serve, `forNodes` and `forZones` (names, separated by
 * commas), as far as it says them. Pure but for the table; control thread.
 *
 *	table = k8s_table_new(api, &k8s_slices_kind, SLICE(""));
 *	watch = k8s_table_watch(table, SLICE("default/hello"), changed, owner);
 *	endpoints = k8s_slices_endpoints(watch, SLICE("http"), SLICE(""), ++version);     // NULL: no slice has the port
 */
#ifndef DISCOVER_K8S_SLICES_H
#define DISCOVER_K8S_SLICES_H

#include "discover/k8s_table.h"
#include "model/endpoints.h"

extern const struct k8s_table_kind k8s_slices_kind;

/* `value`: of the table's label; ignored if the table has none. A reference to give back. */
struct endpoints *k8s_slices_endpoints(const struct k8s_table_watch *watch, struct slice port, struct slice value, uint64_t version);

#endif
