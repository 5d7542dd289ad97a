/* SPDX-License-Identifier: Apache-2.0 */
/* admin/access.h: whether a page may be shown: admin.security of a Linkerd 1.x configuration.
 *
 * Allowed = (its category is enabled and its path not blacklisted) or (disabled and whitelisted). Lists are regular expressions
 * (POSIX extended) that must match the whole path. Any thread.
 */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

#include "admin/server.h"

bool access_allowed(const struct admin_policy *policy, enum category category, struct slice path);

#endif
