/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/pod_names.h: which pods have which addresses, in all namespaces of a cluster. Asked for when it is made, and again, but not
 * sooner than 10 s later, when an address is met that nobody has. Main thread, one loop.
 *
 *	pod_names_new(loop, resolver, access, failed, owner, &names, &why);
 *	pod_names_tell(names, SLICE("10.244.1.6:47738"), false, &out);        // "default/hello-x2x4p", or what was given
 */
#ifndef CLI_SEE_POD_NAMES_H
#define CLI_SEE_POD_NAMES_H

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

struct access;
struct loop;
struct pod_names;
struct resolver;

/* `failed` is told once, when the API doesn't say which pods there are; then addresses stay what they are. */
MUST_CHECK int pod_names_new(struct loop *loop, struct resolver *resolver, const struct access *access,
	void (*failed)(void *owner, const char *server, const char *why), void *owner, struct pod_names **names, struct text *why);
/* Nothing frees it: it ends with the process. */

/* NAMESPACE/POD; of a pod on its node's network the node's name, which all of them share; else the address as it is. `port`: with it. */
void pod_names_tell(struct pod_names *names, struct slice address, bool port, struct text *out);

#endif
