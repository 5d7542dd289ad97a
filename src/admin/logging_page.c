/* SPDX-License-Identifier: Apache-2.0 */
/* /logging.json: the levels below which rooms say nothing: [{"logger": "proxy", "level": "INFO"}, ...]. A POST of logger and level changes one, or
 * with "root" all, until the process ends. */
#include "admin/server.h"
#include "base/log.h"
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
