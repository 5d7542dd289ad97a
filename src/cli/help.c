/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int cli_help(int count, char **arguments)
{
	const char *names[16] = { 0 };
	unsigned n = 0;

	if (count == 0) {
		cli_say("weft: a service mesh\n\nusage: weft COMMAND [ARGUMENTS]\n");
		for (const struct command *command = commands; command->name; command++)
			cli_say("  %-10s %s", command->name, command->summary);
		cli_say("\n`weft help COMMAND` or `weft COMMAND --help` says more.");
		return 0;
	}
	for (const struct command *command = commands; command->name; command++) {
		if (strcmp(command->name, arguments[0]) == 0) {
			cli_show_help(command);
			return 0;
		}
		names[n++] = command->name;
	}
	return cli_unknown("command", arguments[0], names);
}
