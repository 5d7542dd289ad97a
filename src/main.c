/* SPDX-License-Identifier: Apache-2.0 */
/* weft: the table of subcommands. Each is a file in cli/. */
#include <stddef.h>

#include "cli/cli.h"

static const struct command commands[] = {
	{ "proxy", "FILE.yaml [--threads N]", "Runs the proxy of a configuration",
	  "FILE.yaml is a Linkerd 1.x configuration, `-` is standard input: `weft help linkerd` lists its keys.\n"
	  "The addresses that are listened on are printed. SIGHUP, or a change of the file, reloads it: a wrong\n"
	  "one is refused and the old one stays. SIGTERM and SIGINT take no more requests and let the others end\n"
	  "within admin.shutdownGraceMs; a second one ends at once.\n"
	  "\n"
	  "  --threads N   workers; by default as many as the process may use cores\n"
	  "\n"
	  "Exit code 0 when all requests could end, 1 when some were cut off, 2 when it could not start.",
	  cli_proxy },
	{ "validate", "FILE.yaml...", "Says what is wrong with configurations, and runs nothing",
	  "`-` is standard input. Exit code 0 when all are good, else 2.", cli_validate },
	{ "version", "", "Prints the version", "", cli_version },
	{ "help", "[COMMAND | linkerd]", "Explains a command, or lists the keys of a configuration", "", cli_help },
	{ NULL, NULL, NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
