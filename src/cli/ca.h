/* SPDX-License-Identifier: Apache-2.0 */
/* cli/ca.h: what the subcommands of `weft ca` share. Main thread.
 *
 *	static int serve(int count, char **arguments) { ...; if (!ca_write(path, bytes, 0600)) return 1; }
 */
#ifndef CLI_CA_H
#define CLI_CA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

int ca_serve(int count, char **arguments);
int ca_agent(int count, char **arguments);

/* Nanoseconds since 1970. */
int64_t ca_wall(void);
/* Replaces the file in one step; complains when it can't. */
bool ca_write(const char *command, const char *path, struct slice bytes, unsigned mode);

#endif
