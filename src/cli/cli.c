/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "dialect/linkerd/linkerd.h"
#include "doc/suggest.h"
#include "io/file.h"

enum { LINE = 4096, MAX_CONFIGURATION = 16 * 1024 * 1024 };

static void print(bool error, const char *format, va_list arguments)
{
	char line[LINE];
	int length = vsnprintf(line, sizeof line - 1, format, arguments);

	if (length < 0)
		return;
	if ((size_t)length > sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	file_print(error, slice_make(line, (size_t)length));
}

void cli_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(false, format, arguments);
	va_end(arguments);
}

void cli_complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(true, format, arguments);
	va_end(arguments);
}

void cli_show_help(const struct command *command)
{
	cli_say("usage: weft %s%s%s\n\n%s", command->name, command->usage[0] ? " " : "", command->usage, command->help);
}

int cli_unknown(const char *what, const char *word, const char *const *known)
{
	const char *near = NULL;

	if (suggest_name(slice_of(word), known, &near) != SUGGEST_NONE)
		cli_complain("weft: unknown %s `%s`; did you mean `%s`?", what, word, near);
	else
		cli_complain("weft: unknown %s `%s`; `weft help` lists what there is", what, word);
	return 2;
}

struct snapshot *cli_load(const char *path, struct text *why)
{
	struct slice name = strcmp(path, "-") == 0 ? SLICE("<stdin>") : slice_of(path);
	struct snapshot *snapshot = NULL;
	struct problems problems;
	struct slice bytes;
	int e = file_read(path, MAX_CONFIGURATION, &bytes);

	if (e) {
		text_format(why, "%.*s: cannot read it: %s\n", SLICE_ARGS(name), error_text(e));
		return NULL;
	}
	problem_init(&problems);
	if (linkerd_load(name, bytes, &problems, &snapshot)) {
		problem_print(&problems, why);
		snapshot = NULL;
	}
	problem_fini(&problems);
	memory_free((void *)(uintptr_t)bytes.at);
	return snapshot;
}
