/* SPDX-License-Identifier: Apache-2.0 */
/* model/name_show.h: how paths, name trees and dtabs are written, for the files of this room that show them.
 *
 * A name_show is where bytes go: a block that is large enough, a growing text, or nowhere (both NULL: only counted).
 * Writing into an arena is done in two rounds, so that nothing is allocated but what is shown.
 *
 *	struct name_show out = { .at = block };
 *	name_show_tree(&out, tree);             // out.length bytes are now in block
 */
#ifndef MODEL_NAME_SHOW_H
#define MODEL_NAME_SHOW_H

#include "base/text.h"
#include "model/dtab.h"

struct name_show {
	char *at;
	struct text *text;
	size_t length;
};

void name_show_bytes(struct name_show *out, struct slice bytes);
/* One segment, escaped where needed. */
void name_show_segment(struct name_show *out, struct slice segment);
void name_show_path(struct name_show *out, struct path path);
void name_show_tree(struct name_show *out, const struct name_tree *tree);
void name_show_prefix(struct name_show *out, const struct dentry *dentry);
void name_show_dtab(struct name_show *out, const struct dtab *dtab);

#endif
