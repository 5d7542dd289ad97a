/* SPDX-License-Identifier: Apache-2.0 */
/* cli/named_file.h: the files that a configuration names, for weft diff: two may have the same in them, and of a certificate people want to
 * know whose it is and until when. What can't be read is like nothing else. Blocking.
 *
 *	if (!named_file_same(old, new))
 *		named_file_tell(new, &out);      // " (spiffe://example.org/ns/default/sa/web until 2026-12-24T12:00:00Z)"
 */
#ifndef CLI_NAMED_FILE_H
#define CLI_NAMED_FILE_H

#include "base/text.h"

/* Whether `key` names a file, or a list of files, that is read when the configuration is: "certPath", "trustCerts". */
bool named_file_is_key(struct slice key);
/* Of two paths: they are equal, or the same bytes are there. */
bool named_file_same(struct slice old, struct slice new);
/* What is in it, when those are certificates: of a chain the first with the end of the whole chain, of authorities all. Nothing of other
 * files. */
void named_file_tell(struct slice path, struct text *out);

#endif
