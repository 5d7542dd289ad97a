/* SPDX-License-Identifier: Apache-2.0 */
/* doc/json.h: reads JSON (RFC 8259, strictly) into a document's builder. Called by document_parse; control thread.
 *
 * No comments, no trailing commas, no other numbers than section 6 allows, nothing behind the value; UTF-8 is validated
 * (RFC 3629: no surrogates, no overlong forms), and an escaped lone surrogate is refused. A byte order mark is skipped.
 *
 *	int e = json_read(&builder, bytes);
 */
#ifndef DOC_JSON_H
#define DOC_JSON_H

#include "base/error.h"
#include "base/slice.h"

struct builder;

/* ERROR_SYNTAX, ERROR_LIMIT; what is wrong is in the builder's problems. */
MUST_CHECK int json_read(struct builder *builder, struct slice bytes);
/* Whether the text is exactly one number as in section 6. */
bool json_is_number(struct slice text);

#endif
