/* SPDX-License-Identifier: Apache-2.0 */
/* /logging.json: the levels below which rooms say nothing: [{"logger": "proxy", "level": "INFO"}, ...]. A POST of logger and level changes one, or
 * with "root" all, until the process ends.
 * /log.json: the newest lines, {"lines": [{"at_ms": 1795786000000, "level": "WARN", "logger": "proxy", "text": "..."}], "next": 12, "lost": 0}; since=12
 * asks for those that came later. `lost`: as many since then are not there any more. */
#include "admin/server.h"
#include "base/recent_log.h"
#include "doc/json_write.h"

static void answer_levels(struct request *request)
{
	struct text out = { 0 };
	struct json_writer json;

	json_write_start(&json, &out, false);
	json_write_array(&json);
	for (unsigned i = 0; log_room(i); i++) {
		json_write_object(&json);
		json_write_member_text(&json, "logger", slice_of(log_room(i)));
		json_write_member_text(&json, "level", slice_of(log_level_text(log_room_level(i))));
		json_write_end(&json);
	}
	json_write_end(&json);
	request_answer(request, 200, "application/json", text_slice(&out));
	text_free(&out);
}

static bool change(struct slice logger, enum log_level level)
{
	bool all = slice_equal(logger, SLICE("root")), found = false;

	for (unsigned i = 0; log_room(i); i++) {
		if (!all && !slice_equal(logger, slice_of(log_room(i))))
			continue;
		log_room_set(i, level);
		found = true;
	}
	return found;
}

static void change_levels(struct request *request)
{
	struct text logger = { 0 }, name = { 0 };
	enum log_level level;

	request_parameter(request, "logger", &logger);
	request_parameter(request, "level", &name);
	if (!log_level_read(text_slice(&name), &level)) {
		request_answer_error(request, 400, "level is one of DEBUG, INFO, WARN and ERROR");
	} else if (!change(text_slice(&logger), level)) {
		request_answer_error(request, 400, "no such logger; GET lists those that there are, root stands for all");
	} else {
		/* Whatever the level is now: who reads the log is to know why it changes. */
		log_line(LOG_INFO, "admin", "the level of %.*s is now %s", SLICE_ARGS(text_slice(&logger)), log_level_text(level));
		answer_levels(request);
	}
	text_free(&logger);
	text_free(&name);
}

void page_logging(struct request *request)
{
	if (request->method == METHOD_POST)
		change_levels(request);
	else
		answer_levels(request);
}

/* ---- the lines ---- */

struct lines {
	struct json_writer json;
	int64_t to_wall; /* what is added to an instant of the log's clock */
};

static void write_line(void *owner, const struct recent_line *line)
{
	struct lines *lines = owner;

	json_write_object(&lines->json);
	json_write_member_int(&lines->json, "at_ms", (line->at + lines->to_wall) / CLOCK_MS);
	json_write_member_text(&lines->json, "level", slice_of(log_level_text(line->level)));
	json_write_member_text(&lines->json, "logger", slice_of(line->room));
	json_write_member_text(&lines->json, "text", slice_make(line->text, line->length));
	if (line->cut) {
		json_write_key(&lines->json, SLICE("cut"));
		json_write_bool(&lines->json, true);
	}
	json_write_end(&lines->json);
}

void page_log(struct request *request)
{
	struct loop *loop = request->admin->options.loop;
	struct lines lines = { .to_wall = loop_wall(loop) - loop_now(loop) };
	struct text out = { 0 }, word = { 0 };
	uint64_t since = 0, lost = 0;

	if (request_parameter(request, "since", &word) && slice_to_u64(text_slice(&word), UINT64_MAX, &since)) {
		request_answer_error(request, 400, "since is the number that `next` was");
	} else {
		json_write_start(&lines.json, &out, false);
		json_write_object(&lines.json);
		json_write_key(&lines.json, SLICE("lines"));
		json_write_array(&lines.json);
		since = recent_log_read(since, &lost, write_line, &lines);
		json_write_end(&lines.json);
		json_write_key(&lines.json, SLICE("next"));
		json_write_u64(&lines.json, since);
		json_write_key(&lines.json, SLICE("lost"));
		json_write_u64(&lines.json, lost);
		json_write_end(&lines.json);
		request_answer(request, 200, "application/json", text_slice(&out));
	}
	text_free(&word);
	text_free(&out);
}
