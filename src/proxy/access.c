/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"

#include <stdio.h>

#include "proxy/access_json.h"
#include "proxy/access_line.h"
#include "proxy/access_text.h"

enum { MOST_VALUE = 1024 }; /* bytes of one value */

static char *add_value(char *at, struct slice value, unsigned most)
{
	return access_line_value(at, value, most, ACCESS_ESCAPE_HEX);
}

static char *add_nothing(char *at)
{
	*at++ = '-';
	return at;
}

static char *add_field(char *at, struct head *head, enum field_id id)
{
	return head_has(head, id) ? add_value(at, field_value(head_find(head, id)), MOST_VALUE / 2) : add_nothing(at);
}

/* "[26/11/2026:18:22:19 UTC]", made once a second. */
static char *add_date(char *at, struct worker *worker)
{
	int64_t second = loop_wall(worker->loop) / CLOCK_SECOND;

	if (second != worker->access_second) {
		struct clock_date date;

		clock_split(second * CLOCK_SECOND, &date);
		snprintf(worker->access_date, sizeof worker->access_date, "[%02u/%02u/%04u:%02u:%02u:%02u UTC]", date.day, date.month,
			(unsigned)date.year % 10000, date.hour, date.minute, date.second);
		worker->access_second = second;
	}
	return access_line_add(at, slice_make(worker->access_date, sizeof worker->access_date - 1));
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

static char *add_request(char *at, const struct exchange *exchange)
{
	const struct head *request = exchange->request;

	at = request->authority.length ? add_value(at, request->authority, 256) : add_nothing(at);
	*at++ = ' ';
	at = access_line_ip(at, &exchange->down->session->remote);
	at = access_line_add(at, SLICE(" - - "));
	at = add_date(at, exchange->worker);
	at = access_line_add(at, SLICE(" \""));
	at = add_value(at, request->method_text, 64);
	*at++ = ' ';
	at = add_value(at, request->target, 2 * MOST_VALUE);
	return access_line_add(at, version_text(request));
}

static char *add_linkerd(char *at, const struct exchange *exchange, struct head *response)
{
	at = add_request(at, exchange);
	at = access_line_number(at, response->status);
	*at++ = ' ';
	at = add_field(at, response, FIELD_CONTENT_LENGTH);
	at = access_line_add(at, SLICE(" \""));
	at = add_field(at, exchange->request, FIELD_REFERER);
	at = access_line_add(at, SLICE("\" \""));
	at = add_field(at, exchange->request, FIELD_USER_AGENT);
	return access_line_add(at, SLICE("\"\n"));
}

static char *add_line(char *at, const struct access_log_policy *log, const struct exchange *exchange, struct head *response)
{
	switch (log->form) {
	case ACCESS_JSON:
		return access_json(at, exchange, response);
	case ACCESS_FORMAT:
		return access_text(at, &log->format, exchange, response);
	case ACCESS_LINKERD:
		break;
	}
	return add_linkerd(at, exchange, response);
}

void access_write(struct exchange *exchange, struct head *response)
{
	struct worker_router *router = exchange->listener->router;
	char *at = lines_reserve(router->access_lines);

	if (!at) {
		counter_add(&router->stats->access_dropped, 1);
		return;
	}
	lines_commit(router->access_lines, (size_t)(add_line(at, &router->router->access_log, exchange, response) - at));
	counter_add(&router->stats->access_lines, 1);
}
