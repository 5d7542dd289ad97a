/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"
#include "cli/cli.h"

int cli_version(int count, char **arguments)
{
	const struct argument table[] = { { .name = NULL } };

	if (!arguments_read("version", count, arguments, table, NULL, 0, 0))
		return 2;
	cli_say("weft " WEFT_VERSION);
	return 0;
}
