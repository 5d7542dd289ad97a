/* SPDX-License-Identifier: Apache-2.0 */
/* httpIdentifierPort: any request to it is told how it would be named, by each router. Linkerd 1.x's HttpIdentifierHandler. */
#include "admin/server.h"
#include "doc/json_write.h"
#include "proxy/identify.h"

static void write_value(struct json_writer *json, struct slice key, struct slice value)
{
	json_write_key(json, key);
	json_write_text(json, value);
}

static void write_name(
	struct json_writer *json, const struct router *router, const struct identified *found, const struct dtab *dtab, struct arena *arena)
{
	struct text prefix = { 0 }, shown = { 0 };

	path_show_text(&prefix, *router->dst_prefix);
	write_value(json, SLICE("path"), identify_path(arena, text_slice(&prefix), found));
	dtab_show_text(&shown, dtab);
	write_value(json, SLICE("dtab"), text_slice(&shown));
	text_free(&prefix);
	text_free(&shown);
}

/* As a server of the router would see the request: its dtabs behind the router's. */
static void write_router(struct json_writer *json, const struct router *router, struct head *head, struct arena *arena)
{
	struct dtab local, all;
	struct identified found;
	struct slice why;

	if (identify_dtab(head, arena, &local, &why)) {
		write_value(json, SLICE("error"), why);
	} else if (dtab_concat(arena, router->dtab, &local, &all)) {
		write_value(json, SLICE("error"), SLICE("out of memory"));
	} else if (identify_request(router, NULL, head, arena, &found, &why) != IDENTIFY_FOUND) {
		write_value(json, SLICE("error"), why);
	} else {
		write_name(json, router, &found, &all, arena);
	}
}

void identifier_show(struct request *request)
{
	const struct snapshot *snapshot = request->admin->snapshot;
	struct text out = { 0 };
	struct json_writer json;
	struct arena arena;

	arena_init(&arena, NULL, 0);
	json_write_start(&json, &out, false);
	json_write_object(&json);
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		json_write_key(&json, snapshot->routers[i].label);
		json_write_object(&json);
		write_router(&json, &snapshot->routers[i], request->side->head, &arena);
		json_write_end(&json);
	}
	json_write_end(&json);
	arena_reset(&arena);
	request_answer(request, 200, "application/json", text_slice(&out));
	text_free(&out);
}
