/* SPDX-License-Identifier: Apache-2.0 */
/* base/slice.h: bytes that somebody else owns.
 *
 * A slice never owns and is never assumed to end in NUL. Passed by value. Any thread.
 *
 *	struct slice host = slice_of("hello");
 *	if (slice_equal(host, field_value)) ...
 *	printf("%.*s", SLICE_ARGS(host));
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at;
	size_t length;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_ARGS(s) (int)(s).length, (s).at

static inline struct slice slice_make(const char *at, size_t length)
{
	return (struct slice){ at, length };
}

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static inline struct slice slice_from(struct slice s, size_t offset)
{
	return (struct slice){ s.at + offset, s.length - offset };
}

/* ASCII case is ignored. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* <0, 0, >0 in byte order; a prefix sorts first. */
int slice_compare(struct slice a, struct slice b);
/* Index of the first `c`, or s.length. */
size_t slice_find(struct slice s, char c);
/* Without leading and trailing SP and HTAB. */
struct slice slice_trim(struct slice s);
/* Cuts at the first `separator`: *head before it, *s behind it. False when *s is at its end (at == NULL after the last part). */
bool slice_split(struct slice *s, char separator, struct slice *head);
/* Unsigned decimal, digits only, no sign, no blanks. ERROR_SYNTAX, or ERROR_LIMIT above `max`. */
int slice_to_u64(struct slice s, uint64_t max, uint64_t *value);
/* Whether all of `s` is like the pattern, in which `*` is any run of bytes and `?` any one. */
bool slice_like(struct slice s, const char *pattern);
/* A keyed 64-bit hash, equal for equal bytes and keys; not for secrets. */
uint64_t slice_hash(struct slice s, uint64_t key);

#endif
