/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/authority.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"
#include "tls/authority_parts.h"
#include "tls/spiffe.h"

enum { AUTHORITY_MAGIC = 0x61757468, MOST_STATE = 1024 * 1024, LEAST_ROOT_LIVES = 4 };

struct authority {
	uint32_t magic;
	struct text directory, path, temporary, lock_path;
	struct state state;
};

static int fail(struct text *why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct text *why, int error, const char *format, ...)
{
	char text[1024];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof text, format, values);
	va_end(values);
	if (why)
		text_format(why, "%s", text);
	return error;
}

/* ---- the file ---- */

static struct authority *new_authority(const char *directory)
{
	struct authority *authority = memory_new(sizeof *authority);

	authority->magic = AUTHORITY_MAGIC;
	text_format(&authority->directory, "%s", directory);
	text_format(&authority->path, "%s/" AUTHORITY_FILE, directory);
	text_format(&authority->temporary, "%s/" AUTHORITY_FILE ".new", directory);
	text_format(&authority->lock_path, "%s/lock", directory);
	return authority;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;
	CHECK_MAGIC(authority, AUTHORITY_MAGIC);
	state_free(&authority->state);
	text_free(&authority->directory);
	text_free(&authority->path);
	text_free(&authority->temporary);
	text_free(&authority->lock_path);
	authority->magic = 0;
	memory_free(authority);
}

static void wipe(struct slice bytes)
{
	OPENSSL_cleanse((void *)(uintptr_t)bytes.at, bytes.length);
	memory_free(bytes.at);
}

static int load(struct authority *authority, struct state *state, struct text *why)
{
	struct slice json;
	int e = file_read(authority->path.bytes, MOST_STATE, &json);

	if (e == ERROR_NOT_FOUND)
		return fail(why, e, "%s: there is no authority; `weft ca init` makes one", authority->directory.bytes);
	if (e)
		return fail(why, e, "%s: cannot be read: %s", authority->path.bytes, error_text(e));
	e = state_read(json, authority->path.bytes, state, why);
	wipe(json);
	return e;
}

static int save(struct authority *authority, const struct state *state, struct text *why)
{
	struct text json = { 0 };
	int e;

	state_write(state, &json);
	e = file_replace(authority->path.bytes, authority->temporary.bytes, text_slice(&json), 0600);
	OPENSSL_cleanse(json.bytes, json.length);
	text_free(&json);
	return e ? fail(why, e, "%s: cannot be written: %s", authority->path.bytes, error_text(e)) : 0;
}

static int take_lock(struct authority *authority, struct file_lock **lock, struct text *why)
{
	int e = file_lock_take(authority->lock_path.bytes, lock);

	if (e == ERROR_BUSY)
		return fail(why, e, "%s: another process is changing it; try again", authority->directory.bytes);
	return e ? fail(why, e, "%s: cannot be locked: %s", authority->directory.bytes, error_text(e)) : 0;
}

int authority_open(const char *directory, struct authority **result, struct text *why)
{
	struct authority *authority = new_authority(directory);
	int e = load(authority, &authority->state, why);

	if (e)
		authority_free(authority);
	else
		*result = authority;
	return e;
}

static void replace(struct authority *authority, struct state *state)
{
	state_free(&authority->state);
	authority->state = *state;
	*state = (struct state){ 0 };
}

int authority_reload(struct authority *authority, struct text *why)
{
	struct state state = { 0 };
	int e;

	CHECK_MAGIC(authority, AUTHORITY_MAGIC);
	e = load(authority, &state, why);
	if (!e)
		replace(authority, &state);
	return e;
}

/* ---- making one ---- */

static void add_root(struct state *state, enum authority_role role, int64_t now_s)
{
	struct state_root *root = &state->roots[state->root_count++];

	root->role = role;
	root->since_s = now_s;
	root->key = sign_new_key();
	root->certificate = sign_root(root->key, text_slice(&state->trust_domain), now_s, state->root_life_s);
	state->generation++;
	state_arrange(state);
}

/* SPIFFE would allow them, but some libraries (Go's) read no certificate with such a URI. */
static bool has_empty_label(struct slice domain)
{
	struct slice label;

	while (slice_split(&domain, '.', &label)) {
		if (!label.length)
			return true;
	}
	return false;
}

static int fill_state(struct state *state, const struct authority_options *options, struct text *why)
{
	const char *reason;
	int e = spiffe_check_domain(options->trust_domain, &reason);

	if (e)
		return fail(why, e, "`%.*s` can be no trust domain: %s", SLICE_ARGS(options->trust_domain), reason);
	if (has_empty_label(options->trust_domain))
		return fail(why, ERROR_SYNTAX, "`%.*s` can be no trust domain: nothing stands before or behind one of its dots",
			SLICE_ARGS(options->trust_domain));
	state->max_ttl_s = options->max_ttl_s ? options->max_ttl_s : AUTHORITY_TTL_S;
	state->root_life_s = options->root_life_s ? options->root_life_s : AUTHORITY_ROOT_LIFE_S;
	if (state->max_ttl_s < 1 || state->root_life_s < LEAST_ROOT_LIVES * state->max_ttl_s)
		return fail(why, ERROR_INVALID,
			"a root must live for at least %d times as long as a certificate, or it cannot be "
			"replaced in time: not %lld s with %lld s",
			LEAST_ROOT_LIVES, (long long)state->root_life_s, (long long)state->max_ttl_s);
	text_append(&state->trust_domain, options->trust_domain);
	return 0;
}

/* Under the lock. */
static int create(struct authority *authority, int64_t now_s, struct text *why)
{
	struct slice json;
	int e = file_read(authority->path.bytes, MOST_STATE, &json);

	if (!e)
		wipe(json);
	if (e != ERROR_NOT_FOUND)
		return fail(why, ERROR_EXISTS, "%s: there is an authority already", authority->directory.bytes);
	add_root(&authority->state, AUTHORITY_SIGNING, now_s);
	return save(authority, &authority->state, why);
}

int authority_create(const char *directory, const struct authority_options *options, int64_t wall_ns, struct text *why)
{
	struct authority *authority = new_authority(directory);
	struct file_lock *lock = NULL;
	int e = fill_state(&authority->state, options, why);

	if (!e) {
		e = file_make_directory(directory, 0700);
		if (e == ERROR_EXISTS)
			e = 0;
		else if (e)
			fail(why, e, "%s: cannot be made: %s", directory, error_text(e));
	}
	if (!e)
		e = take_lock(authority, &lock, why);
	if (!e)
		e = create(authority, wall_ns / CLOCK_SECOND, why);
	file_lock_release(lock);
	authority_free(authority);
	return e;
}

/* ---- asking ---- */

struct slice authority_trust_domain(const struct authority *authority)
{
	return text_slice(&authority->state.trust_domain);
}

struct slice authority_bundle(const struct authority *authority)
{
	return text_slice(&authority->state.bundle);
}

uint64_t authority_generation(const struct authority *authority)
{
	return authority->state.generation;
}

int64_t authority_max_ttl(const struct authority *authority)
{
	return authority->state.max_ttl_s;
}

unsigned authority_roots(const struct authority *authority, struct authority_root roots[AUTHORITY_MOST_ROOTS])
{
	const struct state *state = &authority->state;

	for (unsigned i = 0; i < state->root_count; i++) {
		roots[i] = (struct authority_root){
			.role = state->roots[i].role,
			.since_s = state->roots[i].since_s,
			.not_after_s = certificate_seconds(X509_get0_notAfter(state->roots[i].certificate)),
			.subject = text_slice(&state->roots[i].subject),
		};
	}
	return state->root_count;
}

/* ---- rotating ---- */

const char *authority_step_name(enum authority_step step)
{
	static const char *const names[] = { [AUTHORITY_ADD] = "add", [AUTHORITY_SWITCH] = "switch", [AUTHORITY_DROP] = "drop" };

	return names[step];
}

/* The oldest with the role, or the number of roots. */
static unsigned find_role(const struct state *state, enum authority_role role)
{
	unsigned found = state->root_count;

	for (unsigned i = 0; i < state->root_count; i++) {
		if (state->roots[i].role == role && (found == state->root_count || state->roots[i].since_s < state->roots[found].since_s))
			found = i;
	}
	return found;
}

static enum authority_step next_step(const struct state *state, int64_t *due_s)
{
	unsigned next = find_role(state, AUTHORITY_NEXT), retired = find_role(state, AUTHORITY_RETIRED);

	if (next < state->root_count) {
		*due_s = state->roots[next].since_s + state->max_ttl_s;
		return AUTHORITY_SWITCH;
	}
	if (retired < state->root_count) {
		*due_s = state->roots[retired].since_s + state->max_ttl_s + AUTHORITY_BACKDATE_S;
		return AUTHORITY_DROP;
	}
	/* Adding, switching and dropping all fit into the last third. */
	*due_s = certificate_seconds(X509_get0_notAfter(state->roots[0].certificate)) - state->root_life_s / 3;
	return AUTHORITY_ADD;
}

enum authority_step authority_next(const struct authority *authority, int64_t *due_s)
{
	return next_step(&authority->state, due_s);
}

static int do_step(struct state *state, enum authority_step step, int64_t now_s, struct text *why)
{
	unsigned next = find_role(state, AUTHORITY_NEXT);

	switch (step) {
	case AUTHORITY_ADD:
		if (state->root_count == AUTHORITY_MOST_ROOTS)
			return fail(why, ERROR_LIMIT, "there are %d roots already", AUTHORITY_MOST_ROOTS);
		add_root(state, AUTHORITY_NEXT, now_s);
		return 0;
	case AUTHORITY_SWITCH:
		state->roots[0].role = AUTHORITY_RETIRED;
		state->roots[0].since_s = now_s;
		EVP_PKEY_free(state->roots[0].key);
		state->roots[0].key = NULL;
		state->roots[next].role = AUTHORITY_SIGNING;
		state->roots[next].since_s = now_s;
		break;
	case AUTHORITY_DROP:
		state_drop_root(state, find_role(state, AUTHORITY_RETIRED));
		break;
	}
	state->generation++;
	state_arrange(state);
	return 0;
}

/* Under the lock. */
static int rotate(struct authority *authority, enum authority_step step, int64_t now_s, struct text *why)
{
	struct state state = { 0 };
	int64_t due_s;
	int e = load(authority, &state, why);

	if (e)
		return e;
	if (next_step(&state, &due_s) != step)
		e = fail(why, ERROR_BUSY, "%s: another process has changed it", authority->directory.bytes);
	if (!e)
		e = do_step(&state, step, now_s, why);
	if (!e)
		e = save(authority, &state, why);
	if (!e)
		replace(authority, &state);
	state_free(&state);
	return e;
}

int authority_rotate(struct authority *authority, enum authority_step step, int64_t wall_ns, struct text *why)
{
	struct file_lock *lock;
	int e;

	CHECK_MAGIC(authority, AUTHORITY_MAGIC);
	e = take_lock(authority, &lock, why);
	if (e)
		return e;
	e = rotate(authority, step, wall_ns / CLOCK_SECOND, why);
	file_lock_release(lock);
	return e;
}

/* ---- issuing ---- */

static int read_request(struct slice pem, X509_REQ **result, struct text *why)
{
	BIO *bio = pem.length <= INT32_MAX ? BIO_new_mem_buf(pem.at, (int)pem.length) : NULL;
	X509_REQ *request;
	int e = 0;

	if (!bio)
		check_out_of_memory("a certificate request");
	request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!request)
		e = fail(why, ERROR_SYNTAX, "the certificate request cannot be read (PKCS #10 in PEM): %s", certificate_reason());
	else if (!X509_REQ_get0_pubkey(request) || X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) != 1)
		e = fail(why, ERROR_SYNTAX, "the certificate request is not signed with its own key");
	ERR_clear_error();
	if (e)
		X509_REQ_free(request);
	else
		*result = request;
	return e;
}

/* P-256, P-384, P-521, RSA from 2048 to 8192 bits, Ed25519. */
static int check_key(EVP_PKEY *key, struct text *why)
{
	enum { LEAST_RSA = 2048, MOST_RSA = 8192 };
	struct text name = { 0 };
	int bits = EVP_PKEY_get_bits(key), e = 0;
	bool good;

	certificate_key_name(key, &name);
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		good = slice_starts(text_slice(&name), SLICE("EC P-")) && bits >= 256;
		break;
	case EVP_PKEY_RSA:
		good = bits >= LEAST_RSA && bits <= MOST_RSA;
		break;
	default:
		good = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	}
	if (!good)
		e = fail(why, ERROR_UNSUPPORTED, "keys like that of the request (%s) are not signed; EC P-256 is what weft makes",
			name.bytes);
	text_free(&name);
	return e;
}

/* The request's one URI. */
static int request_uri(X509_REQ *request, struct text *uri, struct text *why)
{
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
	GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
	unsigned count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_URI && count++ == 0)
			text_append(
				uri, slice_make((const char *)ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)));
	}
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	if (count == 1)
		return 0;
	return fail(why, ERROR_SYNTAX, "the certificate request has %u URIs; it must have exactly one, the SPIFFE ID", count);
}

static int check_id(const struct authority *authority, const struct authority_order *order, struct slice uri, struct text *why)
{
	struct spiffe id;
	const char *reason;
	int e = spiffe_parse(uri, &id, &reason);

	if (e)
		return fail(why, ERROR_SYNTAX, "`%.*s` is no SPIFFE ID: %s", SLICE_ARGS(uri), reason);
	if (order->id.length && !slice_equal(order->id, uri))
		return fail(
			why, ERROR_DENIED, "the certificate request is for `%.*s`, not for `%.*s`", SLICE_ARGS(uri), SLICE_ARGS(order->id));
	if (!slice_equal(id.trust_domain, authority_trust_domain(authority)))
		return fail(why, ERROR_DENIED, "`%.*s` is not of this authority's trust domain, `%.*s`", SLICE_ARGS(uri),
			SLICE_ARGS(authority_trust_domain(authority)));
	if (!id.path.length)
		return fail(why, ERROR_DENIED, "`%.*s` names a trust domain and no workload", SLICE_ARGS(uri));
	return 0;
}

/* RFC 1123 labels, the first may be `*`. */
static bool is_host(struct slice name)
{
	struct slice rest = name, label;

	for (unsigned count = 0; slice_split(&rest, '.', &label); count++) {
		if (count == 0 && slice_equal(label, SLICE("*")))
			continue;
		if (label.length == 0 || label.length > 63 || label.at[0] == '-' || label.at[label.length - 1] == '-')
			return false;
		for (size_t i = 0; i < label.length; i++) {
			char c = label.at[i], low = (char)(c | 0x20);
			if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '-')
				return false;
		}
	}
	return name.length > 0 && name.length <= 253;
}

static int check_order(const struct authority *authority, const struct authority_order *order, int64_t now_s, struct text *why)
{
	const struct state *state = &authority->state;

	if (order->ttl_s < 0 || order->ttl_s > state->max_ttl_s)
		return fail(why, ERROR_LIMIT, "a certificate lives for at most %lld s here, not %lld", (long long)state->max_ttl_s,
			(long long)order->ttl_s);
	if (order->dns_count > AUTHORITY_MOST_DNS)
		return fail(why, ERROR_LIMIT, "more than %d host names", AUTHORITY_MOST_DNS);
	for (unsigned i = 0; i < order->dns_count; i++) {
		if (!is_host(order->dns[i]))
			return fail(why, ERROR_SYNTAX, "`%.*s` is no host name", SLICE_ARGS(order->dns[i]));
	}
	if (certificate_seconds(X509_get0_notAfter(state->roots[0].certificate)) <= now_s)
		return fail(why, ERROR_TIMEOUT, "the root has expired; `weft ca rotate --now` twice makes a new one");
	return 0;
}

static void sign(
	struct authority *authority, const struct authority_order *order, X509_REQ *request, int64_t now_s, struct authority_svid *svid)
{
	const struct state_root *root = &authority->state.roots[0];
	int64_t root_ends_s = certificate_seconds(X509_get0_notAfter(root->certificate));
	int64_t ends_s = now_s + (order->ttl_s ? order->ttl_s : authority->state.max_ttl_s);
	X509 *certificate;

	svid->not_before_s = now_s - AUTHORITY_BACKDATE_S;
	svid->not_after_s = ends_s < root_ends_s ? ends_s : root_ends_s;
	certificate = sign_workload(root,
		&(struct sign_order){
			.public_key = X509_REQ_get0_pubkey(request),
			.id = text_slice(&svid->id),
			.dns = order->dns,
			.dns_count = order->dns_count,
			.not_before_s = svid->not_before_s,
			.not_after_s = svid->not_after_s,
		});
	certificate_write(certificate, &svid->chain);
	certificate_serial(certificate, &svid->serial);
	X509_free(certificate);
}

int authority_issue(
	struct authority *authority, const struct authority_order *order, int64_t wall_ns, struct authority_svid *svid, struct text *why)
{
	int64_t now_s = wall_ns / CLOCK_SECOND;
	X509_REQ *request;
	int e;

	CHECK_MAGIC(authority, AUTHORITY_MAGIC);
	*svid = (struct authority_svid){ 0 };
	e = check_order(authority, order, now_s, why);
	if (e)
		return e;
	e = read_request(order->request, &request, why);
	if (e)
		return e;
	e = check_key(X509_REQ_get0_pubkey(request), why);
	if (!e)
		e = request_uri(request, &svid->id, why);
	if (!e)
		e = check_id(authority, order, text_slice(&svid->id), why);
	if (!e)
		sign(authority, order, request, now_s, svid);
	X509_REQ_free(request);
	if (e)
		authority_svid_free(svid);
	return e;
}

void authority_svid_free(struct authority_svid *svid)
{
	text_free(&svid->chain);
	text_free(&svid->id);
	text_free(&svid->serial);
	*svid = (struct authority_svid){ 0 };
}
