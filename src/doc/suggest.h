/* SPDX-License-Identifier: Apache-2.0 */
/* doc/suggest.h: which known name a mistyped one looks like. Pure, any thread.
 *
 *	const char *names[] = { "port", "ip", NULL };
 *	const char *meant = NULL;
 *	suggest_name(slice_of("prot"), names, &meant);     // "port"
 */
#ifndef DOC_SUGGEST_H
#define DOC_SUGGEST_H

#include <limits.h>

#include "base/slice.h"

enum { SUGGEST_NONE = INT_MAX };

/* The nearest of `names` (ends in NULL; NULL: none) if it is near enough: a third of its letters inserted, left out,
 * changed or exchanged with their neighbours, ignoring case; the first of equally near ones. Returns its distance
 * and sets *meant, or returns SUGGEST_NONE. */
int suggest_name(struct slice found, const char *const *names, const char **meant);

#endif
