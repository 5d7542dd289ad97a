/* SPDX-License-Identifier: Apache-2.0 */
/* The readers that document.h declares: from a scalar's text to a value. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "doc/document.h"
#include "doc/suggest.h"

enum { LONGEST_NUMBER = 64 };

/* One wording for all: `port` is `abc`, but must be an integer from 0 to 65535. */
static bool refuse(const struct document_node *node, const char *accepted, struct problems *problems)
{
	char found[DOCUMENT_FOUND];
	document_found(node, found);
	if (node->key.length)
		problem_add(problems, node, "`%.*s` is %s, but must be %s", SLICE_ARGS(node->key), found, accepted);
	else
		problem_add(problems, node, "found %s, but this must be %s", found, accepted);
	return false;
}

static bool is_value(const struct document_node *node)
{
	return node->kind == DOCUMENT_SCALAR && !document_is_null(node);
}

bool document_read_bool(const struct document_node *node, bool *out, struct problems *problems)
{
	static const char *const names[] = { "false", "False", "FALSE", "true", "True", "TRUE" };
	if (!node)
		return false;
	if (is_value(node)) {
		for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
			if (slice_equal(node->text, slice_of(names[i]))) {
				*out = i >= 3;
				return true;
			}
		}
	}
	return refuse(node, "true or false", problems);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number without `_`, NUL-terminated; false if it isn't made of digits with single `_` between them. A leading zero
 * is refused, because YAML 1.1 would read an octal number where people mean a decimal one. */
static bool copy_digits(struct slice text, char digits[LONGEST_NUMBER])
{
	size_t n = 0, i = 0;
	if (text.length >= LONGEST_NUMBER)
		return false;
	if (i < text.length && (text.at[i] == '-' || text.at[i] == '+'))
		digits[n++] = text.at[i++];
	if (i == text.length || !is_digit(text.at[i]) || (text.at[i] == '0' && i + 1 < text.length))
		return false;
	for (; i < text.length; i++) {
		if (is_digit(text.at[i]))
			digits[n++] = text.at[i];
		else if (text.at[i] != '_' || i + 1 == text.length || text.at[i + 1] == '_')
			return false;
	}
	digits[n] = '\0';
	return true;
}

/* False too for what is outside int64_t. */
static bool to_int(struct slice text, int64_t *value)
{
	char digits[LONGEST_NUMBER];
	if (!copy_digits(text, digits))
		return false;
	bool negative = digits[0] == '-';
	uint64_t magnitude, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	if (slice_to_u64(slice_of(digits + (negative || digits[0] == '+')), most, &magnitude))
		return false;
	*value = (int64_t)(negative ? 0 - magnitude : magnitude);
	return true;
}

bool document_read_int(const struct document_node *node, int64_t min, int64_t max, int64_t *out, struct problems *problems)
{
	int64_t value;
	if (!node)
		return false;
	if (is_value(node) && to_int(node->text, &value) && value >= min && value <= max) {
		*out = value;
		return true;
	}
	char accepted[128];
	if (max == INT64_MAX && min == INT64_MIN)
		snprintf(accepted, sizeof accepted, "an integer");
	else if (max == INT64_MAX)
		snprintf(accepted, sizeof accepted, "an integer of at least %" PRId64, min);
	else if (min == INT64_MIN)
		snprintf(accepted, sizeof accepted, "an integer of at most %" PRId64, max);
	else
		snprintf(accepted, sizeof accepted, "an integer from %" PRId64 " to %" PRId64, min, max);
	return refuse(node, accepted, problems);
}

/* [-+] digits [. digits] [e [-+] digits], with a digit on at least one side of the point. strtod alone would accept
 * more. */
static bool is_decimal(const char *s)
{
	unsigned whole = 0, fraction = 0;
	s += *s == '-' || *s == '+';
	for (; is_digit(*s); s++)
		whole++;
	if (*s == '.') {
		for (s++; is_digit(*s); s++)
			fraction++;
	}
	if (!whole && !fraction)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!is_digit(*s))
			return false;
		while (is_digit(*s))
			s++;
	}
	return *s == '\0';
}

bool document_read_number(const struct document_node *node, double min, double max, double *out, struct problems *problems)
{
	if (!node)
		return false;
	if (is_value(node) && is_decimal(node->text.at)) {
		double value = strtod(node->text.at, NULL);
		if (isfinite(value) && value >= min && value <= max) {
			*out = value;
			return true;
		}
	}
	char accepted[128];
	if (isinf(max) && isinf(min))
		snprintf(accepted, sizeof accepted, "a number");
	else if (isinf(max))
		snprintf(accepted, sizeof accepted, "a number of at least %g", min);
	else if (isinf(min))
		snprintf(accepted, sizeof accepted, "a number of at most %g", max);
	else
		snprintf(accepted, sizeof accepted, "a number from %g to %g", min, max);
	return refuse(node, accepted, problems);
}

bool document_read_text(const struct document_node *node, struct slice *out, struct problems *problems)
{
	if (!node)
		return false;
	if (!is_value(node))
		return refuse(node, "a text", problems);
	*out = node->text;
	return true;
}

bool document_read_choice(const struct document_node *node, const char *const *names, int *out, struct problems *problems)
{
	if (!node)
		return false;
	if (is_value(node)) {
		for (int i = 0; names[i]; i++) {
			if (slice_equal(node->text, slice_of(names[i]))) {
				*out = i;
				return true;
			}
		}
	}
	struct text accepted = { 0 };
	const char *meant = NULL;
	text_append(&accepted, names[0] && names[1] ? SLICE("one of ") : SLICE(""));
	for (int i = 0; names[i]; i++)
		text_format(&accepted, "%s%s", i ? ", " : "", names[i]);
	if (node->kind == DOCUMENT_SCALAR && suggest_name(node->text, names, &meant) != SUGGEST_NONE)
		text_format(&accepted, "; did you mean `%s`?", meant);
	refuse(node, accepted.bytes, problems);
	text_free(&accepted);
	return false;
}
