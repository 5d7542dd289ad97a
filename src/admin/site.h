/* SPDX-License-Identifier: Apache-2.0 */
/* admin/site.h: pages that are only read, by HTTP, of a command that is no proxy: GET and HEAD, and the files that the build embeds. On the
 * thread of its loop.
 *
 *	static const struct site_page pages[] = { { "/", NULL, "/mesh" }, { "/mesh.json", show, NULL }, { NULL, NULL, NULL } };
 *	site_new(loop, network_host(), &address, pages, owner, &site, &why);
 *	static void show(struct request *request) { use(site_owner(request)); request_answer(request, 200, ...); }
 */
#ifndef ADMIN_SITE_H
#define ADMIN_SITE_H

#include "admin/request.h"
#include "io/address.h"

struct loop;
struct network;
struct site;

struct site_page {
	const char *path;                      /* NULL ends the table */
	void (*show)(struct request *request); /* answers it, once */
	const char *file; /* instead: which of the embedded files that is (admin/web/bundle.py). Those below /files/ go without saying */
};

/* Listens. ERROR_EXISTS (the address is in use) and others: `why` says it. `pages` and `owner` live on; it lives as long as the process. */
MUST_CHECK int site_new(struct loop *loop, struct network *network, const struct address *address, const struct site_page *pages,
	void *owner, struct site **site, struct text *why);
void site_address(const struct site *site, struct address *bound);
/* Of the site that a request was sent to. */
void *site_owner(const struct request *request);

#endif
