/* SPDX-License-Identifier: Apache-2.0 */
/* cli/install/template.h: texts with names in them, filled in line by line. Any thread; the heap.
 *
 *	  image: @IMAGE@          the name's value; its further lines, if it has some, are indented as this one is
 *	@IF MTLS@                 alone on a line: what follows, to its @END@, is only kept if that holds; nested up to any depth
 *	  mutualTls: strict
 *	@END@
 *
 *	static const struct template_names names = { .value = value, .begin = begin };
 *	template_fill(text, "    ", &names, &options, &out);
 */
#ifndef CLI_INSTALL_TEMPLATE_H
#define CLI_INSTALL_TEMPLATE_H

#include "base/text.h"

struct template_names {
	void (*value)(const void *owner, struct slice name, struct text *out);
	/* Whether the lines of @IF NAME@ are kept. It may write lines of its own before them. NULL: there is no @IF@. */
	bool (*begin)(const void *owner, struct slice name, struct text *out);
	/* Behind lines that were kept. May be NULL. */
	void (*end)(const void *owner, struct text *out);
};

/* `indent` comes before each line that isn't empty. @ is nowhere in `text` but around names. */
void template_fill(const char *text, const char *indent, const struct template_names *names, const void *owner, struct text *out);

#endif
