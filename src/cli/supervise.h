/* SPDX-License-Identifier: Apache-2.0 */
/* cli/supervise.h: `weft proxy --supervise`: this process only starts another one with the other arguments, and starts it again when it dies
 * (control/supervisor.h). Main thread.
 *
 *	return supervise(count, arguments, path, stay);     // the process's exit code
 */
#ifndef CLI_SUPERVISE_H
#define CLI_SUPERVISE_H

#include <stdbool.h>

/* `arguments`: those of `weft proxy`; `path`: the configuration among them; `stay`: whether --stay is. */
int supervise(int count, char **arguments, const char *path, bool stay);

#endif
