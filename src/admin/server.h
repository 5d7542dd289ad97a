/* SPDX-License-Identifier: Apache-2.0 */
/* admin/server.h: what the parts of the admin server share; private to this room. Admin thread. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H

#include "admin/admin.h"
#include "admin/request.h"
#include "export/process.h"
#include "io/channel.h"
#include "tls/stream.h"

enum { ADMIN_MAGIC = 0x61646d69 };

/* An address that the admin server listens on. */
struct door {
	struct admin *admin;
	struct listen_set *set;    /* NULL: not configured */
	struct listener *listener; /* NULL: not started */
	struct address bound;
	uint8_t role;                          /* enum inherited_role, as another process is told */
	void (*show)(struct request *request); /* answers what comes in */
};

struct admin {
	uint32_t magic;
	struct admin_options options;
	struct channel *inbox;         /* from the control thread */
	struct door pages, identifier; /* the latter only when httpIdentifierPort is configured */
	struct session_pools *sessions;
	struct tls_pools *tls;
	struct list connections; /* sessions, by link */
	struct list requests;
	struct list tappings;      /* tap_page.c's */
	struct snapshot *snapshot; /* counted; the admin thread's */
	struct session_limits limits;
	struct process_metrics *process;
	bool ready;    /* the process has begun to serve */
	bool draining; /* the process is ending */
};

/* Which of admin.security's switches governs a page. */
enum category {
	CATEGORY_UI,
	CATEGORY_CONTROL,
	CATEGORY_DIAGNOSTICS,
};

struct page {
	const char *path;
	enum category category;
	const char *methods; /* "GET POST"; HEAD goes with GET */
	const char *title;   /* for the list of pages */
	void (*show)(struct request *request);
};

/* Finds the page and shows it, or answers 404 or 405. */
void server_dispatch(struct request *request);

/* pages.c: the table; ends in a page without a path. */
extern const struct page pages[];
/* The page whose path is configured: telemetry's. NULL: no such. */
const struct page *page_for_path(const struct admin *admin, struct slice path);

/* control_pages.c: pages that the control thread answers. */
void page_delegator(struct request *request);
void page_explain(struct request *request);
void page_bound_names(struct request *request);
void page_shutdown(struct request *request);

/* health_page.c */
void page_health_check(struct request *request);
void page_health_watch(struct request *request);

/* tap_page.c */
void page_tap(struct request *request);
void tappings_free(struct admin *admin);

/* openmetrics_page.c */
void page_openmetrics(struct request *request);

/* record_pages.c: what the rings of records hold. */
void page_requests_json(struct request *request);

/* dtab_page.c */
void page_dtabs(struct request *request);

/* logging_page.c */
void page_logging(struct request *request);
void page_log(struct request *request);

/* live_pages.c: what the live sets hold, for the dashboard. */
void page_endpoints(struct request *request);
void page_flows(struct request *request);
void page_process(struct request *request);

/* assets.c: the dashboard, which may be built without. The shell is the one HTML page of all its views. */
bool assets_are_there(void);
void page_shell(struct request *request);
void page_asset(struct request *request);

/* identifier.c: answers with the names that the routers' identifiers give the request itself: {"ROUTER": {"path": …, "dtab": …}}, or
 * {"ROUTER": {"error": …}}. */
void identifier_show(struct request *request);

#endif
