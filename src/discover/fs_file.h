/* SPDX-License-Identifier: Apache-2.0 */
/* discover/fs_file.h: the text of a file of the io.l5d.fs namer: one `host port` or `host port * weight` a line.
 *
 *	struct fs_file file;
 *	if (fs_file_parse(bytes, &arena, &file, &why)) ...    // why: "line 3: expected `host port` or .., found `x`"
 *	use(file.hosts, file.count);                          // names point into `bytes`
 */
#ifndef DISCOVER_FS_FILE_H
#define DISCOVER_FS_FILE_H

#include "base/arena.h"
#include "base/error.h"
#include "discover/host_set.h"

struct fs_file {
	struct host *hosts; /* in the arena */
	uint32_t count;
};

/* ERROR_SYNTAX: a malformed line, with *why in the arena; ERROR_NO_MEMORY. */
MUST_CHECK int fs_file_parse(struct slice bytes, struct arena *arena, struct fs_file *file, struct slice *why);

#endif
