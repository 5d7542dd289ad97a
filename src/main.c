/* SPDX-License-Identifier: Apache-2.0 */
/* weft: the table of subcommands. Each is a file in cli/. */
#include "cli/cli.h"

const struct command commands[] = {
	{ "proxy", "FILE.yaml [--threads N]", "runs the proxy of a configuration",
	  "FILE.yaml is a Linkerd 1.x configuration (docs/linkerd.md); `-` is standard input.\n"
	  "Bound addresses are printed. SIGHUP, or a change of the file, reloads it: what is wrong\n"
	  "is refused and the old configuration stays. SIGTERM and SIGINT drain for\n"
	  "admin.shutdownGraceMs; a second one ends at once.\n\n"
	  "  --threads N   workers; by default as many as the process may use cores",
	  cli_proxy },
	{ "validate", "FILE.yaml…", "says what is wrong with configurations, and runs nothing",
	  "Exit code 0 when all are good, else 2.", cli_validate },
	{ "version", "", "prints the version", "", cli_version },
	{ "help", "[COMMAND]", "explains a command", "", cli_help },
	{ NULL, NULL, NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	if (argc < 2) {
		cli_help(0, argv);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cli_help(argc - 2, argv + 2);
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(0, argv);
	for (const struct command *command = commands; command->name; command++) {
		if (strcmp(command->name, argv[1]) != 0)
			continue;
		for (int i = 2; i < argc; i++) {
			if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
				cli_show_help(command);
				return 0;
			}
		}
		return command->run(argc - 2, argv + 2);
	}
	const char *names[16] = { 0 };
	for (unsigned i = 0; commands[i].name; i++)
		names[i] = commands[i].name;
	return cli_unknown("command", argv[1], names);
}
