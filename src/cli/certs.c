/* SPDX-License-Identifier: Apache-2.0 */
/* weft certs: what is in certificates, and why they don't verify. */
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/ca.h"
#include "cli/certs_connect.h"
#include "cli/cli.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "tls/inspect.h"

enum { MOST_FILES = 64, MOST_REMARKS = 2 };

/* A fault of the endpoint, and of none of its certificates. */
struct remark {
	const char *kind;
	struct text text;
};

struct certs {
	struct slice bundle, key;
	const char *id;
	bool svid, json;
	int64_t within_s; /* an end sooner than this counts as a fault */
	int64_t wall_ns;
	/* with --connect */
	const struct probe_result *shown; /* NULL: a file is looked at */
	struct remark remarks[MOST_REMARKS];
	unsigned remark_count;
	struct json_writer writer;
	struct text out;
};

static const char *const kind_names[] = {
	[INSPECT_DNS] = "DNS", [INSPECT_URI] = "URI", [INSPECT_IP] = "IP", [INSPECT_EMAIL] = "email", [INSPECT_OTHER] = "other"
};

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

static void show_endpoint(const struct probe_result *shown)
{
	cli_say("  protocol     %s, %s", shown->version ? shown->version : "none was agreed on", shown->version ? shown->cipher : "");
	cli_say("  ALPN         %.*s", SLICE_ARGS(shown->alpn.length ? text_slice(&shown->alpn) : SLICE("none")));
	cli_say("  asks for a client's certificate: %s", shown->asked ? "yes" : "no");
}

static void show(const struct certs *certs, const char *path, const struct inspection *found)
{
	char left[CLOCK_TEXT];

	cli_say("%s", path);
	if (certs->shown)
		show_endpoint(certs->shown);
	for (unsigned i = 0; i < found->certificate_count; i++)
		show_certificate(certs, i + 1, &found->certificates[i]);
	for (unsigned i = 0; i < found->fault_count; i++)
		cli_say("  FAULT %s: %.*s", inspect_fault_name(found->faults[i].kind), SLICE_ARGS(found->faults[i].text));
	for (unsigned i = 0; i < certs->remark_count; i++)
		cli_say("  FAULT %s: %s", certs->remarks[i].kind, certs->remarks[i].text.bytes);
	if (found->id.length)
		cli_say("  SPIFFE ID    %.*s", SLICE_ARGS(found->id));
	format_life(life_left(certs, found->not_after_s), left);
	if (ends_soon(certs, found))
		cli_say("  FAULT expires-soon: %s left", left);
	else if (found->verified && certs->remark_count == 0)
		cli_say("  OK: verified by the bundle");
	else if (found->fault_count + certs->remark_count == 0)
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

static void write_endpoint(struct certs *certs)
{
	struct json_writer *writer = &certs->writer;

	if (certs->shown->version) {
		member(writer, "protocol", slice_of(certs->shown->version));
		member(writer, "cipher", slice_of(certs->shown->cipher));
	}
	if (certs->shown->alpn.length)
		member(writer, "alpn", text_slice(&certs->shown->alpn));
	json_write_key(writer, SLICE("asks_for_certificate"));
	json_write_bool(writer, certs->shown->asked);
}

static void write_json(struct certs *certs, const char *path, const struct inspection *found)
{
	struct json_writer *writer = &certs->writer;

	json_write_object(writer);
	member(writer, certs->shown ? "endpoint" : "file", slice_of(path));
	if (certs->shown)
		write_endpoint(certs);
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
		write_fault(writer, inspect_fault_name(found->faults[i].kind), found->faults[i].certificate, found->faults[i].text);
	for (unsigned i = 0; i < certs->remark_count; i++)
		write_fault(writer, certs->remarks[i].kind, -1, text_slice(&certs->remarks[i].text));
	if (ends_soon(certs, found))
		write_fault(writer, "expires-soon", -1, SLICE("ends within the time of --expires-within"));
	json_write_end(writer);
	json_write_end(writer);
}

/* ---- each chain ---- */

static void remark(struct certs *certs, const char *kind, struct slice text)
{
	struct remark *remark = &certs->remarks[certs->remark_count++];

	remark->kind = kind;
	text_append(&remark->text, text);
}

/* What is wrong with an endpoint besides its certificates. A workload is known by its SPIFFE ID and not by a name, unless one was asked
 * for by --server-name. */
static void judge_endpoint(struct certs *certs, const struct certs_endpoint *endpoint, bool named, const struct inspection *found)
{
	struct slice name = certs_name(endpoint);
	struct text text = { 0 };

	if (certs->shown->error)
		remark(certs, "refused", text_slice(&certs->shown->reason));
	if (!name.length || certs->shown->name_matches || (!named && (found->id.length || !certs->bundle.at)))
		return;
	text_format(&text, "the certificate is not for `%.*s`", SLICE_ARGS(name));
	remark(certs, "wrong-name", text_slice(&text));
	text_free(&text);
}

/* `endpoint`: NULL for a file. */
static int judge(struct certs *certs, const char *path, struct slice chain, const struct certs_endpoint *endpoint, bool named)
{
	struct inspect_input input = {
		.chain = chain,
		.bundle = certs->bundle,
		.key = endpoint ? (struct slice){ 0 } : certs->key,
		.wall_ns = certs->wall_ns,
		.svid = certs->svid,
	};
	struct inspection *found;
	struct text why = { 0 };
	int code;

	if (certs->id)
		input.id = slice_of(certs->id);
	if (inspect(&input, &found, &why)) {
		cli_complain("%s: %s", path, why.bytes);
		text_free(&why);
		return 2;
	}
	if (endpoint)
		judge_endpoint(certs, endpoint, named, found);
	if (certs->json)
		write_json(certs, path, found);
	else
		show(certs, path, found);
	code = found->fault_count + certs->remark_count > 0 || ends_soon(certs, found);
	inspect_free(found);
	return code;
}

static int look_at(struct certs *certs, const char *path)
{
	struct text why = { 0 };
	struct slice chain;
	int code;

	if (!cli_read(path, &chain, &why)) {
		file_print(true, text_slice(&why));
		text_free(&why);
		return 2;
	}
	code = judge(certs, path, chain, NULL, false);
	memory_free(chain.at);
	return code;
}

static int look_at_endpoint(struct certs *certs, const struct certs_question *question)
{
	struct certs_endpoint *endpoint = certs_connect(question);
	int code;

	if (!endpoint)
		return 2;
	certs->shown = certs_shown(endpoint);
	code = judge(certs, question->target, text_slice(&certs->shown->chain), endpoint, question->server_name != NULL);
	certs_disconnect(endpoint);
	for (unsigned i = 0; i < certs->remark_count; i++)
		text_free(&certs->remarks[i].text);
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

/* Whether --connect, --server-name, --cert and files go together. */
static bool check_words(const struct certs_question *question, const char *cert, const char *key, const char *const *files)
{
	if (!question->target && (question->server_name || cert)) {
		cli_complain("weft certs: --server-name and --cert belong to --connect HOST:PORT");
	} else if (question->target && files[0]) {
		cli_complain("weft certs: either --connect HOST:PORT or files");
	} else if (!question->target && !files[0]) {
		cli_complain("weft certs: something is missing: a FILE, or --connect HOST:PORT");
	} else if (question->target && !cert != !key) {
		cli_complain("weft certs: with --connect, --cert and --key are given together");
	} else {
		return true;
	}
	return false;
}

static int look_at_all(struct certs *certs, const struct certs_question *question, const char *const *files)
{
	int code = 0;

	if (certs->json) {
		json_write_start(&certs->writer, &certs->out, true);
		json_write_array(&certs->writer);
	}
	if (question->target)
		code = look_at_endpoint(certs, question);
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
	struct certs_question question = { 0 };
	const char *ca = NULL, *cert = NULL, *key = NULL, *within = NULL, *output = NULL, *files[MOST_FILES + 1] = { NULL };
	const struct argument table[] = {
		{ "--ca", .value = &ca },
		{ "--key", .value = &key },
		{ "--connect", .value = &question.target },
		{ "--server-name", .value = &question.server_name },
		{ "--cert", .value = &cert },
		{ "--id", .value = &certs.id },
		{ "--svid", .flag = &certs.svid },
		{ "--expires-within", .value = &within },
		{ "-o", .value = &output },
		{ .name = NULL },
	};
	int form = 0, code = 2;

	if (!arguments_read("certs", count, arguments, table, files, 0, MOST_FILES) ||
		!arguments_duration("certs", "--expires-within", within, &certs.within_s) ||
		!arguments_choice("certs", "-o", output, forms, &form) || !check_words(&question, cert, key, files))
		return 2;
	certs.json = form == 1;
	certs.wall_ns = ca_wall();
	if (read_optional(ca, &certs.bundle) && read_optional(key, &certs.key) && read_optional(cert, &question.certificate)) {
		question.key = certs.key;
		code = look_at_all(&certs, &question, files);
	}
	memory_free(certs.bundle.at);
	memory_free(certs.key.at);
	memory_free(question.certificate.at);
	return code;
}
