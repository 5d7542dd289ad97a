/* SPDX-License-Identifier: Apache-2.0 */
/* doc/utf8.h: UTF-8 (RFC 3629), one character at a time. Pure, any thread.
 *
 *	unsigned n = utf8_length(bytes);    // 1 to 4, or 0: what is at the beginning is no character
 */
#ifndef DOC_UTF8_H
#define DOC_UTF8_H

#include <stdint.h>

#include "base/slice.h"

/* How long the first character is; 0 if there is none or it is malformed (overlong, surrogate, above U+10FFFF, cut
 * off). */
unsigned utf8_length(struct slice bytes);
/* Writes the character; returns its length. `code` must be a Unicode scalar value. */
unsigned utf8_put(uint32_t code, char out[4]);
/* How many characters; a malformed byte counts as one. */
size_t utf8_count(struct slice bytes);

#endif
