/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"

#include <stdio.h>

#include "proxy/access_json.h"
#include "proxy/access_line.h"
#include "proxy/access_text.h"

enum { MOST_VALUE = 1024 }; /* bytes of one value */

static void add_value(struct access_line *line, struct slice value, unsigned most)
{
	access_line_value(line, value, most, ACCESS_ESCAPE_HEX);
}

static void add_field(struct access_line *line, struct head *head, enum field_id id)
{
	if (head_has(head, id))
		add_value(line, field_value(head_find(head, id)), MOST_VALUE / 2);
	else
		*line->at++ = '-';
}

/* "[26/11/2026:18:22:19 UTC]", made once a second. */
static void add_date(struct access_line *line, struct worker *worker)
{
	int64_t second = loop_wall(worker->loop) / CLOCK_SECOND;

	if (second != worker->access_second) {
		struct clock_date date;

		clock_split(second * CLOCK_SECOND, &date);
		snprintf(worker->access_date, sizeof worker->access_date, "[%02u/%02u/%04u:%02u:%02u:%02u UTC]", date.day, date.month,
			(unsigned)date.year % 10000, date.hour, date.minute, date.second);
		worker->access_second = second;
	}
	access_line_add(line, slice_make(worker->access_date, sizeof worker->access_date - 1));
}

static struct slice version_text(const struct head *request)
{
	switch ((enum version)request->version) {
	case VERSION_1_0:
		return SLICE(" HTTP/1.0\" ");
	case VERSION_2:
		return SLICE(" HTTP/2\" ");
	case VERSION_1_1:
		break;
	}
	return SLICE(" HTTP/1.1\" ");
}

static void add_request(struct access_line *line, const struct exchange *exchange)
{
	const struct head *request = exchange->request;

	if (request->authority.length)
		add_value(line, request->authority, 256);
	else
		*line->at++ = '-';
	*line->at++ = ' ';
	access_line_ip(line, &exchange->down->session->remote);
	access_line_add(line, SLICE(" - - "));
	add_date(line, exchange->worker);
	access_line_add(line, SLICE(" \""));
	add_value(line, request->method_text, 64);
	*line->at++ = ' ';
	add_value(line, request->target, 2 * MOST_VALUE);
	access_line_add(line, version_text(request));
}

static void add_linkerd(struct access_line *line, const struct exchange *exchange, struct head *response)
{
	add_request(line, exchange);
	access_line_number(line, response->status);
	*line->at++ = ' ';
	add_field(line, response, FIELD_CONTENT_LENGTH);
	access_line_add(line, SLICE(" \""));
	add_field(line, exchange->request, FIELD_REFERER);
	access_line_add(line, SLICE("\" \""));
	add_field(line, exchange->request, FIELD_USER_AGENT);
	access_line_add(line, SLICE("\"\n"));
}

void access_write(struct exchange *exchange, struct head *response)
{
	struct worker_router *router = exchange->listener->router;
	const struct access_log_policy *log = &router->router->access_log;
	struct access_line line;

	access_line_begin(&line);
	switch (log->form) {
	case ACCESS_LINKERD:
		add_linkerd(&line, exchange, response);
		break;
	case ACCESS_JSON:
		access_json(&line, exchange, response);
		break;
	case ACCESS_FORMAT:
		access_text(&line, &log->format, exchange, response);
		break;
	}
	if (lines_put(router->access_lines, access_line_slice(&line)))
		counter_add(&router->stats->access_lines, 1);
	else
		counter_add(&router->stats->access_dropped, 1);
}
