/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/suggest.h"

#include <stdbool.h>

enum { LONGEST = 64 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance with exchanged neighbours as one step. */
static int distance(struct slice a, struct slice b)
{
	int rows[3][LONGEST + 1];
	int *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.length; j++)
		last[j] = (int)j;
	for (size_t i = 1; i <= a.length; i++) {
		row[0] = (int)i;
		for (size_t j = 1; j <= b.length; j++) {
			char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);
			int best = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.at[j - 2]) && lower(a.at[i - 2]) == y)
				best = least(best, before[j - 2] + 1);
			row[j] = best;
		}
		int *reused = before;
		before = last;
		last = row;
		row = reused;
	}
	return last[b.length];
}

int suggest_name(struct slice found, const char *const *names, const char **meant)
{
	int nearest = SUGGEST_NONE;
	if (!names || found.length > LONGEST)
		return SUGGEST_NONE;
	for (; *names; names++) {
		struct slice name = slice_of(*names);
		if (name.length > LONGEST)
			continue;
		int limit = name.length < 6 ? 1 + (name.length > 3) : (int)name.length / 3;
		int n = distance(found, name);
		if (n <= limit && n < nearest && n < (int)name.length) {
			nearest = n;
			*meant = *names;
		}
	}
	return nearest;
}
