/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <string.h>

#include "cli/cli.h"

enum { MOST_OPTIONS = 16, MOST_SECONDS = INT32_MAX };

static int unknown_option(const struct argument *table, const char *argument)
{
	const char *names[MOST_OPTIONS + 2];
	unsigned count = 0;

	while (table[count].name && count < MOST_OPTIONS) {
		names[count] = table[count].name;
		count++;
	}
	names[count++] = "--help";
	names[count] = NULL;
	return cli_unknown("option", argument, names);
}

static bool keep(const char *command, const struct argument *option, const char *value)
{
	if (!value) {
		cli_complain("weft %s: %s needs a value", command, option->name);
		return false;
	}
	if (option->value) {
		*option->value = value;
		return true;
	}
	if (option->values->count == ARGUMENT_MOST_VALUES) {
		cli_complain("weft %s: %s more than %d times", command, option->name, ARGUMENT_MOST_VALUES);
		return false;
	}
	option->values->at[option->values->count++] = value;
	return true;
}

/* Complains about what is none of the table's. */
static bool read_option(const char *command, int count, char **arguments, int *at, const struct argument *table)
{
	const char *value;

	for (const struct argument *option = table; option->name; option++) {
		if (option->flag && strcmp(arguments[*at], option->name) == 0) {
			*option->flag = true;
			return true;
		}
		if (!option->flag && cli_option(count, arguments, at, option->name, &value))
			return keep(command, option, value);
	}
	unknown_option(table, arguments[*at]);
	return false;
}

bool arguments_read(const char *command, int count, char **arguments, const struct argument *table, const char **words,
	unsigned least, unsigned most)
{
	unsigned found = 0;

	for (unsigned i = 0; i < most; i++)
		words[i] = NULL;
	for (int i = 0; i < count; i++) {
		if (cli_is_option(arguments[i])) {
			if (!read_option(command, count, arguments, &i, table))
				return false;
		} else if (found == most) {
			cli_complain("weft %s: what is `%s` for? `weft help %s`", command, arguments[i], command);
			return false;
		} else {
			words[found++] = arguments[i];
		}
	}
	if (found >= least)
		return true;
	cli_complain("weft %s: something is missing; `weft help %s` shows the usage", command, command);
	return false;
}

bool arguments_duration(const char *command, const char *option, const char *text, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t length = text ? strlen(text) : 0;
	uint64_t number;

	if (!text)
		return true;
	for (size_t i = 0; i < sizeof units / sizeof *units && length > 0; i++) {
		if (text[length - 1] != units[i].unit ||
			slice_to_u64(
				slice_make(text, length - 1), MOST_SECONDS / (uint64_t)units[i].seconds, &number) ||
			number == 0)
			continue;
		*seconds = (int64_t)number * units[i].seconds;
		return true;
	}
	cli_complain("weft %s: %s takes a time such as 30s, 90m, 24h or 7d, not `%s`", command, option, text);
	return false;
}

bool arguments_choice(const char *command, const char *option, const char *text, const char *const *names, int *index)
{
	struct text all = { 0 };

	for (int i = 0; text && names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*index = i;
			text_free(&all);
			return true;
		}
		text_format(&all, "%s`%s`", i ? " or " : "", names[i]);
	}
	if (text)
		cli_complain("weft %s: %s takes %s, not `%s`", command, option, all.bytes, text);
	text_free(&all);
	return !text;
}
