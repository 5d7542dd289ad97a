/* SPDX-License-Identifier: Apache-2.0 */
/* `httpAccessLog` and `h2AccessLog` of routers: the same keys, one set for each protocol; the last one is weft's own. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct router, access_log.member)

#define MOST_BYTES (UINT64_C(1) << 50)

static void read_path(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice text;

	if (!document_read_text(node, &text, load->problems))
		return;
	if (text.length == 0 || text.at[text.length - 1] == '/' || memchr(text.at, '\0', text.length))
		linkerd_problem(load, node, "is not the path of a file");
	*(struct slice *)out = linkerd_copy(load, text);
}

static void read_rotate_count(struct linkerd_load *load, const struct document_node *node, void *out)
{
	int64_t count = -1;

	if (document_read_int(node, -1, INT32_MAX, &count, load->problems))
		*(int32_t *)out = (int32_t)count;
}

/* ---- the policy, as com.twitter.logging writes it ---- */

/* "weekly(1)" begins on Sunday, as Java counts. */
static bool read_weekly(struct slice text, struct access_log_policy *log)
{
	if (text.length != 9 || !slice_equal_nocase(slice_make(text.at, 7), SLICE("weekly(")) || text.at[8] != ')' || text.at[7] < '1' ||
		text.at[7] > '7')
		return false;
	log->roll = ROLL_WEEKLY;
	log->weekday = (unsigned)(text.at[7] - '1');
	return true;
}

/* "10.megabytes" */
static bool read_size(struct slice text, struct access_log_policy *log)
{
	static const char *const units[] = { "byte", "kilobyte", "megabyte", "gigabyte", "terabyte" };
	size_t dot = slice_find(text, '.');
	struct slice unit;
	uint64_t count;

	if (dot + 1 >= text.length || slice_to_u64(slice_make(text.at, dot), MOST_BYTES, &count) || count == 0)
		return false;
	unit = slice_from(text, dot + 1);
	if (unit.at[unit.length - 1] == 's' || unit.at[unit.length - 1] == 'S')
		unit.length--;
	for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (!slice_equal_nocase(unit, slice_of(units[i])))
			continue;
		log->roll = ROLL_SIZE;
		log->roll_bytes = count << 10 * i;
		return count <= MOST_BYTES >> 10 * i;
	}
	return false;
}

static void read_roll(struct linkerd_load *load, const struct document_node *node, void *out)
{
	/* Opened anew at SIGHUP is every log. */
	static const char *const names[] = { "never", "hourly", "daily", "sighup" };
	static const enum roll rolls[] = { ROLL_NEVER, ROLL_HOURLY, ROLL_DAILY, ROLL_NEVER };
	struct router *router = out;
	char found[DOCUMENT_FOUND];
	struct slice text;

	if (!document_read_text(node, &text, load->problems))
		return;
	for (unsigned i = 0; i < 4; i++) {
		if (slice_equal_nocase(text, slice_of(names[i]))) {
			router->access_log.roll = rolls[i];
			return;
		}
	}
	if (!read_weekly(text, &router->access_log) && !read_size(text, &router->access_log))
		linkerd_problem(load, node, "%s is not never, hourly, daily, weekly(1) to weekly(7), or a size like 100.megabytes",
			document_found(node, found));
}

/* Apart from the two names, a format has at least one operator: else somebody meant something else. */
static void read_form(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct access_log_policy *log = out;
	char found[DOCUMENT_FOUND];
	struct slice text, why;
	uint32_t offset;

	if (!document_read_text(node, &text, load->problems))
		return;
	log->form = slice_equal(text, SLICE("json")) ? ACCESS_JSON : slice_equal(text, SLICE("linkerd")) ? ACCESS_LINKERD : ACCESS_FORMAT;
	if (log->form != ACCESS_FORMAT)
		return;
	if (!memchr(text.at, '%', text.length))
		linkerd_problem(load, node, "%s is neither linkerd nor json, nor a format with %%OPERATORS%%", document_found(node, found));
	else if (access_format_parse(linkerd_copy(load, text), &load->snapshot->arena, &log->format, &why, &offset))
		linkerd_problem_inside(load, node, offset, "%.*s", SLICE_ARGS(why));
}

#define SET(protocol) \
	{ protocol "AccessLog", LINKERD_READ, AT(path), .read = read_path, \
		.says = "a file that each response of an endpoint is written to; none" }, \
		{ protocol "AccessLogRollPolicy", LINKERD_READ, 0, .read = read_roll, \
			.says = "when a new file begins: never, hourly, daily, weekly(DAY, 1 is Sunday), a size like 100.megabytes; " \
				"never" }, \
		{ protocol "AccessLogAppend", LINKERD_BOOL, AT(append), .says = "false: the file begins empty at the start; true" }, \
		{ protocol "AccessLogRotateCount", LINKERD_READ, AT(rotate_count), .read = read_rotate_count, \
			.says = "rolled files that are kept; all, -1" }, \
	{ \
		protocol "AccessLogFormat", LINKERD_READ, offsetof(struct router, access_log), \
			.read = read_form, \
			.says = "how lines are written: linkerd, json with OpenTelemetry's names, or a format with %OPERATORS% (weft's " \
				"own key); linkerd" \
	}

enum { SET_KEYS = 5 };

static const struct linkerd_key access_log_keys[] = { SET("http"), SET("h2"), { 0 } };
const struct linkerd_block linkerd_access_log = { .name = "access logs", .keys = access_log_keys };

void linkerd_check_access_log(struct linkerd_load *load, const struct document_node *node, const struct router *router)
{
	/* Those of the other protocol. */
	const struct linkerd_key *keys = &access_log_keys[router->protocol == PROTOCOL_H2 ? 0 : SET_KEYS];
	const char *own = router->protocol == PROTOCOL_H2 ? "h2AccessLog" : "httpAccessLog";

	for (unsigned i = 0; i < SET_KEYS; i++) {
		const struct document_node *value = document_get(node, keys[i].name);

		if (value)
			linkerd_problem(load, value, "is for routers of the other protocol; in this one it is called `%s%s`", own,
				strstr(keys[i].name, "Log") + 3);
	}
	if (router->access_log.path.length == 0 &&
		(router->access_log.roll != ROLL_NEVER || router->access_log.rotate_count != -1 ||
			router->access_log.form != ACCESS_LINKERD))
		linkerd_problem(load, node, "%sRollPolicy, %sRotateCount and %sFormat have no effect without `%s`", own, own, own, own);
}
