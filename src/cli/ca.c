/* SPDX-License-Identifier: Apache-2.0 */
/* weft ca: an authority's directory: making it, issuing from it by hand, replacing its root, showing it. */
#include "cli/ca.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "doc/json_write.h"
#include "io/file.h"
#include "io/loop.h"
#include "tls/authority.h"
#include "tls/request.h"

int64_t ca_wall(void)
{
	struct loop *loop;
	int64_t wall;
	int e = loop_new(&(struct loop_options){ .name = "ca" }, &loop);

	if (e) {
		cli_complain("weft ca: cannot start: %s", error_text(e));
		return 0;
	}
	wall = loop_wall(loop);
	loop_free(loop);
	return wall;
}

bool ca_write(const char *command, const char *path, struct slice bytes, unsigned mode)
{
	int e = file_write(path, bytes, mode);

	if (e)
		cli_complain("weft %s: %s cannot be written: %s", command, path, error_text(e));
	return e == 0;
}

/* The exit code for an error: 1 when the same could work another time. */
static int complain(const char *command, int error, struct text *why)
{
	cli_complain("weft %s: %s", command, why->length ? why->bytes : error_text(error));
	text_free(why);
	return error == ERROR_BUSY ? 1 : 2;
}

static struct authority *open_authority(const char *command, const char *directory)
{
	struct authority *authority = NULL;
	struct text why = { 0 };
	int e = authority_open(directory, &authority, &why);

	if (e)
		complain(command, e, &why);
	return authority;
}

/* ---- init ---- */

static int init(int count, char **arguments)
{
	struct authority_options options = { 0 };
	const char *domain = NULL, *max_ttl = NULL, *root_life = NULL, *directory;
	const struct argument table[] = {
		{ "--trust-domain", .value = &domain },
		{ "--max-ttl", .value = &max_ttl },
		{ "--root-life", .value = &root_life },
		{ .name = NULL },
	};
	struct text why = { 0 };
	int e;

	if (!arguments_read("ca init", count, arguments, table, &directory, 1, 1) ||
		!arguments_duration("ca init", "--max-ttl", max_ttl, &options.max_ttl_s) ||
		!arguments_duration("ca init", "--root-life", root_life, &options.root_life_s))
		return 2;
	if (!domain) {
		cli_complain("weft ca init: which trust domain? --trust-domain example.org");
		return 2;
	}
	options.trust_domain = slice_of(domain);
	e = authority_create(directory, &options, ca_wall(), &why);
	if (e)
		return complain("ca init", e, &why);
	cli_say("%s is the authority of %s; who can read it can be anybody there", directory, domain);
	return 0;
}

/* ---- issue ---- */

static bool write_one(const char *prefix, const char *end, struct slice bytes, unsigned mode)
{
	struct text path = { 0 };
	bool good;

	text_format(&path, "%s%s", prefix, end);
	good = ca_write("ca issue", path.bytes, bytes, mode);
	text_free(&path);
	return good;
}

/* Certificate and key in one file, which is never half new; beside the others, if PREFIX is a directory. */
static bool write_svid(const char *prefix, const struct text *key, const struct authority_svid *svid)
{
	struct text both = { 0 };
	bool good;

	text_append(&both, text_slice(&svid->chain));
	text_append(&both, text_slice(key));
	good = write_one(prefix, "svid.pem", text_slice(&both), 0600);
	request_wipe(&both);
	return good;
}

/* Whom to trust first, so that who reads a new certificate can verify it. A PREFIX that ends in a slash is a directory, which then has
 * the files of `weft ca agent`. */
static int write_issued(const char *prefix, const struct authority *authority, const struct text *key, const struct authority_svid *svid)
{
	bool directory = prefix[0] && prefix[strlen(prefix) - 1] == '/';
	const char *dash = directory ? "" : "-";
	char text[CLOCK_TEXT];

	if (!write_one(prefix, directory ? "bundle.pem" : "-bundle.pem", authority_bundle(authority), 0644) ||
		!write_one(prefix, directory ? "key.pem" : "-key.pem", text_slice(key), 0600) ||
		!write_one(prefix, directory ? "cert.pem" : "-cert.pem", text_slice(&svid->chain), 0644) ||
		(directory && !write_svid(prefix, key, svid)))
		return 1;
	clock_format(svid->not_after_s * CLOCK_SECOND, text);
	cli_say("%s%scert.pem, %s%skey.pem, %s%sbundle.pem: %s until %s", prefix, dash, prefix, dash, prefix, dash, svid->id.bytes, text);
	return 0;
}

static int issue_to(struct authority *authority, struct authority_order *order, const char *prefix)
{
	struct text key = { 0 }, request = { 0 }, why = { 0 };
	struct authority_svid svid = { 0 };
	int code, e = request_make(order->id, &key, &request);

	if (e) {
		text_format(&why, "`%.*s` is no SPIFFE ID: spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT", SLICE_ARGS(order->id));
	} else {
		order->request = text_slice(&request);
		e = authority_issue(authority, order, ca_wall(), &svid, &why);
	}
	code = e ? complain("ca issue", e, &why) : write_issued(prefix, authority, &key, &svid);
	authority_svid_free(&svid);
	request_wipe(&key);
	text_free(&request);
	return code;
}

static int issue(int count, char **arguments)
{
	const char *id = NULL, *out = NULL, *ttl = NULL, *directory;
	struct argument_values dns = { 0 };
	struct slice names[ARGUMENT_MOST_VALUES];
	struct authority_order order = { .dns = names };
	const struct argument table[] = {
		{ "--id", .value = &id },
		{ "--out", .value = &out },
		{ "--ttl", .value = &ttl },
		{ "--dns", .values = &dns },
		{ .name = NULL },
	};
	struct authority *authority;
	int code;

	if (!arguments_read("ca issue", count, arguments, table, &directory, 1, 1) ||
		!arguments_duration("ca issue", "--ttl", ttl, &order.ttl_s))
		return 2;
	if (!id || !out) {
		cli_complain("weft ca issue: %s",
			id ? "where to? --out PREFIX, or DIR/" : "for whom? --id spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT");
		return 2;
	}
	order.id = slice_of(id);
	for (; order.dns_count < dns.count; order.dns_count++)
		names[order.dns_count] = slice_of(dns.at[order.dns_count]);
	authority = open_authority("ca issue", directory);
	if (!authority)
		return 2;
	code = issue_to(authority, &order, out);
	authority_free(authority);
	return code;
}

/* ---- rotate ---- */

static const char *const step_meanings[] = {
	[AUTHORITY_ADD] = "a new root joins the bundle, the old one still signs",
	[AUTHORITY_SWITCH] = "the new root signs, the old one's key is deleted",
	[AUTHORITY_DROP] = "the old root leaves the bundle",
};

static void say_next(const struct authority *authority)
{
	int64_t due_s;
	enum authority_step step = authority_next(authority, &due_s);
	char text[CLOCK_TEXT];

	clock_format(due_s * CLOCK_SECOND, text);
	cli_say("next: %s (%s), from %s on", authority_step_name(step), step_meanings[step], text);
}

static int rotate_one(struct authority *authority, const char *directory, bool now)
{
	int64_t due_s, wall = ca_wall();
	enum authority_step step = authority_next(authority, &due_s);
	struct text why = { 0 };
	char text[CLOCK_TEXT];
	int e;

	/* A new root may be added at any time; the other steps need their time, or somebody is left without trust. */
	if (step != AUTHORITY_ADD && due_s * CLOCK_SECOND > wall && !now) {
		clock_format(due_s * CLOCK_SECOND, text);
		cli_complain("weft ca rotate: %s (%s) is safe from %s on; --now does it, and breaks trust until all "
			     "have renewed",
			authority_step_name(step), step_meanings[step], text);
		return 1;
	}
	e = authority_rotate(authority, step, wall, &why);
	if (e)
		return complain("ca rotate", e, &why);
	cli_say("%s: %s: %s", directory, authority_step_name(step), step_meanings[step]);
	say_next(authority);
	return 0;
}

static int rotate(int count, char **arguments)
{
	const char *directory;
	bool now = false;
	const struct argument table[] = { { "--now", .flag = &now }, { .name = NULL } };
	struct authority *authority;
	int code;

	if (!arguments_read("ca rotate", count, arguments, table, &directory, 1, 1))
		return 2;
	authority = open_authority("ca rotate", directory);
	if (!authority)
		return 2;
	code = rotate_one(authority, directory, now);
	authority_free(authority);
	return code;
}

/* ---- show ---- */

static const char *const role_names[] = { [AUTHORITY_NEXT] = "next", [AUTHORITY_SIGNING] = "signing", [AUTHORITY_RETIRED] = "retired" };

static void show_text(const struct authority *authority)
{
	struct authority_root roots[AUTHORITY_MOST_ROOTS];
	unsigned count = authority_roots(authority, roots);

	cli_say("trust domain  %.*s", SLICE_ARGS(authority_trust_domain(authority)));
	cli_say("certificates  live for at most %lld s", (long long)authority_max_ttl(authority));
	cli_say("bundle        generation %llu", (unsigned long long)authority_generation(authority));
	for (unsigned i = 0; i < count; i++) {
		char since[CLOCK_TEXT], until[CLOCK_TEXT];

		clock_format(roots[i].since_s * CLOCK_SECOND, since);
		clock_format(roots[i].not_after_s * CLOCK_SECOND, until);
		cli_say("root          %.*s, %s since %s, valid until %s", SLICE_ARGS(roots[i].subject), role_names[roots[i].role], since,
			until);
	}
	say_next(authority);
}

static void write_time(struct json_writer *writer, struct slice key, int64_t seconds)
{
	char text[CLOCK_TEXT];

	clock_format(seconds * CLOCK_SECOND, text);
	json_write_key(writer, key);
	json_write_text(writer, slice_of(text));
}

static void show_json(const struct authority *authority)
{
	struct authority_root roots[AUTHORITY_MOST_ROOTS];
	unsigned count = authority_roots(authority, roots);
	struct text out = { 0 };
	struct json_writer writer;
	int64_t due_s;

	json_write_start(&writer, &out, true);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("trust_domain"));
	json_write_text(&writer, authority_trust_domain(authority));
	json_write_key(&writer, SLICE("max_ttl"));
	json_write_int(&writer, authority_max_ttl(authority));
	json_write_key(&writer, SLICE("generation"));
	json_write_u64(&writer, authority_generation(authority));
	json_write_key(&writer, SLICE("roots"));
	json_write_array(&writer);
	for (unsigned i = 0; i < count; i++) {
		json_write_object(&writer);
		json_write_key(&writer, SLICE("subject"));
		json_write_text(&writer, roots[i].subject);
		json_write_key(&writer, SLICE("role"));
		json_write_text(&writer, slice_of(role_names[roots[i].role]));
		write_time(&writer, SLICE("since"), roots[i].since_s);
		write_time(&writer, SLICE("expires"), roots[i].not_after_s);
		json_write_end(&writer);
	}
	json_write_end(&writer);
	json_write_key(&writer, SLICE("next"));
	json_write_text(&writer, slice_of(authority_step_name(authority_next(authority, &due_s))));
	write_time(&writer, SLICE("next_due"), due_s);
	json_write_end(&writer);
	text_append(&out, SLICE("\n"));
	file_print(false, text_slice(&out));
	text_free(&out);
}

static int show(int count, char **arguments)
{
	static const char *const forms[] = { "text", "json", "pem", NULL };
	const char *directory, *output = NULL;
	const struct argument table[] = { { "-o", .value = &output }, { .name = NULL } };
	struct authority *authority;
	int form = 0;

	if (!arguments_read("ca show", count, arguments, table, &directory, 1, 1) ||
		!arguments_choice("ca show", "-o", output, forms, &form))
		return 2;
	authority = open_authority("ca show", directory);
	if (!authority)
		return 2;
	if (form == 0)
		show_text(authority);
	else if (form == 1)
		show_json(authority);
	else
		file_print(false, authority_bundle(authority));
	authority_free(authority);
	return 0;
}

/* ---- the command ---- */

int cli_ca(int count, char **arguments)
{
	static const struct {
		const char *name;
		int (*run)(int count, char **arguments);
	} verbs[] = {
		{ "init", init },
		{ "issue", issue },
		{ "rotate", rotate },
		{ "show", show },
		{ "serve", ca_serve },
		{ "agent", ca_agent },
	};
	const char *names[sizeof verbs / sizeof *verbs + 1] = { NULL };

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		names[i] = verbs[i].name;
		if (count > 0 && strcmp(arguments[0], verbs[i].name) == 0)
			return verbs[i].run(count - 1, arguments + 1);
	}
	if (count > 0)
		return cli_unknown("command of `weft ca`:", arguments[0], names);
	cli_complain("weft ca: init, issue, rotate, show, serve or agent? `weft help ca` explains them");
	return 2;
}
