/* SPDX-License-Identifier: Apache-2.0 */
#include "client/hosts.h"

#include "client/words.h"

static bool line_names(struct slice line, struct slice name)
{
	struct slice word;
	while ((word = words_next(&line)).length) {
		if (slice_equal_nocase(word, name))
			return true;
	}
	return false;
}

static bool is_among(const struct address *found, unsigned count, const struct address *address)
{
	for (unsigned i = 0; i < count; i++) {
		if (address_equal(&found[i], address))
			return true;
	}
	return false;
}

unsigned hosts_find(struct slice file, struct slice name, struct address *found, unsigned max)
{
	unsigned count = 0;
	struct slice line;
	if (slice_ends(name, SLICE(".")))
		name.length--;
	while (count < max && slice_split(&file, '\n', &line)) {
		line.length = slice_find(line, '#');
		struct slice ip = words_next(&line);
		if (line_names(line, name) && !address_parse(ip, 0, &found[count]) && !is_among(found, count, &found[count]))
			count++;
	}
	return count;
}
