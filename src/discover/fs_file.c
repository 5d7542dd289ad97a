/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/fs_file.h"

#include <math.h>
#include <stdlib.h>

enum { WORDS = 4, LONGEST_WEIGHT = 63, SHOWN = 80 };

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Splits at blanks. The count, or WORDS + 1 when there are more. */
static unsigned split_words(struct slice line, struct slice words[WORDS])
{
	unsigned count = 0;
	size_t i = 0;
	for (;;) {
		while (i < line.length && is_blank(line.at[i]))
			i++;
		if (i == line.length || count > WORDS)
			return count;
		size_t from = i;
		while (i < line.length && !is_blank(line.at[i]))
			i++;
		if (count < WORDS)
			words[count] = slice_make(line.at + from, i - from);
		count++;
	}
}

static bool parse_weight(struct slice word, double *weight)
{
	char text[LONGEST_WEIGHT + 1];
	char *end;
	if (word.length > LONGEST_WEIGHT)
		return false;
	memcpy(text, word.at, word.length);
	text[word.length] = '\0';
	*weight = strtod(text, &end);
	return end == text + word.length && isfinite(*weight) && *weight >= 0;
}

static bool parse_host(const struct slice *words, unsigned count, struct host *host)
{
	uint64_t port;
	*host = (struct host){ .name = words[0], .weight = 1 };
	if (count != 2 && count != 4)
		return false;
	if (!host_set_is_name(words[0]) || slice_to_u64(words[1], UINT16_MAX, &port) || port == 0)
		return false;
	host->port = (uint16_t)port;
	return count == 2 || (slice_equal(words[2], SLICE("*")) && parse_weight(words[3], &host->weight));
}

static uint32_t count_lines(struct slice bytes)
{
	uint32_t count = 1;
	for (size_t i = 0; i < bytes.length; i++)
		count += bytes.at[i] == '\n';
	return count;
}

int fs_file_parse(struct slice bytes, struct arena *arena, struct fs_file *file, struct slice *why)
{
	struct slice line, words[WORDS] = { 0 };
	unsigned number = 0;
	*why = SLICE("out of memory");
	*file = (struct fs_file){ arena_get(arena, count_lines(bytes) * sizeof *file->hosts), 0 };
	if (!file->hosts)
		return ERROR_NO_MEMORY;
	while (bytes.length && slice_split(&bytes, '\n', &line)) {
		number++;
		line.length = slice_find(line, '#');
		unsigned count = split_words(line, words);
		if (count && !parse_host(words, count, &file->hosts[file->count])) {
			line = slice_trim(line);
			if (line.length > SHOWN)
				line.length = SHOWN;
			*why = arena_format(
				arena, "line %u: expected `host port` or `host port * weight`, found `%.*s`", number, SLICE_ARGS(line));
			return why->at ? ERROR_SYNTAX : ERROR_NO_MEMORY;
		}
		file->count += count > 0;
	}
	return 0;
}
