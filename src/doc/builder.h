/* SPDX-License-Identifier: Apache-2.0 */
/* doc/builder.h: builds a document's tree from a parser's events. Used by yaml.c and json.c only.
 *
 * Checks what both formats share: limits, keys that are scalars and unique, no NUL in texts. Errors that end the parse
 * are returned; duplicate keys are collected, and builder_finish answers with ERROR_SYNTAX. Heap, one thread.
 *
 *	builder_init(&b, document, limits, problems);
 *	builder_open(&b, DOCUMENT_MAPPING, 1, 1, &map);
 *	builder_scalar(&b, key_bytes, DOCUMENT_PLAIN, 1, 1, &key);
 *	builder_scalar(&b, value_bytes, DOCUMENT_PLAIN, 1, 7, &value);
 *	builder_close(&b);
 *	int e = builder_finish(&b);              // sets document->root
 */
#ifndef DOC_BUILDER_H
#define DOC_BUILDER_H

#include "base/arena.h"
#include "doc/document.h"

struct document {
	struct arena arena; /* nodes and texts */
	struct slice file;
	const struct document_node *root;
};

struct builder_level;

struct builder {
	struct document *document;
	struct problems *problems;
	struct document_limits limits; /* filled in */
	struct builder_level *levels;  /* what is open, outermost first */
	uint32_t depth, level_capacity;
	struct document_entry *pending; /* children of all open nodes, innermost last */
	size_t pending_count, pending_capacity;
	uint32_t nodes;
	bool failed; /* a problem that did not end the parse */
};

void builder_init(struct builder *builder, struct document *document, const struct document_limits *limits, struct problems *problems);
void builder_fini(struct builder *builder);

/* The text is copied. */
MUST_CHECK int builder_scalar(
	struct builder *builder, struct slice text, enum document_style style, int line, int column, struct document_node **node);
MUST_CHECK int builder_open(struct builder *builder, enum document_kind kind, int line, int column, struct document_node **node);
/* The innermost open node is complete. */
void builder_close(struct builder *builder);
/* A copy of a finished node takes the next place; line and column are where it is asked for. */
MUST_CHECK int builder_copy(struct builder *builder, const struct document_node *from, int line, int column);
bool builder_is_open(const struct builder *builder, const struct document_node *node);
/* All is closed. ERROR_SYNTAX: no root, or problems were found on the way. */
MUST_CHECK int builder_finish(struct builder *builder);

/* A copy in the document with a NUL behind it. */
struct slice builder_text(struct document *document, struct slice text);

#endif
