/* SPDX-License-Identifier: Apache-2.0 */
/* weft completion: scripts for bash, zsh and fish, made from the tables of arguments that the commands read themselves. */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "io/terminal.h"

/* One command, or one verb of a command that has some: `ca init`. */
struct completed {
	const struct command *command;
	const char *verb; /* NULL: none */
	const struct argument *table;
};

struct shell {
	const char *name;
	void (*begin)(struct text *out);
	void (*command)(const struct completed *completed, struct text *out);
	void (*end)(struct text *out);
};

static void join(struct text *out, const char *const *words, const char *between)
{
	for (unsigned i = 0; words && words[i]; i++)
		text_format(out, "%s%s", i ? between : "", words[i]);
}

static void list_commands(struct text *out)
{
	for (const struct command *command = cli_commands(); command->name; command++)
		text_format(out, "%s%s", command == cli_commands() ? "" : " ", command->name);
}

/* ---- bash ---- */

static void bash_begin(struct text *out)
{
	text_append(out,
		SLICE("# bash completion for weft: source <(weft completion bash)\n"
		      "_weft() {\n"
		      "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} "
		      "command=${COMP_WORDS[1]} words=\n"
		      "\tCOMPREPLY=()\n"
		      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		      "\t\tCOMPREPLY=($(compgen -W '"));
	list_commands(out);
	text_append(out, SLICE("' -- \"$current\"))\n\t\treturn\n\tfi\n\tcase $command in\n"));
	for (const struct command *command = cli_commands(); command->name; command++) {
		if (!command->verbs)
			continue;
		text_format(out, "\t%s)\n\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\t\tCOMPREPLY=($(compgen -W '", command->name);
		join(out, command->verbs, " ");
		text_append(out,
			SLICE("' -- \"$current\"))\n\t\t\treturn\n\t\tfi\n\t\tcommand=\"$command "
			      "${COMP_WORDS[2]}\"\n\t\t;;\n"));
	}
	text_append(out, SLICE("\tesac\n\tcase \"$command:$before\" in\n"));
}

static void name_of(const struct completed *completed, struct text *out)
{
	text_format(out, "%s%s%s", completed->command->name, completed->verb ? " " : "", completed->verb ? completed->verb : "");
}

/* What may follow an option. An option whose value may be anything, such as a file, is left to the shell. */
static void bash_command(const struct completed *completed, struct text *out)
{
	for (const struct argument *option = completed->table; option->name; option++) {
		if (!option->choices)
			continue;
		text_append(out, SLICE("\t'"));
		name_of(completed, out);
		text_format(out, ":%s') words='", option->name);
		join(out, option->choices, " ");
		text_append(out, SLICE("' ;;\n"));
	}
	text_append(out, SLICE("\t'"));
	name_of(completed, out);
	text_append(out, SLICE(":'*) case $current in -*) words='--help"));
	for (const struct argument *option = completed->table; option->name; option++)
		text_format(out, " %s", option->name);
	text_append(out, SLICE("' ;; esac ;;\n"));
}

static void bash_end(struct text *out)
{
	text_append(out,
		SLICE("\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\ncomplete -o default -F _weft "
		      "weft\n"));
}

/* ---- zsh ---- */

/* In single quotes, inside a specification in which a colon has a meaning. */
static void zsh_quote(const char *s, struct text *out)
{
	for (; *s; s++) {
		if (*s == '\'')
			text_append(out, SLICE("'\\''"));
		else
			text_format(out, "%s%c", *s == ':' || *s == '[' || *s == ']' ? "\\" : "", *s);
	}
}

static void zsh_begin(struct text *out)
{
	text_append(out,
		SLICE("#compdef weft\n# zsh completion for weft: source <(weft completion zsh)\n_weft() {\n\tlocal -a "
		      "commands=(\n"));
	for (const struct command *command = cli_commands(); command->name; command++) {
		text_format(out, "\t\t'%s:", command->name);
		zsh_quote(command->summary, out);
		text_append(out, SLICE("'\n"));
	}
	text_append(out,
		SLICE("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal "
		      "command=$words[2]\n"
		      "\tshift words\n\t(( CURRENT-- ))\n\tcase $command in\n"));
	for (const struct command *command = cli_commands(); command->name; command++) {
		if (!command->verbs)
			continue;
		text_format(out, "\t%s)\n\t\tif (( CURRENT == 2 )); then\n\t\t\tcompadd ", command->name);
		join(out, command->verbs, " ");
		text_append(out,
			SLICE("\n\t\t\treturn\n\t\tfi\n\t\tcommand=\"$command $words[2]\"\n\t\tshift words\n\t\t(( "
			      "CURRENT-- ))\n\t\t;;\n"));
	}
	text_append(out, SLICE("\tesac\n\tcase $command in\n"));
}

static void zsh_command(const struct completed *completed, struct text *out)
{
	text_append(out, SLICE("\t'"));
	name_of(completed, out);
	text_append(out, SLICE("') _arguments '--help[explains the command]'"));
	for (const struct argument *option = completed->table; option->name; option++) {
		text_format(out, " '%s%s", option->values ? "*" : "", option->name);
		if (option->choices) {
			text_append(out, SLICE(":value:("));
			join(out, option->choices, " ");
			text_append(out, SLICE(")"));
		} else if (!option->flag) {
			text_append(out, SLICE(":value:_files"));
		}
		text_append(out, SLICE("'"));
	}
	text_append(out, SLICE(" '*:file:_files' ;;\n"));
}

static void zsh_end(struct text *out)
{
	text_append(out, SLICE("\tesac\n}\nif [ \"$funcstack[1]\" = _weft ]; then _weft \"$@\"; else compdef _weft weft; fi\n"));
}

/* ---- fish ---- */

static void fish_quote(const char *s, struct text *out)
{
	for (; *s; s++)
		text_format(out, "%s%c", *s == '\'' || *s == '\\' ? "\\" : "", *s);
}

static void fish_begin(struct text *out)
{
	text_append(out, SLICE("# fish completion for weft: weft completion fish | source\n"));
	for (const struct command *command = cli_commands(); command->name; command++) {
		text_format(out, "complete -c weft -n __fish_use_subcommand -f -a %s -d '", command->name);
		fish_quote(command->summary, out);
		text_append(out, SLICE("'\n"));
		if (!command->verbs)
			continue;
		text_format(
			out, "complete -c weft -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from ", command->name);
		join(out, command->verbs, " ");
		text_append(out, SLICE("' -f -a '"));
		join(out, command->verbs, " ");
		text_append(out, SLICE("'\n"));
	}
}

static void fish_command(const struct completed *completed, struct text *out)
{
	for (const struct argument *option = completed->table; option->name; option++) {
		const char *name = option->name;

		text_format(out, "complete -c weft -n '__fish_seen_subcommand_from %s", completed->command->name);
		if (completed->verb)
			text_format(out, "; and __fish_seen_subcommand_from %s", completed->verb);
		text_format(out, "' -%c %s", name[1] == '-' ? 'l' : 's', name + (name[1] == '-' ? 2 : 1));
		if (option->choices) {
			text_append(out, SLICE(" -x -a '"));
			join(out, option->choices, " ");
			text_append(out, SLICE("'"));
		} else if (!option->flag) {
			text_append(out, SLICE(" -r"));
		}
		text_append(out, SLICE("\n"));
	}
}

static void fish_end(struct text *out)
{
	(void)out;
}

static const struct shell shells[] = {
	{ "bash", bash_begin, bash_command, bash_end },
	{ "zsh", zsh_begin, zsh_command, zsh_end },
	{ "fish", fish_begin, fish_command, fish_end },
};
static const char *const names[] = { "bash", "zsh", "fish", NULL };

/* ---- all commands ---- */

struct writing {
	const struct shell *shell;
	struct completed completed;
	struct text *out;
};

static void described(void *owner, const struct argument *table)
{
	struct writing *writing = owner;

	writing->completed.table = table;
	writing->shell->command(&writing->completed, writing->out);
}

static void write_command(struct writing *writing, const struct command *command)
{
	writing->completed.command = command;
	writing->completed.verb = NULL;
	if (!command->verbs) {
		arguments_describe(command->run, NULL, described, writing);
		return;
	}
	for (const char *const *verb = command->verbs; *verb; verb++) {
		writing->completed.verb = *verb;
		arguments_describe(command->run, *verb, described, writing);
	}
}

int cli_completion(int count, char **arguments)
{
	const struct argument table[] = { { .name = NULL } };
	const char *words[1];
	struct text out = { 0 };
	int index = 0;

	if (!arguments_read("completion", count, arguments, table, words, 1, 1) ||
		!arguments_choice("completion", "it", words[0], names, &index))
		return 2;
	struct writing writing = { .shell = &shells[index], .out = &out };

	writing.shell->begin(&out);
	for (const struct command *command = cli_commands(); command->name; command++)
		write_command(&writing, command);
	writing.shell->end(&out);
	bool good = terminal_print(text_slice(&out));

	text_free(&out);
	return good ? 0 : 1;
}
