/* SPDX-License-Identifier: Apache-2.0 */
/* doc/yaml.h: reads YAML 1.1 into a document's builder. Called by document_parse; control thread, heap, does not block.
 *
 * libyaml's scanner and parser (https://pyyaml.org/wiki/LibYAML), read as events with marks. Anchors and aliases are
 * resolved by copying, bounded by the builder's limits. Refused by name: tags, several documents, an alias inside its
 * own anchor, an empty document. A key `<<` has no special meaning, as in Jackson.
 *
 *	int e = yaml_read(&builder, bytes);
 */
#ifndef DOC_YAML_H
#define DOC_YAML_H

#include "base/error.h"
#include "base/slice.h"

struct builder;

/* ERROR_SYNTAX, ERROR_LIMIT; what is wrong is in the builder's problems. */
MUST_CHECK int yaml_read(struct builder *builder, struct slice bytes);

#endif
