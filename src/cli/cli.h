/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cli.h: the subcommands. Each gets the arguments behind its name and returns the process's exit code: 0, 1 (it ran and
 * failed), or 2 (wrong usage, or a configuration that can't be used; one clear line on standard error says which).
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/slice.h"
#include "base/text.h"
#include "model/snapshot.h"

struct command {
	const char *name;
	const char *usage;             /* behind the name */
	const char *summary;
	const char *help;              /* what --help shows below the usage */
	int (*run)(int count, char **arguments);
};

/* main.c's table; ends in a command without a name. */
extern const struct command commands[];

int cli_proxy(int count, char **arguments);
int cli_validate(int count, char **arguments);
int cli_version(int count, char **arguments);
int cli_help(int count, char **arguments);

/* One line each to standard output or standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_show_help(const struct command *command);
/* "did you mean" for a word that is not among `known` (ends in NULL); exit code 2. */
int cli_unknown(const char *what, const char *word, const char *const *known);
/* Reads and compiles a configuration file ("-": standard input). NULL: what is wrong was told onto `why`, line by line. */
struct snapshot *cli_load(const char *path, struct text *why);

#endif
