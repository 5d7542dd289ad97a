/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "dialect/linkerd/linkerd.h"
#include "doc/suggest.h"
#include "io/file.h"
#include "proxy/certificates.h"

enum { MOST_BYTES = 16 * 1024 * 1024, MOST_COMMANDS = 32 };

/* What cli_main was given: a constant table, kept for `help`. */
static const struct command *all_commands;

/* ---- telling ---- */

const struct command *cli_commands(void)
{
	return all_commands;
}

static void print(bool error, const char *format, va_list values)
{
	struct text out = { 0 };
	char line[4096];
	int length = vsnprintf(line, sizeof line, format, values);

	if (length < 0)
		return;
	text_format(&out, "%s\n", line);
	file_print(error, text_slice(&out));
	text_free(&out);
}

void cli_say(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(false, format, values);
	va_end(values);
}

void cli_complain(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	print(true, format, values);
	va_end(values);
}

int cli_unknown(const char *what, const char *word, const char *const *known)
{
	const char *meant = NULL;

	if (suggest_name(slice_of(word), known, &meant) != SUGGEST_NONE)
		cli_complain("weft: unknown %s `%s`; did you mean `%s`?", what, word, meant);
	else
		cli_complain("weft: unknown %s `%s`; `weft help` lists what there is", what, word);
	return 2;
}

/* ---- arguments ---- */

bool cli_is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] != '\0';
}

bool cli_option(int count, char **arguments, int *at, const char *name, const char **value)
{
	const char *argument = arguments[*at];
	size_t length = strlen(name);

	if (strncmp(argument, name, length) != 0 || (argument[length] != '\0' && argument[length] != '='))
		return false;
	if (argument[length] == '=')
		*value = argument + length + 1;
	else
		*value = *at + 1 < count ? arguments[++*at] : NULL;
	return true;
}

/* ---- help ---- */

static void show_commands(void)
{
	struct text out = { 0 };

	text_format(&out, "weft: a service mesh\n\nusage: weft COMMAND [ARGUMENTS]\n\n");
	for (const struct command *command = all_commands; command->name; command++)
		text_format(&out, "  %-10s %s\n", command->name, command->summary);
	text_format(
		&out, "\n`weft help COMMAND` or `weft COMMAND --help` says more; `weft help linkerd` lists the keys of a configuration.\n");
	file_print(false, text_slice(&out));
	text_free(&out);
}

static void show_command(const struct command *command)
{
	cli_say("usage: weft %s%s%s\n\n%s.%s%s", command->name, command->usage[0] ? " " : "", command->usage, command->summary,
		command->help[0] ? "\n\n" : "", command->help);
}

static void show_keys(void)
{
	struct text out = { 0 };

	text_format(&out,
		"A Linkerd 1.x configuration, YAML or JSON. Behind each key: what it is for; its default. What is `not yet`\n"
		"supported is refused by its name. See docs/linkerd.md.\n\n");
	linkerd_reference(&out);
	file_print(false, text_slice(&out));
	text_free(&out);
}

static const struct command *find_command(const char *name)
{
	for (const struct command *command = all_commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

static int unknown_command(const char *what, const char *word)
{
	const char *names[MOST_COMMANDS + 2] = { "linkerd" };
	unsigned count = strcmp(what, "command") == 0 ? 0 : 1;

	for (const struct command *command = all_commands; command->name && count < MOST_COMMANDS; command++)
		names[count++] = command->name;
	names[count] = NULL;
	return cli_unknown(what, word, names);
}

int cli_help(int count, char **arguments)
{
	const struct argument table[] = { { .name = NULL } };
	const struct command *command;
	const char *words[1];

	if (!arguments_read("help", count, arguments, table, words, 0, 1))
		return 2;
	if (count == 0) {
		show_commands();
		return 0;
	}
	if (strcmp(arguments[0], "linkerd") == 0) {
		show_keys();
		return 0;
	}
	command = find_command(arguments[0]);
	if (!command)
		return unknown_command("topic of help", arguments[0]);
	show_command(command);
	return 0;
}

static bool asks_for_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int cli_main(const struct command *commands, int argc, char **argv)
{
	const struct command *command;

	all_commands = commands;
	if (argc < 2) {
		show_commands();
		return 2;
	}
	if (asks_for_help(argv[1]))
		return cli_help(0, NULL);
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(argc - 2, argv + 2);
	command = find_command(argv[1]);
	if (!command)
		return unknown_command("command", argv[1]);
	for (int i = 2; i < argc; i++) {
		if (asks_for_help(argv[i])) {
			show_command(command);
			return 0;
		}
	}
	return command->run(argc - 2, argv + 2);
}

/* ---- configurations ---- */

static struct slice shown_name(const char *path)
{
	return strcmp(path, "-") == 0 ? SLICE("<stdin>") : slice_of(path);
}

bool cli_read(const char *path, struct slice *bytes, struct text *why)
{
	int e = file_read(path, MOST_BYTES, bytes);

	if (e)
		text_format(why, "%.*s: cannot be read: %s\n", SLICE_ARGS(shown_name(path)), error_text(e));
	return e == 0;
}

struct snapshot *cli_parse(const char *path, struct slice bytes, struct text *why)
{
	struct snapshot *snapshot = NULL;
	struct problems problems;

	problem_init(&problems);
	if (linkerd_load(shown_name(path), bytes, &problems, &snapshot))
		problem_print(&problems, why);
	problem_fini(&problems);
	return snapshot;
}

bool cli_secure(struct snapshot *snapshot, struct tls_store *store, const struct credentials *credentials, struct text *why)
{
	struct problems problems;
	int e;

	problem_init(&problems);
	e = certificates_load(snapshot, store, credentials, &problems);
	if (e)
		problem_print(&problems, why);
	problem_fini(&problems);
	return e == 0;
}

struct snapshot *cli_compile(
	const char *path, struct slice bytes, struct tls_store *store, const struct credentials *credentials, struct text *why)
{
	struct snapshot *snapshot = cli_parse(path, bytes, why);

	if (snapshot && !cli_secure(snapshot, store, credentials, why)) {
		snapshot_unref(snapshot);
		snapshot = NULL;
	}
	return snapshot;
}
