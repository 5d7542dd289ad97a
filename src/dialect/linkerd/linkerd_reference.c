/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys, written for people. What is there twice (the keys of `global` and of `configs`) is told once. */
#include <stdio.h>

#include "base/check.h"
#include "dialect/linkerd/linkerd.h"
#include "dialect/linkerd/linkerd_parts.h"

enum { SAYS_COLUMN = 40, WIDTH = 116, MOST_TOLD = 64, FEW_KEYS = 4 };

struct reference {
	struct text *out;
	const void *told[MOST_TOLD]; /* blocks and choices */
	unsigned told_count;
};

static void tell_block(struct reference *reference, const struct linkerd_block *block, unsigned depth);

static bool told_before(struct reference *reference, const void *what)
{
	for (unsigned i = 0; i < reference->told_count; i++) {
		if (reference->told[i] == what)
			return true;
	}
	CHECK(reference->told_count < MOST_TOLD);
	reference->told[reference->told_count++] = what;
	return false;
}

static void tell_line(struct reference *reference, unsigned depth, const char *name, const char *says)
{
	int width = 2 * (int)depth + (int)strlen(name);

	text_format(reference->out, "%*s%s%*s%s\n", 2 * (int)depth, "", name, width < SAYS_COLUMN - 1 ? SAYS_COLUMN - width : 2, "", says);
}

/* ---- what is not yet supported: gathered in lines of its own ---- */

struct later {
	struct text line;
	unsigned depth;
	size_t line_start;
};

static void add_later(struct later *later, const char *name)
{
	if (later->line.length == 0)
		text_format(&later->line, "%*snot yet: %s", 2 * (int)later->depth, "", name);
	else if (later->line.length - later->line_start + strlen(name) + 2 <= WIDTH)
		text_format(&later->line, ", %s", name);
	else {
		text_format(&later->line, ",\n");
		later->line_start = later->line.length;
		text_format(&later->line, "%*s%s", 2 * (int)later->depth + 9, "", name);
	}
}

static void tell_later(struct reference *reference, struct later *later)
{
	if (later->line.length)
		text_format(reference->out, "%s\n", later->line.bytes);
	text_free(&later->line);
}

/* ---- keys and kinds ---- */

static void tell_choice(struct reference *reference, const struct linkerd_choice *choice, unsigned depth)
{
	struct later later = { .depth = depth };

	if (told_before(reference, choice)) {
		text_format(reference->out, "%*s(the kinds are those above)\n", 2 * (int)depth, "");
		return;
	}
	for (const struct linkerd_kind *kind = choice->kinds; kind->name; kind++) {
		char line[80];

		if (!kind->block) {
			add_later(&later, kind->name);
			continue;
		}
		snprintf(line, sizeof line, "kind: %s", kind->name);
		tell_line(reference, depth, line, kind->says);
		tell_block(reference, kind->block, depth + 1);
	}
	tell_later(reference, &later);
}

static void tell_key(struct reference *reference, const struct linkerd_key *key, unsigned depth)
{
	char says[200];

	if (key->type == LINKERD_APART && !key->says)
		return;
	snprintf(says, sizeof says, "%s%s", key->required ? "required: " : "", key->says);
	tell_line(reference, depth, key->name, says);
	if (key->block)
		tell_block(reference, key->block, depth + 1);
	if (key->choice)
		tell_choice(reference, key->choice, depth + 1);
}

static unsigned count_keys(const struct linkerd_block *block)
{
	unsigned count = 0;

	while (block->keys[count].name)
		count++;
	return count;
}

static void tell_block(struct reference *reference, const struct linkerd_block *block, unsigned depth)
{
	struct later later = { .depth = depth };

	for (; block; block = block->also) {
		if (count_keys(block) >= FEW_KEYS && told_before(reference, block)) {
			text_format(reference->out, "%*s(and the keys told above)\n", 2 * (int)depth, "");
			continue;
		}
		for (const struct linkerd_key *key = block->keys; key->name; key++) {
			if (key->type == LINKERD_LATER)
				add_later(&later, key->name);
			else
				tell_key(reference, key, depth);
		}
	}
	tell_later(reference, &later);
}

void linkerd_reference(struct text *out)
{
	struct reference reference = { .out = out };

	tell_block(&reference, &linkerd_root, 0);
}
