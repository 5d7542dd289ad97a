/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"

#include <stdio.h>

#include "observe/lines.h"

enum { MOST_VALUE = 1024 }; /* bytes of one value */

/* A line being made. Each part has its most, and all of them fit. */
struct line {
	char *at;
	char bytes[LINES_MOST_LINE];
};

static void add(struct line *line, struct slice text)
{
	memcpy(line->at, text.at, text.length);
	line->at += text.length;
}

/* Whether all of eight bytes are printable and need no backslash: a bit is set in the byte of each that isn't (and perhaps in those above
 * it, which changes nothing). */
static bool is_plain(uint64_t bytes)
{
	const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
	uint64_t quote = bytes ^ ones * '"', slash = bytes ^ ones * '\\', delete = bytes ^ ones * 0x7f;

	return !((bytes | (bytes - ones * ' ') | (quote - ones) | (slash - ones) | (delete - ones)) & high);
}

static char *add_escaped(char *at, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	*at++ = '\\';
	if (c == '"' || c == '\\') {
		*at++ = (char)c;
		return at;
	}
	*at++ = 'x';
	*at++ = digits[c >> 4];
	*at++ = digits[c & 15];
	return at;
}

/* Nothing that a caller sends may look like another line, or another field. Up to `most` bytes, in steps of eight while these are plain: what is
 * written too much by that is overwritten, and there is always room for it. */
static void add_value(struct line *line, struct slice value, unsigned most)
{
	char *at = line->at, *end = at + most - sizeof(uint64_t);

	while (value.length && at <= end) {
		size_t length = value.length < sizeof(uint64_t) ? value.length : sizeof(uint64_t);
		uint64_t eight = UINT64_MAX / 255 * 'x';
		unsigned char c = (unsigned char)value.at[0];

		memcpy(&eight, value.at, length);
		if (is_plain(eight)) {
			memcpy(at, &eight, sizeof eight);
			at += length;
		} else {
			length = 1;
			if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
				*at++ = (char)c;
			else
				at = add_escaped(at, c);
		}
		value = slice_from(value, length);
	}
	line->at = at;
}

static void add_field(struct line *line, struct head *head, enum field_id id)
{
	if (head_has(head, id))
		add_value(line, field_value(head_find(head, id)), MOST_VALUE / 2);
	else
		*line->at++ = '-';
}

static void add_number(struct line *line, uint64_t number)
{
	char digits[20];
	unsigned i = sizeof digits;

	do
		digits[--i] = (char)('0' + number % 10);
	while (number /= 10);
	add(line, slice_make(digits + i, sizeof digits - i));
}

static void add_remote(struct line *line, const struct address *address)
{
	char text[ADDRESS_TEXT];
	struct slice bare;

	if (address->family == ADDRESS_IP4) {
		for (unsigned i = 0; i < 4; i++) {
			if (i)
				*line->at++ = '.';
			add_number(line, address->ip[i]);
		}
		return;
	}
	/* "[::1]:80" */
	address_format(address, text);
	bare = slice_from(slice_of(text), 1);
	bare.length = slice_find(bare, ']');
	add(line, bare);
}

/* "[26/11/2026:18:22:19 UTC]", made once a second. */
static void add_date(struct line *line, struct worker *worker)
{
	int64_t second = loop_wall(worker->loop) / CLOCK_SECOND;

	if (second != worker->access_second) {
		struct clock_date date;

		clock_split(second * CLOCK_SECOND, &date);
		snprintf(worker->access_date, sizeof worker->access_date, "[%02u/%02u/%04u:%02u:%02u:%02u UTC]", date.day, date.month,
			(unsigned)date.year % 10000, date.hour, date.minute, date.second);
		worker->access_second = second;
	}
	add(line, slice_make(worker->access_date, sizeof worker->access_date - 1));
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

static void add_request(struct line *line, const struct exchange *exchange)
{
	const struct head *request = exchange->request;

	if (request->authority.length)
		add_value(line, request->authority, 256);
	else
		*line->at++ = '-';
	*line->at++ = ' ';
	add_remote(line, &exchange->down->session->remote);
	add(line, SLICE(" - - "));
	add_date(line, exchange->worker);
	add(line, SLICE(" \""));
	add_value(line, request->method_text, 64);
	*line->at++ = ' ';
	add_value(line, request->target, 2 * MOST_VALUE);
	add(line, version_text(request));
}

void access_write(struct exchange *exchange, struct head *response)
{
	struct worker_router *router = exchange->listener->router;
	struct head *request = exchange->request;
	struct line line;

	line.at = line.bytes;
	add_request(&line, exchange);
	add_number(&line, response->status);
	*line.at++ = ' ';
	add_field(&line, response, FIELD_CONTENT_LENGTH);
	add(&line, SLICE(" \""));
	add_field(&line, request, FIELD_REFERER);
	add(&line, SLICE("\" \""));
	add_field(&line, request, FIELD_USER_AGENT);
	add(&line, SLICE("\"\n"));
	if (lines_put(router->access_lines, slice_make(line.bytes, (size_t)(line.at - line.bytes))))
		counter_add(&router->stats->access_lines, 1);
	else
		counter_add(&router->stats->access_dropped, 1);
}
