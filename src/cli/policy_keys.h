/* SPDX-License-Identifier: Apache-2.0 */
/* cli/policy_keys.h: by which keys two ways to call a service, or its endpoints, differ. Files are compared by what is in them.
 *
 *	policy_keys_client(&old, &new, &out);      // "requestAttemptTimeoutMs, tls"; nothing: they are the same
 */
#ifndef CLI_POLICY_KEYS_H
#define CLI_POLICY_KEYS_H

#include "base/text.h"
#include "model/policy.h"

void policy_keys_service(const struct service_policy *old, const struct service_policy *new, struct text *out);
/* Of two that client_policy_resolve has given; their TLS by what it is made of. */
void policy_keys_client(const struct client_policy *old, const struct client_policy *new, struct text *out);

#endif
