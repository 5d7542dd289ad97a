/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/server.h"

#include "admin/access.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/inherit.h"

enum { MAX_SESSIONS = 1024, INBOX = 1024 };

static struct session *session_at(struct list *link)
{
	return LIST_OF(link, struct session, link);
}

/* ---- sessions ---- */

static void opened(void *owner, struct session *session, struct side *side)
{
	struct door *door = owner;

	(void)session;
	request_open(&door->admin->requests, door->admin, NULL, side, door->show);
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
	struct door *door = owner;
	struct admin *admin = door->admin;
	struct tls_server *tls = admin->snapshot->admin.tls_server;
	struct session *session;

	if (tls && tls_accept(admin->tls, tls, stream, NULL, &stream))
		return;
	if (http_codec.server(admin->sessions, stream, &admin->limits, &admin_events, door, NULL, &session) == 0)
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

void server_dispatch(struct request *request)
{
	struct admin *admin = request->admin;
	struct slice path = text_slice(&request->path);
	const struct page *page = page_for_path(admin, path);

	CHECK_MAGIC(admin, ADMIN_MAGIC);
	LOG(LOG_DEBUG, "admin", "%s %.*s", request->method == METHOD_POST ? "POST" : "GET", SLICE_ARGS(path));
	if (!access_allowed(&admin->snapshot->admin, page ? page->category : CATEGORY_DIAGNOSTICS, path))
		request_answer_error(request, 404, "this page is switched off by admin.security");
	else if (!page)
		request_answer_error(request, 404, "no such page; /admin lists those that there are");
	else if (!allows(page, request))
		request_answer_error(request, 405, "this page doesn't take that method");
	else if (page->category == CATEGORY_CONTROL && request->method == METHOD_POST && !request_is_ours(request))
		request_answer_error(request, 403, "this comes from a page of another site");
	else
		page->show(request);
}

/* ---- doors ---- */

static int door_open(struct door *door, struct admin *admin, const struct admin_policy *policy, uint16_t port, enum inherited_role role,
	void (*show)(struct request *request), struct text *why)
{
	const struct listen_options options = {
		.backlog = policy->backlog,
		.exclusive = policy->exclusive,
		.socket = { .keep_alive = policy->keep_alive, .delay = policy->delay },
		.inherited = admin->options.inherited,
		.role = (uint8_t)role,
	};
	struct address address = policy->address;
	char text[ADDRESS_TEXT];
	int e;

	address.port = port;
	e = listen_open(admin->options.network, &address, 1, &options, &door->set);
	if (e) {
		address_format(&address, text);
		text_format(why, "cannot listen on %s (admin): %s", text, e == ERROR_EXISTS ? "the address is in use" : error_text(e));
		return e;
	}
	door->admin = admin;
	door->show = show;
	door->role = (uint8_t)(port ? INHERITED_BY_NUMBER : role);
	listen_address(door->set, &door->bound);
	return 0;
}

static void door_start(struct door *door)
{
	if (door->set && !door->listener)
		door->listener = listen_start(door->set, 0, door->admin->options.loop, accepted, door);
}

static void door_close(struct door *door)
{
	if (door->listener)
		listen_stop(door->listener);
	listen_close(door->set);
	door->listener = NULL;
	door->set = NULL;
}

static int doors_open(struct admin *admin, const struct admin_policy *policy, struct text *why)
{
	int e = door_open(&admin->pages, admin, policy, policy->address.port, INHERITED_ADMIN, server_dispatch, why);

	if (e || !(policy->set & ADMIN_IDENTIFIER))
		return e;
	e = door_open(&admin->identifier, admin, policy, policy->identifier_port, INHERITED_IDENTIFIER, identifier_show, why);
	if (e)
		door_close(&admin->pages);
	return e;
}

/* ---- life ---- */

static void deliver_snapshot(const struct message *message)
{
	struct admin *admin = message->owner;

	if (admin->snapshot)
		snapshot_unref(admin->snapshot);
	admin->snapshot = message->a;
	/* It listens only now: without a snapshot there would be nothing to show. */
	if (admin->draining)
		return;
	door_start(&admin->pages);
	door_start(&admin->identifier);
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

static void deliver_ready(const struct message *message)
{
	struct admin *admin = message->owner;

	admin->ready = true;
}

void admin_ready(struct admin *admin)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	if (channel_post(admin->inbox, (struct message){ .deliver = deliver_ready, .owner = admin }))
		LOG(LOG_WARN, "admin", "too busy to tell that the process is ready");
}

static void deliver_draining(const struct message *message)
{
	struct admin *admin = message->owner;

	admin->draining = true;
}

void admin_drain(struct admin *admin)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	if (channel_post(admin->inbox, (struct message){ .deliver = deliver_draining, .owner = admin }))
		LOG(LOG_WARN, "admin", "too busy to tell that the process is ending");
}

/* Who is connected gets what has been asked for, and is then sent away. */
static void deliver_leaving(const struct message *message)
{
	struct admin *admin = message->owner;

	admin->draining = true;
	door_close(&admin->identifier);
	door_close(&admin->pages);
	LIST_EACH_SAFE(&admin->connections, link, after)
		session_drain(session_at(link));
}

void admin_leave(struct admin *admin)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	if (channel_post(admin->inbox, (struct message){ .deliver = deliver_leaving, .owner = admin }))
		LOG(LOG_WARN, "admin", "too busy to leave its port to the new process");
}

void admin_each_socket(struct admin *admin, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner)
{
	const struct door *doors[] = { &admin->pages, &admin->identifier };

	CHECK_MAGIC(admin, ADMIN_MAGIC);
	for (unsigned i = 0; i < sizeof doors / sizeof *doors; i++) {
		const int *descriptors;
		unsigned count;

		if (!doors[i]->set)
			continue;
		descriptors = listen_descriptors(doors[i]->set, &count);
		visit(owner, descriptors, count, doors[i]->role);
	}
}

int admin_new(const struct admin_options *options, const struct admin_policy *policy, struct admin **out, struct text *why)
{
	struct admin *admin = memory_new(sizeof *admin);
	int e;

	admin->magic = ADMIN_MAGIC;
	admin->options = *options;
	admin->limits = (struct session_limits){
		.max_line_bytes = 8192,
		.idle_ns = 60 * CLOCK_SECOND,
		.read_stall_ns = policy->read_timeout_ns,
		.write_stall_ns = policy->write_timeout_ns,
	};
	list_init(&admin->connections);
	list_init(&admin->requests);
	list_init(&admin->tappings);
	e = doors_open(admin, policy, why);
	if (e)
		goto no_doors;
	e = channel_new(options->loop, INBOX, &admin->inbox);
	if (e)
		goto no_channel;
	e = session_pools_new(options->loop, MAX_SESSIONS, MAX_SESSIONS, &admin->sessions);
	if (e)
		goto no_sessions;
	e = tls_pools_new(options->loop, &(struct tls_limits){ .max_streams = MAX_SESSIONS }, &admin->tls);
	if (e)
		goto no_tls;
	admin->process = process_metrics_new(options->metrics, loop_now(options->loop));
	*out = admin;
	return 0;

no_tls:
	session_pools_free(admin->sessions);
no_sessions:
	channel_free(admin->inbox);
no_channel:
	door_close(&admin->identifier);
	door_close(&admin->pages);
no_doors:
	memory_free(admin);
	return e;
}

void admin_address(const struct admin *admin, struct address *bound)
{
	*bound = admin->pages.bound;
}

struct process_metrics *admin_process(const struct admin *admin)
{
	return admin->process;
}

bool admin_identifier_address(const struct admin *admin, struct address *bound)
{
	*bound = admin->identifier.bound;
	return admin->identifier.set != NULL;
}

void admin_free(struct admin *admin)
{
	CHECK_MAGIC(admin, ADMIN_MAGIC);
	channel_free(admin->inbox);
	door_close(&admin->identifier);
	door_close(&admin->pages);
	tappings_free(admin);
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
