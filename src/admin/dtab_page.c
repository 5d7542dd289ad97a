/* SPDX-License-Identifier: Apache-2.0 */
/* /dtabs.json: the routers' dtabs as they were understood: [{"router", "file", "entries": [{"prefix", "dst", "line"}]}]. */
#include "admin/server.h"
#include "doc/json_write.h"
#include "model/dtab.h"

static void write_entry(struct json_writer *json, const struct dentry *dentry)
{
	struct text prefix = { 0 }, tree = { 0 };

	dentry_show_prefix(&prefix, dentry);
	dentry_show_tree(&tree, dentry);
	json_write_object(json);
	json_write_member_text(json, "prefix", text_slice(&prefix));
	json_write_member_text(json, "dst", text_slice(&tree));
	if (dentry->line)
		json_write_member_int(json, "line", dentry->line);
	json_write_end(json);
	text_free(&prefix);
	text_free(&tree);
}

void page_dtabs(struct request *request)
{
	const struct snapshot *snapshot = request->admin->snapshot;
	struct text out = { 0 };
	struct json_writer json;

	json_write_start(&json, &out, false);
	json_write_array(&json);
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct router *router = &snapshot->routers[i];

		json_write_object(&json);
		json_write_member_text(&json, "router", router->label);
		json_write_member_text(&json, "file", snapshot->source);
		json_write_key(&json, SLICE("entries"));
		json_write_array(&json);
		for (uint32_t j = 0; j < router->dtab->count; j++)
			write_entry(&json, &router->dtab->entries[j]);
		json_write_end(&json);
		json_write_end(&json);
	}
	json_write_end(&json);
	request_answer(request, 200, "application/json", text_slice(&out));
	text_free(&out);
}
