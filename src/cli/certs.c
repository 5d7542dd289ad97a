/* SPDX-License-Identifier: Apache-2.0 */
/* weft certs: what is in certificates, and why they don't verify. */
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/ca.h"
#include "cli/cli.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "tls/inspect.h"

enum { MOST_FILES = 64 };

struct certs {
	struct slice bundle, key;
	const char *id;
	bool svid, json;
	int64_t within_s; /* an end sooner than this counts as a fault */
	int64_t wall_ns;
	struct json_writer writer;
	struct text out;
};

static const char *const kind_names[] = { [INSPECT_DNS] = "DNS",
	[INSPECT_URI] = "URI",
	[INSPECT_IP] = "IP",
	[INSPECT_EMAIL] = "email",
	[INSPECT_OTHER] = "other" };

/* "3 d 4 h", "59 s", "-2 h 5 m" */
static void format_life(int64_t seconds, char text[CLOCK_TEXT])
{
	const char *sign = seconds < 0 ? "-" : "";
	long long s = seconds < 0 ? -seconds : seconds;

	if (s >= 86400)
		snprintf(text, CLOCK_TEXT, "%s%lld d %lld h", sign, s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(text, CLOCK_TEXT, "%s%lld h %lld m", sign, s / 3600, s % 3600 / 60);
	else
		snprintf(text, CLOCK_TEXT, "%s%lld m %lld s", sign, s / 60, s % 60);
}

static int64_t life_left(const struct certs *certs, int64_t not_after_s)
{
	return not_after_s - certs->wall_ns / CLOCK_SECOND;
}

static bool ends_soon(const struct certs *certs, const struct inspection *found)
{
	return certs->within_s > 0 && life_left(certs, found->not_after_s) < certs->within_s;
}

/* ---- as text ---- */

static void show_certificate(const struct certs *certs, unsigned number, const struct inspect_certificate *one)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT], left[CLOCK_TEXT];

	clock_format(one->not_before_s * CLOCK_SECOND, from);
	clock_format(one->not_after_s * CLOCK_SECOND, to);
	format_life(life_left(certs, one->not_after_s), left);
	cli_say("  %u subject    %.*s%s", number, SLICE_ARGS(one->subject), one->is_ca ? " (an authority)" : "");
	cli_say("    issuer     %.*s%s", SLICE_ARGS(one->issuer), one->self_signed ? " (self-signed)" : "");
	cli_say("    serial     %.*s", SLICE_ARGS(one->serial));
	for (unsigned i = 0; i < one->name_count; i++)
		cli_say("    %-10s %.*s", kind_names[one->names[i].kind], SLICE_ARGS(one->names[i].text));
	cli_say("    key        %.*s, signed with %.*s", SLICE_ARGS(one->key), SLICE_ARGS(one->signature));
	cli_say("    valid      %s to %s, %s left", from, to, left);
}

static void show(const struct certs *certs, const char *path, const struct inspection *found)
{
	char left[CLOCK_TEXT];

	cli_say("%s", path);
	for (unsigned i = 0; i < found->certificate_count; i++)
		show_certificate(certs, i + 1, &found->certificates[i]);
	for (unsigned i = 0; i < found->fault_count; i++)
		cli_say("  FAULT %s: %.*s", inspect_fault_name(found->faults[i].kind),
			SLICE_ARGS(found->faults[i].text));
	format_life(life_left(certs, found->not_after_s), left);
	if (ends_soon(certs, found))
		cli_say("  FAULT expires-soon: %s left", left);
	else if (found->verified)
		cli_say("  OK: verified by the bundle");
	else if (found->fault_count == 0)
		cli_say("  OK, but not verified: --ca BUNDLE says whom to trust");
}

/* ---- as JSON ---- */

static void member(struct json_writer *writer, const char *key, struct slice text)
{
	json_write_key(writer, slice_of(key));
	json_write_text(writer, text);
}

static void member_time(struct json_writer *writer, const char *key, int64_t seconds)
{
	char text[CLOCK_TEXT];

	clock_format(seconds * CLOCK_SECOND, text);
	member(writer, key, slice_of(text));
}

static void write_certificate(struct certs *certs, const struct inspect_certificate *one)
{
	struct json_writer *writer = &certs->writer;

	json_write_object(writer);
	member(writer, "subject", one->subject);
	member(writer, "issuer", one->issuer);
	member(writer, "serial", one->serial);
	member(writer, "key", one->key);
	member(writer, "signature", one->signature);
	member_time(writer, "not_before", one->not_before_s);
	member_time(writer, "not_after", one->not_after_s);
	json_write_key(writer, SLICE("seconds_left"));
	json_write_int(writer, life_left(certs, one->not_after_s));
	json_write_key(writer, SLICE("ca"));
	json_write_bool(writer, one->is_ca);
	json_write_key(writer, SLICE("names"));
	json_write_array(writer);
	for (unsigned i = 0; i < one->name_count; i++) {
		json_write_object(writer);
		member(writer, "type", slice_of(kind_names[one->names[i].kind]));
		member(writer, "value", one->names[i].text);
		json_write_end(writer);
	}
	json_write_end(writer);
	json_write_end(writer);
}

static void write_fault(struct json_writer *writer, const char *kind, int certificate, struct slice text)
{
	json_write_object(writer);
	member(writer, "kind", slice_of(kind));
	json_write_key(writer, SLICE("certificate"));
	if (certificate >= 0)
		json_write_int(writer, certificate + 1);
	else
		json_write_null(writer);
	member(writer, "text", text);
	json_write_end(writer);
}

static void write_json(struct certs *certs, const char *path, const struct inspection *found)
{
	struct json_writer *writer = &certs->writer;

	json_write_object(writer);
	member(writer, "file", slice_of(path));
	json_write_key(writer, SLICE("verified"));
	json_write_bool(writer, found->verified);
	if (found->id.length)
		member(writer, "spiffe_id", found->id);
	json_write_key(writer, SLICE("certificates"));
	json_write_array(writer);
	for (unsigned i = 0; i < found->certificate_count; i++)
		write_certificate(certs, &found->certificates[i]);
	json_write_end(writer);
	json_write_key(writer, SLICE("faults"));
	json_write_array(writer);
	for (unsigned i = 0; i < found->fault_count; i++)
		write_fault(writer, inspect_fault_name(found->faults[i].kind), found->faults[i].certificate,
			found->faults[i].text);
	if (ends_soon(certs, found))
		write_fault(writer, "expires-soon", -1, SLICE("ends within the time of --expires-within"));
	json_write_end(writer);
	json_write_end(writer);
}

/* ---- each file ---- */

static int look_at(struct certs *certs, const char *path)
{
	struct inspect_input input = {
		.bundle = certs->bundle, .key = certs->key, .wall_ns = certs->wall_ns, .svid = certs->svid
	};
	struct inspection *found;
	struct text why = { 0 };
	int e, code;

	if (certs->id)
		input.id = slice_of(certs->id);
	if (!cli_read(path, &input.chain, &why)) {
		file_print(true, text_slice(&why));
		text_free(&why);
		return 2;
	}
	e = inspect(&input, &found, &why);
	memory_free(input.chain.at);
	if (e) {
		cli_complain("%s: %s", path, why.bytes);
		text_free(&why);
		return 2;
	}
	if (certs->json)
		write_json(certs, path, found);
	else
		show(certs, path, found);
	code = found->fault_count > 0 || ends_soon(certs, found);
	inspect_free(found);
	return code;
}

static bool read_optional(const char *path, struct slice *bytes)
{
	struct text why = { 0 };
	bool good = !path || cli_read(path, bytes, &why);

	if (!good)
		file_print(true, text_slice(&why));
	text_free(&why);
	return good;
}

static int look_at_all(struct certs *certs, const char *const *files)
{
	int code = 0;

	if (certs->json) {
		json_write_start(&certs->writer, &certs->out, true);
		json_write_array(&certs->writer);
	}
	for (unsigned i = 0; files[i]; i++) {
		int one = look_at(certs, files[i]);
		code = one > code ? one : code;
	}
	if (certs->json) {
		json_write_end(&certs->writer);
		text_append(&certs->out, SLICE("\n"));
		file_print(false, text_slice(&certs->out));
		text_free(&certs->out);
	}
	return code;
}

int cli_certs(int count, char **arguments)
{
	static const char *const forms[] = { "text", "json", NULL };
	struct certs certs = { 0 };
	const char *ca = NULL, *key = NULL, *within = NULL, *output = NULL, *files[MOST_FILES + 1] = { NULL };
	const struct argument table[] = {
		{ "--ca", .value = &ca },
		{ "--key", .value = &key },
		{ "--id", .value = &certs.id },
		{ "--svid", .flag = &certs.svid },
		{ "--expires-within", .value = &within },
		{ "-o", .value = &output },
		{ .name = NULL },
	};
	int form = 0, code = 2;

	if (!arguments_read("certs", count, arguments, table, files, 1, MOST_FILES) ||
		!arguments_duration("certs", "--expires-within", within, &certs.within_s) ||
		!arguments_choice("certs", "-o", output, forms, &form))
		return 2;
	certs.json = form == 1;
	certs.wall_ns = ca_wall();
	if (read_optional(ca, &certs.bundle) && read_optional(key, &certs.key))
		code = look_at_all(&certs, files);
	memory_free(certs.bundle.at);
	memory_free(certs.key.at);
	return code;
}
