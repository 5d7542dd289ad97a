/* SPDX-License-Identifier: Apache-2.0 */
/* weft tap: live requests of one or many proxies, as they end. The proxies choose them: what isn't wanted isn't sent. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/see/pod_names.h"
#include "cli/see/see.h"
#include "doc/document.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "io/process.h"
#include "io/terminal.h"

enum { MOST_LINE = 64 * 1024 };

struct tap {
	struct loop *loop;
	struct signals *signals;
	struct targets *targets;
	struct pod_names *pods; /* NULL: addresses stay what they are */
	struct timer end;
	bool json, colour, ended, by_pod;
	int64_t for_ns;       /* 0: until Ctrl-C */
	uint64_t most, shown; /* most 0: all */
};

/* ---- the question ---- */

static void append_parameter(struct text *target, const char *name, struct slice value)
{
	text_format(target, "%c%s=", slice_find(text_slice(target), '?') == target->length ? '?' : '&', name);
	for (size_t i = 0; i < value.length; i++)
		text_format(target, "%%%02X", (unsigned char)value.at[i]);
}

static void append_text(struct text *target, const char *name, const char *value)
{
	if (value)
		append_parameter(target, name, slice_of(value));
}

static void append_number(struct text *target, const char *name, double value)
{
	char text[32];

	snprintf(text, sizeof text, "%.9g", value);
	append_text(target, name, text);
}

/* "404", "5xx", "500-599" */
static bool append_status(struct text *target, const char *text)
{
	struct slice all = slice_of(text), from;
	uint64_t low, high;

	if (all.length == 3 && slice_equal_nocase(slice_from(all, 1), SLICE("xx")) && all.at[0] >= '1' && all.at[0] <= '9') {
		low = (uint64_t)(all.at[0] - '0') * 100;
		high = low + 99;
	} else {
		(void)slice_split(&all, '-', &from);
		if (slice_to_u64(from, 999, &low) || low < 100)
			goto wrong;
		high = low;
		if (all.at && (slice_to_u64(all, 999, &high) || high < low))
			goto wrong;
	}
	append_number(target, "status_from", (double)low);
	append_number(target, "status_to", (double)high);
	return true;

wrong:
	cli_complain("weft tap: --status takes 404, 5xx or 500-599, not `%s`", text);
	return false;
}

/* "NAME" or "NAME:VALUE" */
static void append_header(struct text *target, const char *text)
{
	struct slice all = slice_of(text);
	size_t colon = slice_find(all, ':');

	append_parameter(target, "header", slice_make(all.at, colon));
	if (colon < all.length)
		append_parameter(target, "header_value", slice_trim(slice_from(all, colon + 1)));
}

/* ---- lines ---- */

static struct slice text_at(const struct document_node *line, const char *key)
{
	const struct document_node *node = document_get(line, key);

	return node && node->kind == DOCUMENT_SCALAR && node->text.length ? node->text : SLICE("-");
}

static void append_part(struct text *out, struct slice part)
{
	table_safe(out, part);
	text_append(out, SLICE(" "));
}

/* Of a caller the port says nothing. */
static void append_end(const struct tap *tap, struct text *out, struct slice address, bool port)
{
	struct text name = { 0 };

	if (tap->pods)
		pod_names_tell(tap->pods, address, port, &name);
	append_part(out, tap->pods ? text_slice(&name) : address);
	text_free(&name);
}

static void append_coloured(const struct tap *tap, struct text *out, struct slice status)
{
	const char *colour = status.at[0] == '5' ? "\033[31m" : status.at[0] == '4' ? "\033[33m" : "\033[32m";

	text_append(out, slice_of(tap->colour ? colour : ""));
	table_safe(out, status);
	text_append(out, slice_of(tap->colour ? "\033[0m" : ""));
}

static void format_line(const struct tap *tap, const struct document_node *line, struct text *out)
{
	struct slice time = text_at(line, "time"), retries = text_at(line, "retries");
	uint64_t latency_us;

	append_part(out, time.length == 24 ? slice_make(time.at + 11, 12) : time);
	append_part(out, text_at(line, "router"));
	append_end(tap, out, text_at(line, "source"), false);
	append_part(out, text_at(line, "method"));
	table_safe(out, text_at(line, "authority"));
	append_part(out, text_at(line, "path"));
	text_append(out, SLICE("-> "));
	append_part(out, text_at(line, "service"));
	append_end(tap, out, text_at(line, "destination"), true);
	append_coloured(tap, out, text_at(line, "status"));
	if (document_get(line, "grpc_status"))
		text_format(out, " grpc %.*s", SLICE_ARGS(text_at(line, "grpc_status")));
	if (slice_to_u64(text_at(line, "latency_us"), UINT32_MAX, &latency_us) == 0)
		text_format(out, " %.3fms", (double)latency_us / 1000);
	if (!slice_equal(retries, SLICE("0")))
		text_format(out, " retries %.*s", SLICE_ARGS(retries));
	text_append(out, SLICE("\n"));
}

static void add_pod(const struct tap *tap, const struct document_node *line, const char *key, const char *end, struct json_writer *writer)
{
	struct slice address = text_at(line, end);
	struct text name = { 0 };

	pod_names_tell(tap->pods, address, false, &name);
	if (!slice_equal(address, text_slice(&name)))
		json_write_member_text(writer, key, text_slice(&name));
	text_free(&name);
}

/* The object as it came; with what the pods are called, too. */
static void format_json(const struct tap *tap, const struct document_node *line, struct slice bytes, struct text *out)
{
	struct text more = { 0 };
	struct json_writer writer;

	if (tap->pods && !document_get(line, "dropped") && slice_ends(bytes, SLICE("}"))) {
		json_write_start(&writer, &more, false);
		json_write_object(&writer);
		add_pod(tap, line, "source_pod", "source", &writer);
		add_pod(tap, line, "destination_pod", "destination", &writer);
		json_write_end(&writer);
		bytes.length--;
	}
	text_append(out, bytes);
	if (more.length)
		text_format(out, "%s%s", more.length > 2 ? "," : "", more.bytes + 1);
	text_append(out, SLICE("\n"));
	text_free(&more);
}

static void stop(struct tap *tap)
{
	tap->ended = true;
	loop_stop(tap->loop);
}

static void show_line(struct tap *tap, const struct target *from, struct slice bytes)
{
	struct document *document;
	struct problems problems;
	struct text out = { 0 };
	const struct document_node *line, *dropped;

	problem_init(&problems);
	if (document_parse(bytes, from->name, NULL, &problems, &document) == 0) {
		line = document_root(document);
		dropped = document_get(line, "dropped");
		/* None dropped is only the sign that the proxy is still there. */
		if (dropped && slice_equal(text_at(line, "dropped"), SLICE("0")))
			text_clear(&out);
		else if (tap->json)
			format_json(tap, line, bytes, &out);
		else if (dropped)
			cli_complain("weft tap: %.*s: %.*s dropped: more than can be shown", SLICE_ARGS(from->name),
				SLICE_ARGS(text_at(line, "dropped")));
		else
			format_line(tap, line, &out);
		tap->shown += !dropped;
		document_free(document);
	}
	problem_fini(&problems);
	if (out.length && !terminal_print(text_slice(&out)))
		stop(tap);
	text_free(&out);
	if (tap->most && tap->shown == tap->most)
		stop(tap);
}

/* Whole lines only; the last may have come in part. */
static void came(struct target *target, struct slice bytes)
{
	struct tap *tap = target->targets->owner;
	struct slice rest;
	size_t end;

	text_append(&target->page, bytes);
	if (target->status != 200)
		return;
	rest = text_slice(&target->page);
	while (!tap->ended && (end = slice_find(rest, '\n')) < rest.length) {
		show_line(tap, target, slice_make(rest.at, end));
		rest = slice_from(rest, end + 1);
	}
	if (rest.length > MOST_LINE)
		rest.length = 0;
	memmove(target->page.bytes, rest.at, rest.length);
	target->page.length = rest.length;
}

/* ---- life ---- */

static void all_ended(void *owner)
{
	stop(owner);
}

static void on_end(void *owner)
{
	stop(owner);
}

static void received(void *owner, enum process_signal which)
{
	(void)which;
	stop(owner);
}

/* One of them has ended, though nobody wanted it to; the others go on. One that is tried again and again is told once. */
static void failed(struct target *target, int error)
{
	struct text last = target->complaint;

	target->complaint = (struct text){ 0 };
	if (!error && target->status == 200)
		error = ERROR_CLOSED;
	if (error)
		text_format(&target->why, "%s", error_text(error));
	else
		target_tell_status(target, &target->why);
	text_append(&target->complaint, text_slice(&target->why));
	if (!slice_equal(text_slice(&target->complaint), text_slice(&last)))
		cli_complain("weft: %.*s: %s", SLICE_ARGS(target->name), target->why.bytes);
	text_free(&last);
}

static void without_pods(void *owner, const char *server, const char *why)
{
	(void)owner;
	cli_complain("weft: %s: %s: addresses stay without names of pods", server, why);
}

static int run(struct tap *tap, const struct argument_values *admins, const struct access *access, struct slice question)
{
	const struct targets_options options = {
		.admins = admins,
		.access = access,
		.page = question,
		.endless = true,
		.read = all_ended,
		.body = came,
		.ended = failed,
		.owner = tap,
	};
	struct text why = { 0 };
	int code = 0, e;

	process_start();
	tap->colour = see_colour();
	timer_init(&tap->end, on_end, tap);
	e = loop_new(&(struct loop_options){ .name = "tap" }, &tap->loop);
	if (!e)
		e = signals_new(tap->loop, received, tap, &tap->signals);
	if (e)
		text_format(&why, "cannot start: %s", error_text(e));
	else
		e = targets_new(tap->loop, &options, &tap->targets, &why);
	if (!e && tap->by_pod)
		e = pod_names_new(tap->loop, tap->targets->resolver, access, without_pods, tap, &tap->pods, &why);
	if (e) {
		cli_complain("weft tap: %s", why.bytes);
		text_free(&why);
		return 2;
	}
	if (tap->for_ns)
		timer_set(tap->loop, &tap->end, clock_after(loop_now(tap->loop), tap->for_ns));
	targets_read(tap->targets);
	loop_run(tap->loop);
	if (tap->targets->why.length) {
		cli_complain("weft: %s: %s", tap->targets->server, tap->targets->why.bytes);
		code = 2;
	}
	TARGETS_EACH(tap->targets, target)
		if (target->why.length)
			code = 2;
	pod_names_free(tap->pods);
	targets_free(tap->targets);
	return code;
}

static bool read_count(const char *text, uint64_t *count)
{
	if (text && (slice_to_u64(slice_of(text), UINT32_MAX, count) || *count == 0)) {
		cli_complain("weft tap: --count takes a number from 1, not `%s`", text);
		return false;
	}
	return true;
}

int cli_tap(int count, char **arguments)
{
	static const char *const forms[] = { "text", "json", NULL };
	static struct tap tap;
	static struct access access;
	struct argument_values admins = { 0 };
	const char *sample = NULL, *service[1], *path = NULL, *method = NULL, *status = NULL, *header = NULL, *latency = NULL,
		   *router = NULL, *most = NULL, *period = NULL, *form_text = NULL;
	const struct argument table[] = {
		{ "--admin", .values = &admins },
		{ "--sample", .value = &sample },
		{ "--path", .value = &path },
		{ "--method", .value = &method },
		{ "--status", .value = &status },
		{ "--header", .value = &header },
		{ "--min-latency", .value = &latency },
		{ "--router", .value = &router },
		{ "--count", .value = &most },
		{ "--for", .value = &period },
		{ "-o", .value = &form_text, .choices = forms },
		{ "--pods", .flag = &tap.by_pod },
		ACCESS_OPTIONAL_ARGUMENTS(access),
		{ .name = NULL },
	};
	double percent = 100;
	int64_t latency_ns = 0;
	struct text question = { 0 };
	int form = 0, code = 2;

	if (!arguments_read("tap", count, arguments, table, service, 0, 1) || !arguments_percent("tap", "--sample", sample, &percent) ||
		!arguments_span("tap", "--min-latency", latency, &latency_ns) || !arguments_span("tap", "--for", period, &tap.for_ns) ||
		!arguments_choice("tap", "-o", form_text, forms, &form) || !read_count(most, &tap.most) ||
		!access_read_optional("tap", &access, admins.count > 0))
		return 2;
	if (tap.by_pod && !access.kubernetes) {
		cli_complain("weft tap: --pods goes with --kubernetes");
		return 2;
	}
	tap.json = form == 1;
	text_format(&question, "/tap.json");
	append_number(&question, "sample", percent / 100);
	append_number(&question, "min_latency_ms", (double)latency_ns / CLOCK_MS);
	append_text(&question, "service", service[0]);
	append_text(&question, "path", path);
	append_text(&question, "method", method);
	append_text(&question, "router", router);
	if (header)
		append_header(&question, header);
	if (!status || append_status(&question, status))
		code = run(&tap, &admins, &access, text_slice(&question));
	text_free(&question);
	return code;
}
