/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/cli.h"

enum { MOST_OPTIONS = 24, MOST_SECONDS = INT32_MAX, MOST_DIGITS = 15 };

#define MOST_SPAN (INT64_C(365) * 24 * 60 * CLOCK_MINUTE)

/* Who wants tables described; NULL: nobody, commands run. */
static void (*description)(void *owner, const struct argument *table);
static void *description_owner;

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

bool arguments_read(
	const char *command, int count, char **arguments, const struct argument *table, const char **words, unsigned least, unsigned most)
{
	unsigned found = 0;

	if (description) {
		description(description_owner, table);
		return false;
	}
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

void arguments_describe(
	int (*run)(int count, char **arguments), const char *word, void (*visit)(void *owner, const struct argument *table), void *owner)
{
	char *copy = word ? memory_text(slice_of(word)) : NULL;

	description = visit;
	description_owner = owner;
	(void)run(word ? 1 : 0, &copy);
	description = NULL;
	memory_free(copy);
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
			slice_to_u64(slice_make(text, length - 1), MOST_SECONDS / (uint64_t)units[i].seconds, &number) || number == 0)
			continue;
		*seconds = (int64_t)number * units[i].seconds;
		return true;
	}
	cli_complain("weft %s: %s takes a time such as 30s, 90m, 24h or 7d, not `%s`", command, option, text);
	return false;
}

/* A plain number of digits and a point, at the beginning of `text`; *rest is what follows. Negative: there is none. */
static double read_decimal(const char *text, const char **rest)
{
	double number = 0, place = 1;
	const char *at = text;

	while (*at >= '0' && *at <= '9' && at - text < MOST_DIGITS)
		number = number * 10 + (*at++ - '0');
	if (*at == '.' && at > text)
		while (*++at >= '0' && *at <= '9' && at - text < MOST_DIGITS)
			number += (*at - '0') * (place /= 10);
	*rest = at;
	return at > text ? number : -1;
}

bool arguments_span(const char *command, const char *option, const char *text, int64_t *ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = { { "us", CLOCK_US }, { "ms", CLOCK_MS }, { "s", CLOCK_SECOND }, { "m", CLOCK_MINUTE }, { "h", 60 * CLOCK_MINUTE } };
	const char *unit = "";
	double number = text ? read_decimal(text, &unit) : 0;

	if (!text)
		return true;
	for (size_t i = 0; number > 0 && i < sizeof units / sizeof *units; i++) {
		if (strcmp(unit, units[i].unit) != 0 || number * (double)units[i].ns > (double)MOST_SPAN)
			continue;
		*ns = (int64_t)(number * (double)units[i].ns);
		return true;
	}
	cli_complain("weft %s: %s takes a time such as 50ms, 1s or 2m, not `%s`", command, option, text);
	return false;
}

bool arguments_percent(const char *command, const char *option, const char *text, double *percent)
{
	const char *rest = "";
	double number = text ? read_decimal(text, &rest) : 0;

	if (!text)
		return true;
	if (number < 0 || number > 100 || (strcmp(rest, "") != 0 && strcmp(rest, "%") != 0)) {
		cli_complain("weft %s: %s takes a percentage such as 99.9, not `%s`", command, option, text);
		return false;
	}
	*percent = number;
	return true;
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
