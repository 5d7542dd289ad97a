/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int cli_version(int count, char **arguments)
{
	if (count > 0)
		return cli_unknown("argument", arguments[0], (const char *const[]){ NULL });
	cli_say("weft " WEFT_VERSION);
	return 0;
}
