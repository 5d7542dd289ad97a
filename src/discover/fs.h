/* SPDX-License-Identifier: Apache-2.0 */
/* discover/fs.h: the namer io.l5d.fs: a directory of files, each with the addresses of one name.
 *
 * A name below the prefix is walked through directories until it meets a regular file; what is left is residual.
 * Lines are `host port` or `host port * weight`; `#` begins a comment; empty lines are fine. A line that is anything
 * else fails the whole file (its endpoints are then ENDPOINTS_FAILED and say which line). A file over 500 KB fails
 * too. A missing file is neg. Files and directories may come and go at any time. Control thread.
 *
 *	struct namer *fs;
 *	fs_new(&(struct fs_options){ .discover = { loop, resolver }, .root = "disco", .prefix = prefix }, &fs);
 *	w = namer_lookup(fs, hello, changed, owner);       // /#/io.l5d.fs/hello
 */
#ifndef DISCOVER_FS_H
#define DISCOVER_FS_H

#include "base/error.h"
#include "discover/namer.h"

enum { FS_MAX_FILE = 500 * 1024 };

struct fs_options {
	struct discover discover;
	struct path prefix; /* copied */
	const char *root;   /* copied; need not exist yet */
};

/* ERROR_INVALID: root is empty. Directories are read and watched when names below them are looked up. */
MUST_CHECK int fs_new(const struct fs_options *options, struct namer **namer);

#endif
