/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of what the live sets hold: endpoints with their health; and the workers. */
#include "admin/question.h"
#include "admin/server.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "proxy/binder.h"
#include "proxy/live.h"
#include "proxy/proxy.h"

/* ---- /endpoints.json ---- */

/* Discovery has taken it away, and it stays while it is healthy. */
static const char *state_name(const struct health_story *story, bool probation)
{
	return probation && story->state == HEALTH_ALIVE ? "leaving" : health_text(story);
}

static void write_endpoint(struct json_writer *json, const struct targets *targets, unsigned i, int64_t now)
{
	const struct health_story story = health_tell(&targets->at[i].target->health);

	json_write_object(json);
	json_write_member_text(json, "address", slice_of(targets->at[i].target->text));
	json_write_key(json, SLICE("weight"));
	json_write_number(json, targets->at[i].weight);
	json_write_member_text(json, "state", slice_of(state_name(&story, targets->at[i].probation)));
	if (story.state == HEALTH_ALIVE) {
		json_write_member_int(json, "failures", story.failures);
	} else {
		json_write_member_int(json, "times_out", story.times_out);
		json_write_member_int(json, "again_in_ms", story.again_at > now ? (story.again_at - now) / CLOCK_MS : 0);
	}
	if (story.removed_at)
		json_write_member_int(json, "taken_out_ms_ago", (now - story.removed_at) / CLOCK_MS);
	json_write_end(json);
}

static void write_client(struct json_writer *json, const struct client *client, int64_t now)
{
	json_write_object(json);
	json_write_member_text(json, "router", client->label);
	json_write_member_text(json, "client", client->id);
	if (client->policy.accrual.kind != ACCRUAL_NONE)
		json_write_member_int(json, "failures_allowed", client->policy.accrual.failures);
	json_write_key(json, SLICE("endpoints"));
	json_write_array(json);
	for (unsigned i = 0; i < client->targets->count; i++)
		write_endpoint(json, client->targets, i, now);
	json_write_end(json);
	json_write_end(json);
}

static void ask_endpoints(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	int64_t now = loop_now(binder_loop(proxy_binder(proxy)));
	struct json_writer json;

	json_write_start(&json, &question->answer, false);
	json_write_array(&json);
	MAP_EACH(&proxy_live(proxy)->clients, entry)
		write_client(&json, MAP_OF(entry, struct client, entry), now);
	json_write_end(&json);
	question_answer(question);
}

void page_endpoints(struct request *request)
{
	question_send(question_new(request, ask_endpoints));
}

/* ---- /process.json ---- */

void page_process(struct request *request)
{
	const struct admin *admin = request->admin;
	struct text out = { 0 };
	struct json_writer json;

	json_write_start(&json, &out, false);
	json_write_object(&json);
	json_write_member_text(&json, "version", slice_of(WEFT_VERSION));
	json_write_key(&json, SLICE("workers"));
	json_write_array(&json);
	for (unsigned i = 0; i < admin->options.worker_count; i++) {
		json_write_object(&json);
		json_write_key(&json, SLICE("requests"));
		json_write_u64(&json, ring_written(proxy_records(admin->options.proxy, i)));
		json_write_end(&json);
	}
	json_write_end(&json);
	json_write_end(&json);
	request_answer(request, 200, "application/json", text_slice(&out));
	text_free(&out);
}
