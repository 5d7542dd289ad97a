/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/proxies.h: the pods in which weft runs, as `weft install` makes them: how they are asked for, and what one is. Pure.
 *
 *	proxies_list("default", &target);                       // GET target
 *	if (proxies_read(items->items[i], &proxy, &why))
 *		proxies_page("default", &proxy, SLICE("/admin/ping"), &page);   // GET page: the API server asks the pod
 */
#ifndef CLI_CLUSTER_PROXIES_H
#define CLI_CLUSTER_PROXIES_H

#include "base/text.h"

struct document_node;

struct proxy_pod {
	struct slice name, node;
	struct slice address; /* of the pod; on its node's network that is the node's. Empty: none yet */
	uint16_t port;        /* of the admin server */
	bool ending, ready;
};

/* The path of all proxies of a namespace: pods of the node proxy and of the ingress. */
void proxies_list(const char *namespace, struct text *target);
/* False: that is over, or no pod. `why` gets why it can't be asked, if it can't. */
bool proxies_read(const struct document_node *pod, struct proxy_pod *proxy, struct text *why);
/* Whether another of them counts in its place: while a node's proxy is replaced two pods have one address, and one process answers there. */
bool proxies_is_replaced(const struct proxy_pod *all, unsigned count, unsigned index);
/* The path of a page of its admin server, by way of the API server. */
void proxies_page(const char *namespace, const struct proxy_pod *proxy, struct slice page, struct text *target);

#endif
