/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/install/template.h"

/* What lines before have opened. */
struct blocks {
	unsigned kept;    /* of those that are kept, how many are open */
	unsigned skipped; /* of those that are not, and what is nested in them */
};

static void append_lines(struct slice lines, const char *indent, struct slice before, struct text *out)
{
	size_t blank = 0;
	struct slice line;
	bool first = true;

	while (blank < before.length && before.at[blank] == ' ')
		blank++;
	while (lines.length > 0 && slice_split(&lines, '\n', &line)) {
		if (!first)
			text_format(out, "\n%s%.*s", indent, (int)blank, before.at);
		text_append(out, line);
		first = false;
	}
}

static void append_line(struct slice line, const char *indent, const struct template_names *names, const void *owner, struct text *out)
{
	struct slice whole = line, part;

	text_append(out, slice_of(line.length ? indent : ""));
	for (bool inside = false; line.length > 0 && slice_split(&line, '@', &part); inside = !inside) {
		if (inside) {
			struct text value = { 0 };

			names->value(owner, part, &value);
			append_lines(text_slice(&value), indent, whole, out);
			text_free(&value);
		} else {
			text_append(out, part);
		}
	}
	text_append(out, SLICE("\n"));
}

/* Whether the line opens or closes a block. */
static bool is_block(struct slice line, const struct template_names *names, const void *owner, struct blocks *blocks, struct text *out)
{
	const struct slice opening = SLICE("@IF "), closing = SLICE("@END@");

	if (!names->begin)
		return false;
	if (slice_equal(line, closing)) {
		if (blocks->skipped > 0) {
			blocks->skipped--;
		} else {
			blocks->kept--;
			if (names->end)
				names->end(owner, out);
		}
		return true;
	}
	if (!slice_starts(line, opening))
		return false;
	if (blocks->skipped > 0 || !names->begin(owner, slice_make(line.at + opening.length, line.length - opening.length - 1), out))
		blocks->skipped++;
	else
		blocks->kept++;
	return true;
}

void template_fill(const char *text, const char *indent, const struct template_names *names, const void *owner, struct text *out)
{
	struct slice rest = slice_of(text), line;
	struct blocks blocks = { .kept = 0 };

	while (rest.length > 0 && slice_split(&rest, '\n', &line))
		if (!is_block(line, names, owner, &blocks, out) && blocks.skipped == 0)
			append_line(line, indent, names, owner, out);
}
