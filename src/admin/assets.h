/* SPDX-License-Identifier: Apache-2.0 */
/* admin/assets.h: the dashboard's files as the build embeds them (web/bundle.py); private to this room. Constants, any thread.
 *
 *	for (const struct asset *asset = assets; asset->path; asset++) ...      // none when it was built without pages
 */
#ifndef ADMIN_ASSETS_H
#define ADMIN_ASSETS_H

#include <stddef.h>

#include "base/slice.h"

struct asset {
	const char *path; /* "/files/app.js"; NULL ends the table */
	const char *content_type;
	const char *tag;           /* ETag, with its quotes: a hash of the bytes */
	const unsigned char *gzip; /* the content, compressed */
	size_t length;
};

extern const struct asset assets[];

struct request;

/* The file of that path, or 304 for who has it; 404: none is embedded. */
void asset_answer(struct request *request, struct slice path);

#endif
