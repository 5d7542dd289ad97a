/* SPDX-License-Identifier: Apache-2.0 */
/* cli/arguments.h: a subcommand's options and words, by a table. Main thread.
 *
 *	const char *id = NULL, *words[1];
 *	bool now = false;
 *	const struct argument table[] = { { "--id", .value = &id }, { "--now", .flag = &now }, { .name = NULL } };
 *	if (!arguments_read("ca issue", count, arguments, table, words, 1, 1)) return 2;    // says what is wrong
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { ARGUMENT_MOST_VALUES = 16 };

struct argument_values {
	const char *at[ARGUMENT_MOST_VALUES];
	unsigned count;
};

/* One of value, values (the option may come several times) and flag. */
struct argument {
	const char *name;
	const char **value;
	struct argument_values *values;
	bool *flag;
	const char *const *choices; /* what a value may be, ends in NULL; for completion. NULL: anything */
};

/* `table` ends in one without a name. Fills in `words`, those that are no options: at least `least` (or it complains), at most
 * `most`; the rest is NULL. */
bool arguments_read(
	const char *command, int count, char **arguments, const struct argument *table, const char **words, unsigned least, unsigned most);
/* Runs a command (with one word, if `word` isn't NULL) only as far as its call of arguments_read, and tells the table that it has. */
void arguments_describe(
	int (*run)(int count, char **arguments), const char *word, void (*visit)(void *owner, const struct argument *table), void *owner);
/* "30s", "90m", "24h", "7d": seconds. Complains, and answers false. NULL leaves *seconds as it is. */
bool arguments_duration(const char *command, const char *option, const char *text, int64_t *seconds);
/* "500us", "50ms", "2s", "1m", "1h", also with a fraction ("1.5s"): nanoseconds, more than none. As above. */
bool arguments_span(const char *command, const char *option, const char *text, int64_t *ns);
/* "99.9", "99.9%", at most 100. As above. */
bool arguments_percent(const char *command, const char *option, const char *text, double *percent);
/* One of `names` (ends in NULL): its index. */
bool arguments_choice(const char *command, const char *option, const char *text, const char *const *names, int *index);

#endif
