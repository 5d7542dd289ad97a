/* SPDX-License-Identifier: Apache-2.0 */
/* model/pattern.h: regular expressions that a whole text must match, in time that grows with the text only: whatever a pattern is, a
 * text costs at most PATTERN_STEPS for each of its bytes, and no memory.
 *
 * What is understood: characters, `.`, `[a-z]`, `[^a-z]`, `\d \w \s` and their opposites `\D \W \S`, `\` before any other character that
 * is no letter or digit, groups `(…)` and `(?:…)`, `|`, `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`; `^` at the beginning and `$` at the end, which
 * say nothing, since all of the text must match. Bytes, not characters of UTF-8. Nothing is captured. Immutable; any thread.
 *
 *	struct pattern *pattern;
 *	const char *why;
 *	if (pattern_new(SLICE("/api/v[0-9]+/.*"), &pattern, &why) == 0) ...
 *	pattern_matches(pattern, SLICE("/api/v1/users"));
 *	pattern_free(pattern);
 */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

struct pattern;

enum { PATTERN_STEPS = 512 }; /* as many as a pattern may have, repetitions written out */

/* ERROR_SYNTAX, ERROR_LIMIT (too large, or too deep); *why is static. */
MUST_CHECK int pattern_new(struct slice text, struct pattern **pattern, const char **why);
bool pattern_matches(const struct pattern *pattern, struct slice text);
void pattern_free(struct pattern *pattern); /* NULL is allowed; any thread */

#endif
