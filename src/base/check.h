/* SPDX-License-Identifier: Apache-2.0 */
/* base/check.h: broken invariants end the process, in release builds too.
 *
 * CHECK is for what can only be false through a bug of ours; never for what a peer, a user or the machine can cause.
 * Long-lived structs open with `uint32_t magic` and are checked with CHECK_MAGIC wherever a void pointer becomes one.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdint.h>

#define CHECK(condition) \
	do { \
		if (__builtin_expect(!(condition), 0)) \
			check_failed(#condition, __FILE__, __LINE__); \
	} while (0)

#define CHECK_MAGIC(object, expected) \
	do { \
		if (__builtin_expect((object)->magic != (expected), 0)) \
			check_failed_magic(#object, (object)->magic, (expected), __FILE__, __LINE__); \
	} while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line);
_Noreturn void check_failed_magic(const char *object, uint32_t found, uint32_t expected, const char *file, int line);
/* One clear line and exit code 70: memory is out where nothing smaller than the process can be given up. */
_Noreturn void check_out_of_memory(const char *what);

#endif
