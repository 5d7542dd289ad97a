/* SPDX-License-Identifier: Apache-2.0 */
#include "control/callers.h"

#include "base/memory.h"
#include "doc/document.h"
#include "io/file.h"
#include "io/process.h"

enum { MOST_BYTES = 1024 * 1024 };

struct rule {
	int64_t uid, gid; /* -1: any */
	struct slice *ids;
	unsigned id_count;
};

struct callers {
	bool from_file;
	uint32_t own;
	struct rule *rules;
	unsigned rule_count;
};

void callers_free(struct callers *callers)
{
	if (!callers)
		return;
	for (unsigned i = 0; i < callers->rule_count; i++) {
		for (unsigned n = 0; n < callers->rules[i].id_count; n++)
			memory_free(callers->rules[i].ids[n].at);
		memory_free(callers->rules[i].ids);
	}
	memory_free(callers->rules);
	memory_free(callers);
}

static void read_id(const struct document_node *node, struct rule *rule, struct problems *problems)
{
	struct slice pattern;
	const char *reason;

	if (!document_read_text(node, &pattern, problems))
		return;
	if (spiffe_check_pattern(pattern, &reason))
		problem_add(problems, node, "`%.*s` is no SPIFFE ID and no pattern of one: %s", SLICE_ARGS(pattern), reason);
	else
		rule->ids[rule->id_count++] = slice_make(memory_text(pattern), pattern.length);
}

static void read_rule(const struct document_node *node, struct rule *rule, struct problems *problems)
{
	static const char *const keys[] = { "uid", "gid", "ids", NULL };
	const struct document_node *ids = document_require(node, "ids", problems);

	rule->uid = rule->gid = -1;
	document_check_keys(node, &(struct document_keys){ .accepted = keys }, problems);
	document_read_int(document_get(node, "uid"), 0, UINT32_MAX, &rule->uid, problems);
	document_read_int(document_get(node, "gid"), 0, UINT32_MAX, &rule->gid, problems);
	if (!document_get(node, "uid") && !document_get(node, "gid"))
		problem_add(problems, node, "a rule needs a `uid` or a `gid`");
	if (!ids || !document_expect(ids, DOCUMENT_SEQUENCE, problems))
		return;
	rule->ids = memory_array(ids->count + 1, sizeof *rule->ids);
	for (uint32_t i = 0; i < ids->count; i++)
		read_id(ids->items[i], rule, problems);
}

static void read_policy(const struct document_node *root, struct callers *callers, struct problems *problems)
{
	static const char *const keys[] = { "allow", NULL };
	const struct document_node *allow = document_require(root, "allow", problems);

	document_check_keys(root, &(struct document_keys){ .accepted = keys }, problems);
	if (!allow || !document_expect(allow, DOCUMENT_SEQUENCE, problems))
		return;
	callers->rules = memory_array(allow->count + 1, sizeof *callers->rules);
	for (uint32_t i = 0; i < allow->count; i++)
		read_rule(allow->items[i], &callers->rules[callers->rule_count++], problems);
}

static int parse(struct slice bytes, const char *path, struct callers *callers, struct text *why)
{
	struct document *document = NULL;
	struct problems problems;
	int e;

	problem_init(&problems);
	e = document_parse(bytes, slice_of(path), NULL, &problems, &document);
	if (!e)
		read_policy(document_root(document), callers, &problems);
	if (!e && problems.count > 0)
		e = ERROR_SYNTAX;
	problem_print(&problems, why);
	document_free(document);
	problem_fini(&problems);
	return e;
}

int callers_load(const char *path, struct callers **result, struct text *why)
{
	struct callers *callers = memory_new(sizeof *callers);
	struct slice bytes;
	int e = 0;

	callers->own = process_user();
	callers->from_file = path != NULL;
	if (path) {
		e = file_read(path, MOST_BYTES, &bytes);
		if (e) {
			text_format(why, "%s: cannot be read: %s\n", path, error_text(e));
		} else {
			e = parse(bytes, path, callers, why);
			memory_free(bytes.at);
		}
	}
	if (e)
		callers_free(callers);
	else
		*result = callers;
	return e;
}

static bool is_for(const struct rule *rule, const struct stream_peer *peer)
{
	return (rule->uid < 0 || rule->uid == peer->uid) && (rule->gid < 0 || rule->gid == peer->gid);
}

bool callers_allow(const struct callers *callers, const struct stream_peer *peer, const struct spiffe *id)
{
	if (!callers->from_file)
		return peer->uid == callers->own || peer->uid == 0;
	for (unsigned i = 0; i < callers->rule_count; i++) {
		const struct rule *rule = &callers->rules[i];
		for (unsigned n = 0; n < rule->id_count && is_for(rule, peer); n++) {
			if (spiffe_matches(rule->ids[n], id))
				return true;
		}
	}
	return false;
}
