/* SPDX-License-Identifier: Apache-2.0 */
/* model/name_parser.h: the one parser of paths, name trees and dtabs, for the files of this room.
 *
 *	dtab    = [dentry] { ";" [dentry] }               where blanks may be, "#" begins a comment up to the end of the line
 *	dentry  = prefix "=>" tree
 *	prefix  = "/" [elem { "/" elem }]                 elem = label | "*"
 *	tree    = union { "|" union }
 *	union   = share { "&" share }
 *	share   = [number "*"] simple
 *	simple  = "(" tree ")" | path | "!" | "~" | "$"
 *	path    = "/" [label { "/" label }]               no "/" behind a label; "/" alone is the empty path
 *	label   = one or more of A-Z a-z 0-9 _ : . # $ % - and \xHH
 *
 * The first error stays: each function answers it, with the text in `why`. Recursion ends at NAME_PARSER_DEPTH
 * parentheses.
 *
 *	struct name_parser parser = { .text = text, .arena = arena };
 *	int e = name_parser_tree(&parser, &tree);
 *	if (!e)
 *		e = name_parser_end(&parser);
 */
#ifndef MODEL_NAME_PARSER_H
#define MODEL_NAME_PARSER_H

#include "model/dtab.h"

enum {
	NAME_PARSER_DEPTH = 100,
	NAME_PARSER_NUMBER = 40, /* characters of a weight; weights are below 1e18 */
};

struct name_parser {
	struct slice text;
	size_t at;
	struct arena *arena;
	struct slice why; /* set with the error */
	unsigned depth;
};

MUST_CHECK int name_parser_path(struct name_parser *parser, struct path *path);
MUST_CHECK int name_parser_tree(struct name_parser *parser, const struct name_tree **tree);
MUST_CHECK int name_parser_dtab(struct name_parser *parser, struct dtab *dtab);
/* Nothing but blanks and comments may follow. */
MUST_CHECK int name_parser_end(struct name_parser *parser);

#endif
