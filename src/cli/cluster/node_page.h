/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/node_page.h: a page of the proxy of one node, by way of Kubernetes' API. Main thread; blocks.
 *
 *	const struct node_page_where where = { .command = "explain", .access = &access, .pod = "shop/front-x2x4p" };
 *	if (!node_page_get(&where, SLICE("/explain.json?..."), &answer)) return 2;         // why is told
 *	use(answer.status, text_slice(&answer.body));
 *	answer_free(&answer);
 */
#ifndef CLI_CLUSTER_NODE_PAGE_H
#define CLI_CLUSTER_NODE_PAGE_H

#include "cli/cluster/asking.h"

struct access;

struct node_page_where {
	const char *command;
	const struct access *access;
	const char *node, *pod; /* one of them. A pod, [NAMESPACE/]NAME, means the node that it is on */
};

/* False: what is wrong is told. */
bool node_page_get(const struct node_page_where *where, struct slice page, struct answer *answer);

#endif
