/* SPDX-License-Identifier: Apache-2.0 */
/* dialect/linkerd/linkerd.h: Linkerd 1.x's configuration file, compiled to a snapshot.
 *
 * Every key of Linkerd 1.7.5 is known: it is either read, or refused by its name as not supported yet; anything else is
 * an unknown key. All problems of a file are collected, each with its line and column. Control thread; does not block.
 *
 *	struct snapshot *snapshot;
 *	if (linkerd_load(slice_of("linkerd.yaml"), bytes, &problems, &snapshot))
 *		problem_print(&problems, &out);
 *	else
 *		snapshot_unref(snapshot);
 */
#ifndef DIALECT_LINKERD_LINKERD_H
#define DIALECT_LINKERD_LINKERD_H

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "doc/problem.h"
#include "model/snapshot.h"

/* YAML, or JSON if it begins with `{`. `name` is the file's, for problems and as snapshot->source. One reference to the
 * snapshot, which shares nothing with `bytes`; its generation is the caller's to set. ERROR_SYNTAX, ERROR_LIMIT (no
 * document), ERROR_INVALID (a document that isn't a good configuration): there is no snapshot, and at least one problem. */
MUST_CHECK int linkerd_load(struct slice name, struct slice bytes, struct problems *problems, struct snapshot **snapshot);

/* All keys and kinds, as people read them: one line each, what it is for or "not yet". */
void linkerd_reference(struct text *out);

struct document_node;
/* Of a file that was loaded: what its key would have without it, as the reference says. */
bool linkerd_is_default(const struct document_node *value);
/* Of a key that is only taken. */
bool linkerd_has_no_effect(const struct document_node *value);
/* A mapping that only gathers keys: an empty one, or one with defaults alone, means the same as none. */
bool linkerd_is_plain_block(const struct document_node *map);

#endif
