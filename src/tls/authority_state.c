/* SPDX-License-Identifier: Apache-2.0 */
/* authority.json: {"version": 1, "trust_domain": …, "max_ttl": …, "root_life": …, "generation": …, "roots": [{"role": …, "since": …,
 * "certificate": PEM, "key": PEM}]}, times in seconds. */
#include "tls/authority_parts.h"

#include "doc/document.h"
#include "doc/json_write.h"
#include "tls/spiffe.h"

static const char *const roles[] = { "next", "signing", "retired", NULL };

static void root_free(struct state_root *root)
{
	X509_free(root->certificate);
	EVP_PKEY_free(root->key);
	text_free(&root->subject);
	*root = (struct state_root){ 0 };
}

void state_free(struct state *state)
{
	for (unsigned i = 0; i < state->root_count; i++)
		root_free(&state->roots[i]);
	text_free(&state->trust_domain);
	text_free(&state->bundle);
	*state = (struct state){ 0 };
}

void state_drop_root(struct state *state, unsigned index)
{
	root_free(&state->roots[index]);
	for (unsigned i = index; i + 1 < state->root_count; i++)
		state->roots[i] = state->roots[i + 1];
	state->root_count--;
}

void state_arrange(struct state *state)
{
	for (unsigned i = 1; i < state->root_count; i++) {
		if (state->roots[i].role == AUTHORITY_SIGNING) {
			struct state_root signing = state->roots[i];
			for (; i > 0; i--)
				state->roots[i] = state->roots[i - 1];
			state->roots[0] = signing;
			break;
		}
	}
	text_clear(&state->bundle);
	for (unsigned i = 0; i < state->root_count; i++) {
		struct state_root *root = &state->roots[i];
		certificate_write(root->certificate, &state->bundle);
		text_clear(&root->subject);
		certificate_name(X509_get_subject_name(root->certificate), &root->subject);
	}
}

/* ---- reading ---- */

static bool read_certificate(const struct document_node *node, struct state_root *root, struct problems *problems)
{
	STACK_OF(X509) * certificates;
	struct text why = { 0 };
	struct slice pem;

	if (!document_read_text(node, &pem, problems))
		return false;
	if (certificate_read(pem, &certificates, &why)) {
		problem_add(problems, node, "%s", why.bytes);
		text_free(&why);
		return false;
	}
	root->certificate = sk_X509_shift(certificates);
	certificate_free_all(certificates);
	return true;
}

static bool read_key(const struct document_node *node, struct state_root *root, struct problems *problems)
{
	struct text why = { 0 };
	struct slice pem;

	if (!document_read_text(node, &pem, problems))
		return false;
	if (certificate_read_key(pem, &root->key, &why)) {
		problem_add(problems, node, "%s", why.bytes);
		text_free(&why);
		return false;
	}
	if (X509_check_private_key(root->certificate, root->key) == 1)
		return true;
	problem_add(problems, node, "this key is another certificate's");
	return false;
}

static void read_root(const struct document_node *node, struct state *state, struct problems *problems)
{
	static const char *const keys[] = { "role", "since", "certificate", "key", NULL };
	struct state_root *root = &state->roots[state->root_count++];
	const struct document_node *key = document_get(node, "key");
	int role = AUTHORITY_RETIRED;

	document_check_keys(node, &(struct document_keys){ .accepted = keys }, problems);
	document_read_choice(document_require(node, "role", problems), roles, &role, problems);
	root->role = (enum authority_role)role;
	document_read_int(document_require(node, "since", problems), 0, INT64_MAX, &root->since_s, problems);
	if (!read_certificate(document_require(node, "certificate", problems), root, problems))
		return;
	if (root->role != AUTHORITY_RETIRED)
		key = document_require(node, "key", problems);
	if (key)
		read_key(key, root, problems);
}

static void read_roots(const struct document_node *node, struct state *state, struct problems *problems)
{
	unsigned signing = 0;

	if (!node || !document_expect(node, DOCUMENT_SEQUENCE, problems))
		return;
	if (node->count > AUTHORITY_MOST_ROOTS) {
		problem_add(problems, node, "more than %d roots", AUTHORITY_MOST_ROOTS);
		return;
	}
	for (uint32_t i = 0; i < node->count; i++) {
		read_root(node->items[i], state, problems);
		signing += state->roots[i].role == AUTHORITY_SIGNING;
	}
	if (signing != 1)
		problem_add(problems, node, "%u roots sign; exactly one does", signing);
}

static void read_state(const struct document_node *node, struct state *state, struct problems *problems)
{
	static const char *const keys[] = { "version", "trust_domain", "max_ttl", "root_life", "generation", "roots", NULL };
	int64_t version = 1, generation = 0;
	struct slice domain;
	const char *reason;

	document_check_keys(node, &(struct document_keys){ .accepted = keys }, problems);
	document_read_int(document_require(node, "version", problems), 1, 1, &version, problems);
	if (document_read_text(document_require(node, "trust_domain", problems), &domain, problems)) {
		if (spiffe_check_domain(domain, &reason))
			problem_add(problems, document_get(node, "trust_domain"), "%s", reason);
		text_append(&state->trust_domain, domain);
	}
	document_read_int(document_require(node, "max_ttl", problems), 1, INT32_MAX, &state->max_ttl_s, problems);
	document_read_int(document_require(node, "root_life", problems), 1, INT64_C(1) << 34, &state->root_life_s, problems);
	document_read_int(document_require(node, "generation", problems), 1, INT64_MAX, &generation, problems);
	state->generation = (uint64_t)generation;
	read_roots(document_require(node, "roots", problems), state, problems);
}

int state_read(struct slice json, const char *path, struct state *state, struct text *why)
{
	struct document *document = NULL;
	struct problems problems;
	int e;

	problem_init(&problems);
	e = document_parse(json, slice_of(path), NULL, &problems, &document);
	if (!e)
		read_state(document_root(document), state, &problems);
	document_free(document);
	if (!e && problems.count == 0) {
		state_arrange(state);
	} else {
		problem_print(&problems, why);
		state_free(state);
		e = ERROR_SYNTAX;
	}
	problem_fini(&problems);
	return e;
}

/* ---- writing ---- */

static void write_pem(struct json_writer *writer, struct slice key, struct text *pem)
{
	json_write_key(writer, key);
	json_write_text(writer, text_slice(pem));
	if (pem->bytes)
		memset(pem->bytes, 0, pem->length);
	text_free(pem);
}

static void write_root(struct json_writer *writer, const struct state_root *root)
{
	struct text certificate = { 0 }, key = { 0 };

	json_write_object(writer);
	json_write_key(writer, SLICE("role"));
	json_write_text(writer, slice_of(roles[root->role]));
	json_write_key(writer, SLICE("since"));
	json_write_int(writer, root->since_s);
	certificate_write(root->certificate, &certificate);
	write_pem(writer, SLICE("certificate"), &certificate);
	if (root->key) {
		certificate_write_key(root->key, &key);
		write_pem(writer, SLICE("key"), &key);
	}
	json_write_end(writer);
}

void state_write(const struct state *state, struct text *json)
{
	struct json_writer writer;

	json_write_start(&writer, json, true);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("version"));
	json_write_int(&writer, 1);
	json_write_key(&writer, SLICE("trust_domain"));
	json_write_text(&writer, text_slice(&state->trust_domain));
	json_write_key(&writer, SLICE("max_ttl"));
	json_write_int(&writer, state->max_ttl_s);
	json_write_key(&writer, SLICE("root_life"));
	json_write_int(&writer, state->root_life_s);
	json_write_key(&writer, SLICE("generation"));
	json_write_u64(&writer, state->generation);
	json_write_key(&writer, SLICE("roots"));
	json_write_array(&writer);
	for (unsigned i = 0; i < state->root_count; i++)
		write_root(&writer, &state->roots[i]);
	json_write_end(&writer);
	json_write_end(&writer);
	text_append(json, SLICE("\n"));
}
