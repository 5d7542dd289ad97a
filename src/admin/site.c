/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/site.h"

#include "admin/assets.h"
#include "base/memory.h"
#include "io/network.h"

enum { MOST_SESSIONS = 256 };

struct site {
	const struct site_page *pages;
	void *owner;
	struct session_pools *pools;
	struct listen_set *set;
	struct listener *listener;
	struct list sessions, requests;
};

/* ---- requests ---- */

static const struct site_page *find(const struct site *site, struct slice path)
{
	const struct site_page *page = site->pages;

	while (page->path && !slice_equal(path, slice_of(page->path)))
		page++;
	return page->path ? page : NULL;
}

static void dispatch(struct request *request)
{
	struct slice path = text_slice(&request->path);
	const struct site_page *page = find(request->site, path);

	if (request->method != METHOD_GET && request->method != METHOD_HEAD)
		request_answer_error(request, 405, "GET only");
	else if (page && page->show)
		page->show(request);
	else if (page || slice_starts(path, SLICE("/files/")))
		asset_answer(request, page ? slice_of(page->file) : path);
	else
		request_answer_error(request, 404, "no such page");
}

/* ---- sessions ---- */

static void opened(void *owner, struct session *session, struct side *side)
{
	struct site *site = owner;

	(void)session;
	request_open(&site->requests, NULL, site, side, dispatch);
}

static void closed(void *owner, struct session *session, int error)
{
	(void)owner;
	(void)error;
	list_remove(&session->link);
}

static void accepted(void *owner, struct stream *stream)
{
	static const struct session_events events = { .opened = opened, .closed = closed };
	static const struct session_limits limits = {
		.max_line_bytes = 8192, .idle_ns = CLOCK_MINUTE, .head_ns = 10 * CLOCK_SECOND, .write_stall_ns = CLOCK_MINUTE
	};
	struct site *site = owner;
	struct session *session;

	if (http_codec.server(site->pools, stream, &limits, &events, site, NULL, &session) == 0)
		list_append(&site->sessions, &session->link);
}

/* ---- life ---- */

int site_new(struct loop *loop, struct network *network, const struct address *address, const struct site_page *pages, void *owner,
	struct site **out, struct text *why)
{
	struct site *site = memory_new(sizeof *site);
	char text[ADDRESS_TEXT];
	int e;

	site->pages = pages;
	site->owner = owner;
	list_init(&site->sessions);
	list_init(&site->requests);
	e = listen_open(network, address, 1, &(struct listen_options){ 0 }, &site->set);
	if (e)
		goto no_set;
	e = session_pools_new(loop, MOST_SESSIONS, MOST_SESSIONS, &site->pools);
	if (e)
		goto no_pools;
	site->listener = listen_start(site->set, 0, loop, accepted, site);
	*out = site;
	return 0;

no_pools:
	listen_close(site->set);
no_set:
	address_format(address, text);
	text_format(why, "cannot listen on %s: %s", text, e == ERROR_EXISTS ? "the address is in use" : error_text(e));
	memory_free(site);
	return e;
}

void site_address(const struct site *site, struct address *bound)
{
	listen_address(site->set, bound);
}

void *site_owner(const struct request *request)
{
	return request->site->owner;
}
