/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/server.h"

#include "admin/access.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"

enum { MAX_SESSIONS = 1024, INBOX = 1024 };

static struct session *session_at(struct list *link)
{
	return LIST_OF(link, struct session, link);
}

struct list *server_requests(struct admin *admin)
{
	return &admin->requests;
}

/* ---- sessions ---- */

static void opened(void *owner, struct session *session, struct side *side)
{
	(void)session;
	request_open(owner, side);
}

static void closed(void *owner, struct session *session, int error)
{
	(void)owner;
	(void)error;
	list_remove(&session->link);
}

static const struct session_events admin_events = {
	.opened = opened,
	.closed = closed,
};

static void accepted(void *owner, struct stream *stream)
{
	struct admin *admin = owner;
	struct session *session;

	if (http1_server_new(admin->sessions, stream, &admin->limits, &admin_events, admin, NULL, &session) == 0)
		list_append(&admin->connections, &session->link);
}

/* ---- requests ---- */

static bool allows(const struct page *page, const struct request *request)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET",
		[METHOD_HEAD] = "GET",
		[METHOD_POST] = "POST",
	};
	const char *name = request->method < sizeof names / sizeof names[0] ? names[request->method] : NULL;

	return name && strstr(page->methods, name);
}

void server_dispatch(struct admin *admin, struct request *request)
{
	struct slice path = text_slice(&request->path);
	const struct page *page = page_for_path(admin, path);

	CHECK_MAGIC(admin, ADMIN_MAGIC);
	if (!access_allowed(&admin->snapshot->admin, page ? page->category : CATEGORY_DIAGNOSTICS, path))
		request_answer_error(request, 404, "this page is switched off by admin.security");
	else if (!page)
		request_answer_error(request, 404, "no such page; /admin lists those that there are");
	else if (!allows(page, request))
		request_answer_error(request, 405, "this page doesn't take that method");
	else
		page->show(request);
}

/* ---- life ---- */

static void deliver_snapshot(const struct message *message)
{
	struct admin *admin = message->owner;

	if (admin->snapshot)
		snapshot_unref(admin->snapshot);
	admin->snapshot = message->a;
	/* It listens only now: without a snapshot there would be nothing to show. */
	if (!admin->listener)
		admin->listener = listen_start(admin->set, 0, admin->options.loop, accepted, admin);
}

void admin_configure(struct admin *admin, struct snapshot *snapshot)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	snapshot_ref(snapshot);
	if (channel_post(admin->inbox, (struct message){ .deliver = deliver_snapshot, .owner = admin, .a = snapshot })) {
		LOG(LOG_WARN, "admin", "too busy to take over the new configuration");
		snapshot_unref(snapshot);
	}
}

int admin_new(const struct admin_options *options, const struct address *address, struct admin **out, struct text *why)
{
	struct admin *admin = memory_new(sizeof *admin);
	char text[ADDRESS_TEXT];
	int e;

	admin->magic = ADMIN_MAGIC;
	admin->options = *options;
	admin->limits = (struct session_limits){ .max_line_bytes = 8192, .idle_ns = 60 * CLOCK_SECOND };
	list_init(&admin->connections);
	list_init(&admin->requests);
	e = listen_open(options->network, address, 1, &options->listen, &admin->set);
	if (e) {
		address_format(address, text);
		text_format(why, "cannot listen on %s (admin): %s", text, e == ERROR_EXISTS ? "the address is in use" : error_text(e));
		goto no_set;
	}
	listen_address(admin->set, &admin->bound);
	e = channel_new(options->loop, INBOX, &admin->inbox);
	if (e)
		goto no_channel;
	e = session_pools_new(options->loop, MAX_SESSIONS, MAX_SESSIONS, &admin->sessions);
	if (e)
		goto no_sessions;
	admin->process = process_metrics_new(options->metrics, loop_now(options->loop));
	*out = admin;
	return 0;

no_sessions:
	channel_free(admin->inbox);
no_channel:
	listen_close(admin->set);
no_set:
	memory_free(admin);
	return e;
}

void admin_address(const struct admin *admin, struct address *bound)
{
	*bound = admin->bound;
}

void admin_free(struct admin *admin)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	channel_free(admin->inbox);
	if (admin->listener)
		listen_stop(admin->listener);
	listen_close(admin->set);
	LIST_EACH_SAFE(&admin->requests, link, after)
		request_abandon(LIST_OF(link, struct request, link));
	LIST_EACH_SAFE(&admin->connections, link, after)
		session_close(session_at(link), RESET_SHUTDOWN);
	if (admin->snapshot)
		snapshot_unref(admin->snapshot);
	process_metrics_free(admin->process);
	/* Sessions close in a turn of the loop that doesn't come any more; the process ends here. */
	admin->magic = 0;
}
