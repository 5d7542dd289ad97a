/* SPDX-License-Identifier: Apache-2.0 */
/* doc/document.h: YAML and JSON as a tree whose nodes know file, line and column.
 *
 * A document owns all its nodes and texts; it is immutable once parsed. Heap; one thread at a time (control). Scalars
 * are kept as text: what they mean is decided by who reads them, as Jackson does it for Linkerd (`port: "4140"` is an
 * integer to who wants one, `label: 5` a text).
 *
 *	struct document *document;
 *	int e = document_parse(bytes, slice_of("linkerd.yaml"), NULL, &problems, &document);
 *	const struct document_node *root = document_root(document);
 *	static const char *const names[] = { "port", "ip", NULL };
 *	document_check_keys(root, &(struct document_keys){ .accepted = names }, &problems);
 *	int64_t port = 4140;                                               // stays if the key is absent or null
 *	document_read_int(document_get(root, "port"), 0, 65535, &port, &problems);
 *	document_free(document);
 */
#ifndef DOC_DOCUMENT_H
#define DOC_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "doc/problem.h"

enum document_kind {
	DOCUMENT_SCALAR,
	DOCUMENT_SEQUENCE,
	DOCUMENT_MAPPING,
};

enum document_style {
	DOCUMENT_PLAIN,   /* JSON's numbers, true, false and null are plain */
	DOCUMENT_QUOTED,  /* JSON's strings are quoted */
	DOCUMENT_LITERAL, /* a block beginning with | */
	DOCUMENT_FOLDED,  /* a block beginning with > */
};

/* All fields are to be read, none to be written. */
struct document_node {
	const struct document *document;
	const struct document_node *parent; /* NULL: the root */
	struct slice key;                   /* under which it is in its parent; empty in a sequence */
	uint8_t kind;                       /* enum document_kind */
	uint8_t style;                      /* enum document_style, of a scalar */
	bool text_mapped;                   /* text_line and text_column say where each line of the text begins */
	int line, column;                   /* from 1, in characters; an alias's copy is where its anchor is */
	int text_line, text_column;         /* of the text's first character, when text_mapped */
	uint32_t count;                     /* items or entries */
	union {
		struct slice text;                        /* scalar; a NUL follows it */
		const struct document_node *const *items; /* sequence */
		const struct document_entry *entries;     /* mapping, in the document's order; keys are unique */
	};
};

struct document_entry {
	struct slice key;
	const struct document_node *key_node; /* where the key is written */
	const struct document_node *value;    /* never NULL; may be null (document_is_null) */
};

struct document_limits {
	size_t max_bytes;   /* 0: 1 MiB */
	uint32_t max_nodes; /* 0: 100,000; copies made for aliases count */
	uint32_t max_depth; /* 0: 64 */
};

/* Input whose first character (after blanks) is `{` is JSON, all else YAML 1.1. `file` names it in problems. On an
 * error there is no document, and what is wrong is in problems: ERROR_SYNTAX (also: duplicate keys, tags, several
 * documents, an empty document, bytes that are not UTF-8), ERROR_LIMIT (limits, NULL: the defaults). Does not block. */
MUST_CHECK int document_parse(
	struct slice bytes, struct slice file, const struct document_limits *limits, struct problems *problems, struct document **document);
void document_free(struct document *document); /* NULL is allowed */
const struct document_node *document_root(const struct document *document);
struct slice document_file(const struct document *document); /* the name given to document_parse */

/* The value under `key`; NULL if there is none, or it is null, or `map` is NULL or no mapping. */
const struct document_node *document_get(const struct document_node *map, const char *key);
/* The same; its absence is a problem, unless `map` is NULL or no mapping (which is one already). */
const struct document_node *document_require(const struct document_node *map, const char *key, struct problems *problems);
/* The entry even if its value is null; NULL if there is none. */
const struct document_entry *document_find(const struct document_node *map, struct slice key);

/* A plain `null`, `~` or nothing at all. False for NULL. */
bool document_is_null(const struct document_node *node);
/* True if the node is of that kind; if it isn't NULL and isn't of the kind, that is a problem. */
bool document_expect(const struct document_node *node, enum document_kind kind, struct problems *problems);

/* Which keys a mapping may have. Lists end in NULL; each may be NULL. */
struct document_keys {
	const char *const *accepted;
	const char *const *later;         /* documented in the dialect, not done by weft yet: refused by name, as such */
	const struct document_keys *also; /* further keys, e.g. those common to all kinds */
};

/* Every other key is a problem, with the accepted key that it looks like: "unknown key `prot`; did you mean `port`?". A
 * node that is not NULL and no mapping is a problem too. True if there was none. */
bool document_check_keys(const struct document_node *map, const struct document_keys *keys, struct problems *problems);

/* Readers. True: *out is set. False: node is NULL and *out is left alone, or it is wrong, which is now in problems with
 * the key, what was found and what is accepted. */
bool document_read_bool(const struct document_node *node, bool *out, struct problems *problems);
/* Decimal, min <= *out <= max; `_` between digits is allowed as in YAML 1.1. Neither octal nor hexadecimal nor
 * fractions. */
bool document_read_int(const struct document_node *node, int64_t min, int64_t max, int64_t *out, struct problems *problems);
/* Decimal with fraction and exponent, finite, min <= *out <= max. */
bool document_read_number(const struct document_node *node, double min, double max, double *out, struct problems *problems);
/* Any scalar; the text belongs to the document, a NUL follows it (and none is in it). */
bool document_read_text(const struct document_node *node, struct slice *out, struct problems *problems);
/* One of `names` (ends in NULL): its index. */
bool document_read_choice(const struct document_node *node, const char *const *names, int *out, struct problems *problems);

/* Where the byte `offset` of a scalar's text is written; the node's own place if that can't be told (folded or
 * escaped). */
void document_text_place(const struct document_node *node, size_t offset, int *line, int *column);

enum { DOCUMENT_FOUND = 96 };
/* What is there, for messages: "`abc`" (shortened), "an empty text", "null", "a mapping", "a sequence". Returns
 * `found`. */
const char *document_found(const struct document_node *node, char found[DOCUMENT_FOUND]);

#endif
