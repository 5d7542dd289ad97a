/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the simulation that speak TLS link this: OpenSSL asks the C library for the time when it writes down how old a session is,
 * and an answer that differs between two runs of a seed would change bytes. Certificates are not judged by it (src/tls gives the time). */
#include <time.h>

time_t time(time_t *at)
{
	enum { SOME_DAY = 1767225600 }; /* 2026-01-01 */

	if (at)
		*at = SOME_DAY;
	return SOME_DAY;
}
