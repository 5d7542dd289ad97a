/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/inspect.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tls/inspect_parts.h"
#include "tls/spiffe.h"

static const char *const fault_names[INSPECT_FAULT_KINDS] = {
	[INSPECT_EXPIRED] = "expired",
	[INSPECT_NOT_YET_VALID] = "not-yet-valid",
	[INSPECT_WRONG_CA] = "wrong-ca",
	[INSPECT_MISSING_ISSUER] = "missing-issuer",
	[INSPECT_BAD_SIGNATURE] = "bad-signature",
	[INSPECT_KEY_MISMATCH] = "key-mismatch",
	[INSPECT_NAME_CONSTRAINT] = "name-constraint",
	[INSPECT_NO_SPIFFE_ID] = "no-spiffe-id",
	[INSPECT_MANY_URIS] = "many-uris",
	[INSPECT_BAD_SPIFFE_ID] = "bad-spiffe-id",
	[INSPECT_CA_FLAG] = "ca-flag",
	[INSPECT_PATH_LENGTH] = "path-length",
	[INSPECT_KEY_USAGE] = "key-usage",
	[INSPECT_WEAK_KEY] = "weak-key",
	[INSPECT_WEAK_SIGNATURE] = "weak-signature",
	[INSPECT_OTHER_FAULT] = "other",
};

const char *inspect_fault_name(enum inspect_fault_kind kind)
{
	return fault_names[kind];
}

/* ---- writing down ---- */

static struct slice keep(struct inspection *found, struct text *text)
{
	struct slice kept = arena_copy(&found->arena, text_slice(text));

	text_free(text);
	return kept;
}

void inspect_label(X509 *certificate, struct text *out)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);

	if (X509_NAME_entry_count(subject) > 0 || !certificate_one_uri(certificate, out))
		certificate_name(subject, out);
}

int inspect_index(const struct inspect_work *work, const X509 *certificate)
{
	for (int i = 0; i < sk_X509_num(work->chain); i++) {
		if (sk_X509_value(work->chain, i) == certificate)
			return i;
	}
	return -1;
}

static bool is_known(const struct inspection *found, enum inspect_fault_kind kind, struct slice text)
{
	for (unsigned i = 0; i < found->fault_count; i++) {
		if (found->faults[i].kind == kind && slice_equal(found->faults[i].text, text))
			return true;
	}
	return false;
}

void inspect_add(struct inspect_work *work, enum inspect_fault_kind kind, int certificate, const char *format, ...)
{
	struct inspection *found = work->found;
	struct text text = { 0 };
	char sentence[1024];
	va_list values;

	if (found->fault_count == INSPECT_MOST_FAULTS)
		return;
	va_start(values, format);
	vsnprintf(sentence, sizeof sentence, format, values);
	va_end(values);
	if (certificate >= 0) {
		text_format(&text, "certificate %d, `", certificate + 1);
		inspect_label(sk_X509_value(work->chain, certificate), &text);
		text_format(&text, "`, %s", sentence);
	} else {
		text_format(&text, "a certificate of the bundle %s", sentence);
	}
	if (is_known(found, kind, text_slice(&text)))
		text_free(&text);
	else
		found->faults[found->fault_count++] =
			(struct inspect_fault){ .kind = kind, .certificate = certificate, .text = keep(found, &text) };
}

/* ---- facts ---- */

static void format_ip(const ASN1_OCTET_STRING *ip, struct text *out)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(ip);
	int length = ASN1_STRING_length(ip);

	if (length == 4) {
		text_format(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
		return;
	}
	for (int i = 0; i + 1 < length; i += 2)
		text_format(out, "%s%x", i ? ":" : "", (unsigned)bytes[i] << 8 | bytes[i + 1]);
}

static struct inspect_name name_of(struct inspection *found, const GENERAL_NAME *general)
{
	static const enum inspect_name_kind kinds[] = { [GEN_EMAIL] = INSPECT_EMAIL, [GEN_DNS] = INSPECT_DNS, [GEN_URI] = INSPECT_URI };
	struct inspect_name name = { .kind = INSPECT_OTHER };
	struct text text = { 0 };

	switch (general->type) {
	case GEN_EMAIL:
	case GEN_DNS:
	case GEN_URI:
		name.kind = kinds[general->type];
		text_append(
			&text, slice_make((const char *)ASN1_STRING_get0_data(general->d.ia5), (size_t)ASN1_STRING_length(general->d.ia5)));
		break;
	case GEN_IPADD:
		name.kind = INSPECT_IP;
		format_ip(general->d.iPAddress, &text);
		break;
	case GEN_DIRNAME:
		certificate_name(general->d.directoryName, &text);
		break;
	default:
		text_format(&text, "type %d", general->type);
	}
	name.text = keep(found, &text);
	return name;
}

static void take_names(struct inspection *found, X509 *certificate, struct inspect_certificate *facts)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;

	facts->names = arena_zeroed(&found->arena, (size_t)(count + 1) * sizeof *facts->names);
	for (int i = 0; i < count; i++)
		facts->names[facts->name_count++] = name_of(found, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
}

static void take_facts(struct inspection *found, X509 *certificate, struct inspect_certificate *facts)
{
	struct text subject = { 0 }, issuer = { 0 }, serial = { 0 }, key = { 0 };
	EVP_PKEY *public_key = X509_get0_pubkey(certificate);

	certificate_name(X509_get_subject_name(certificate), &subject);
	certificate_name(X509_get_issuer_name(certificate), &issuer);
	certificate_serial(certificate, &serial);
	if (public_key)
		certificate_key_name(public_key, &key);
	else
		text_format(&key, "unknown");
	facts->subject = keep(found, &subject);
	facts->issuer = keep(found, &issuer);
	facts->serial = keep(found, &serial);
	facts->key = keep(found, &key);
	facts->signature = slice_of(OBJ_nid2ln(X509_get_signature_nid(certificate)));
	facts->not_before_s = certificate_seconds(X509_get0_notBefore(certificate));
	facts->not_after_s = certificate_seconds(X509_get0_notAfter(certificate));
	facts->is_ca = certificate_is_ca(certificate);
	facts->self_signed = X509_self_signed(certificate, 0) == 1;
	take_names(found, certificate, facts);
}

static void take_all_facts(struct inspect_work *work)
{
	struct inspection *found = work->found;

	found->certificate_count = (unsigned)sk_X509_num(work->chain);
	found->certificates = arena_zeroed(&found->arena, found->certificate_count * sizeof *found->certificates);
	found->not_after_s = INT64_MAX;
	for (unsigned i = 0; i < found->certificate_count; i++) {
		take_facts(found, sk_X509_value(work->chain, (int)i), &found->certificates[i]);
		if (found->certificates[i].not_after_s < found->not_after_s)
			found->not_after_s = found->certificates[i].not_after_s;
	}
}

/* ---- judging each certificate ---- */

/* As OpenSSL does: valid up to and including the last second. */
static void judge_dates(struct inspect_work *work, int index)
{
	const struct inspect_certificate *facts = &work->found->certificates[index];
	int64_t now = work->input->wall_ns / CLOCK_SECOND;
	char text[CLOCK_TEXT];

	if (now > facts->not_after_s) {
		clock_format(facts->not_after_s * CLOCK_SECOND, text);
		inspect_add(work, INSPECT_EXPIRED, index, "expired at %s", text);
	} else if (now < facts->not_before_s) {
		clock_format(facts->not_before_s * CLOCK_SECOND, text);
		inspect_add(work, INSPECT_NOT_YET_VALID, index, "is not valid before %s; this machine's clock may be slow", text);
	}
}

static void judge_strength(struct inspect_work *work, int index)
{
	enum { LEAST_DIGEST_SECURITY = 80 };
	X509 *certificate = sk_X509_value(work->chain, index);
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	struct text name = { 0 };
	int security = -1;

	if (!key)
		inspect_add(work, INSPECT_WEAK_KEY, index, "has a key of a kind that is not known");
	else if (certificate_key_is_weak(key, &name))
		inspect_add(work, INSPECT_WEAK_KEY, index, "has a weak key: %s", name.bytes);
	/* Nobody relies on a root's signature of itself. */
	if (!work->found->certificates[index].self_signed && X509_get_signature_info(certificate, NULL, NULL, &security, NULL) &&
		security < LEAST_DIGEST_SECURITY)
		inspect_add(work, INSPECT_WEAK_SIGNATURE, index, "is signed with a weak digest: %.*s",
			SLICE_ARGS(work->found->certificates[index].signature));
	text_free(&name);
}

static void judge_key(struct inspect_work *work)
{
	if (work->key && X509_check_private_key(sk_X509_value(work->chain, 0), work->key) != 1)
		inspect_add(work, INSPECT_KEY_MISMATCH, 0, "belongs to another private key than the one given");
	certificate_reason(); /* forgotten: it is said */
}

/* ---- judging an X.509-SVID ---- */

static unsigned count_uris(const struct inspect_certificate *facts, struct slice *first, bool *spiffe)
{
	unsigned count = 0;

	for (unsigned i = 0; i < facts->name_count; i++) {
		if (facts->names[i].kind != INSPECT_URI)
			continue;
		if (count++ == 0)
			*first = facts->names[i].text;
		*spiffe = *spiffe || slice_starts(facts->names[i].text, SLICE("spiffe:"));
	}
	return count;
}

static void judge_id(struct inspect_work *work, struct slice uri)
{
	const char *reason;
	struct spiffe id;

	if (spiffe_parse(uri, &id, &reason)) {
		inspect_add(work, INSPECT_BAD_SPIFFE_ID, 0, "has a URI that is no SPIFFE ID: %s", reason);
		return;
	}
	work->found->id = uri;
	if (!id.path.length)
		inspect_add(work, INSPECT_BAD_SPIFFE_ID, 0, "names a trust domain and no workload");
	if (work->input->id.length && !slice_equal(work->input->id, uri))
		inspect_add(work, INSPECT_BAD_SPIFFE_ID, 0, "is not `%.*s`", SLICE_ARGS(work->input->id));
}

/* X.509-SVID sections 4.1, 4.3 and 4.4. */
static void judge_leaf_use(struct inspect_work *work)
{
	X509 *leaf = sk_X509_value(work->chain, 0);
	uint32_t usage = X509_get_key_usage(leaf), extended = X509_get_extended_key_usage(leaf);

	if (work->found->certificates[0].is_ca)
		inspect_add(work, INSPECT_CA_FLAG, 0, "is an authority's, and no workload's (basic constraints)");
	if (usage == UINT32_MAX || !(usage & KU_DIGITAL_SIGNATURE))
		inspect_add(work, INSPECT_KEY_USAGE, 0, "has no key usage digitalSignature");
	if (usage != UINT32_MAX && usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))
		inspect_add(work, INSPECT_KEY_USAGE, 0, "may sign certificates or revocations (key usage), as no workload may");
	if (extended != UINT32_MAX && (extended & (XKU_SSL_SERVER | XKU_SSL_CLIENT)) != (XKU_SSL_SERVER | XKU_SSL_CLIENT))
		inspect_add(work, INSPECT_KEY_USAGE, 0, "may not be used for both a server and a client (extended key usage)");
}

static void judge_svid(struct inspect_work *work)
{
	struct slice uri = { 0 };
	bool spiffe = false;
	unsigned uris = count_uris(&work->found->certificates[0], &uri, &spiffe);

	if (!work->input->svid && !work->input->id.length && (!spiffe || work->found->certificates[0].is_ca))
		return;
	if (uris == 0)
		inspect_add(work, INSPECT_NO_SPIFFE_ID, 0, "has no URI, so no SPIFFE ID");
	else if (uris > 1)
		inspect_add(work, INSPECT_MANY_URIS, 0, "has %u URIs; an X.509-SVID has exactly one", uris);
	else
		judge_id(work, uri);
	judge_leaf_use(work);
}

/* ---- all of it ---- */

static int read_input(struct inspect_work *work, struct text *why)
{
	struct text reason = { 0 };
	const char *what = "the certificate";
	int e = certificate_read(work->input->chain, &work->chain, &reason);

	if (!e && work->input->bundle.at) {
		what = "the trust bundle";
		e = certificate_read(work->input->bundle, &work->bundle, &reason);
	}
	if (!e && work->input->key.at) {
		what = "the private key";
		e = certificate_read_key(work->input->key, &work->key, &reason);
	}
	if (e && why)
		text_format(why, "%s cannot be used: %s", what, reason.bytes);
	text_free(&reason);
	return e;
}

static void judge(struct inspect_work *work)
{
	take_all_facts(work);
	for (unsigned i = 0; i < work->found->certificate_count; i++) {
		judge_dates(work, (int)i);
		judge_strength(work, (int)i);
	}
	judge_key(work);
	judge_svid(work);
	if (work->bundle)
		inspect_verify(work);
	else
		inspect_links(work);
}

int inspect(const struct inspect_input *input, struct inspection **inspection, struct text *why)
{
	struct inspect_work work = { .input = input };
	int e = read_input(&work, why);

	if (!e) {
		work.found = memory_new(sizeof *work.found);
		arena_init(&work.found->arena, NULL, 0);
		judge(&work);
		*inspection = work.found;
	}
	certificate_free_all(work.chain);
	certificate_free_all(work.bundle);
	EVP_PKEY_free(work.key);
	return e;
}

void inspect_free(struct inspection *inspection)
{
	if (!inspection)
		return;
	arena_reset(&inspection->arena);
	memory_free(inspection);
}
