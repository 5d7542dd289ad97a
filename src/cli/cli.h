/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cli.h: the subcommands, and what they share. Main thread.
 *
 * Each subcommand gets the arguments behind its name and returns the process's exit code: 0, 1 (it ran and failed), or 2 (wrong
 * usage, or a configuration that can't be used; standard error says what is wrong).
 *
 *	const struct command commands[] = { { "version", "", "prints the version", "", cli_version }, { 0 } };
 *	int main(int argc, char **argv) { return cli_main(commands, argc, argv); }
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/slice.h"
#include "base/text.h"
#include "model/snapshot.h"

struct credentials;
struct tls_store;

struct command {
	const char *name;
	const char *usage; /* behind the name */
	const char *summary;
	const char *help; /* what --help shows below the usage */
	int (*run)(int count, char **arguments);
	const char *const *verbs; /* what its first word may be, ends in NULL; NULL: it has none */
};

/* `commands` ends in one without a name, and stays as it is while the process lives. */
int cli_main(const struct command *commands, int argc, char **argv);
const struct command *cli_commands(void); /* the same */

int cli_proxy(int count, char **arguments);
int cli_ready(int count, char **arguments);
int cli_ca(int count, char **arguments);
int cli_certs(int count, char **arguments);
int cli_check(int count, char **arguments);
int cli_dashboard(int count, char **arguments);
int cli_diff(int count, char **arguments);
int cli_explain(int count, char **arguments);
int cli_install(int count, char **arguments);
int cli_uninstall(int count, char **arguments);
int cli_validate(int count, char **arguments);
int cli_stat(int count, char **arguments);
int cli_routes(int count, char **arguments);
int cli_edges(int count, char **arguments);
int cli_tap(int count, char **arguments);
int cli_top(int count, char **arguments);
int cli_completion(int count, char **arguments);
int cli_version(int count, char **arguments);
/* `help` is run by cli_main, which knows the commands; this one is for its row. */
int cli_help(int count, char **arguments);

/* One line each to standard output or standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "did you mean" for a word that is not among `known` (ends in NULL); exit code 2. */
int cli_unknown(const char *what, const char *word, const char *const *known);

bool cli_is_option(const char *argument); /* begins with "-" and is not "-" */
/* Whether arguments[*at] is the option `name` with a value: "--name value" (then *at is moved onto the value) or
 * "--name=value". *value is NULL when it is missing. */
bool cli_option(int count, char **arguments, int *at, const char *name, const char **value);

/* A configuration file's bytes ("-": standard input), on the heap; memory_free. False: what is wrong is added to `why`. */
bool cli_read(const char *path, struct slice *bytes, struct text *why);
/* Compiles them: one reference. NULL: what is wrong is added to `why`, line by line. */
struct snapshot *cli_parse(const char *path, struct slice bytes, struct text *why);
/* Loads the certificates that a configuration names (proxy/certificates.h). False: as above. */
bool cli_secure(struct snapshot *snapshot, struct tls_store *store, const struct credentials *credentials, struct text *why);
/* Both. */
struct snapshot *cli_compile(
	const char *path, struct slice bytes, struct tls_store *store, const struct credentials *credentials, struct text *why);

#endif
