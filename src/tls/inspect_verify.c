/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL builds and checks the path; what it objects to is written down, and it is told to go on. */
#include "base/check.h"
#include "base/clock.h"
#include "tls/inspect_parts.h"

static X509 *find_subject(STACK_OF(X509) * certificates, const X509_NAME *name)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *one = sk_X509_value(certificates, i);
		if (X509_NAME_cmp(X509_get_subject_name(one), name) == 0)
			return one;
	}
	return NULL;
}

/* Nobody in the chain or the bundle is `certificate`'s issuer by name and key. */
static void no_issuer(struct inspect_work *work, X509 *certificate)
{
	const X509_NAME *name = X509_get_issuer_name(certificate);
	struct text issuer = { 0 };
	int index = inspect_index(work, certificate);

	certificate_name(name, &issuer);
	if (find_subject(work->bundle, name))
		inspect_add(work, INSPECT_WRONG_CA, index, "is signed by `%s`, and the bundle's authority of that name has another key",
			issuer.bytes);
	else if (find_subject(work->chain, name))
		inspect_add(work, INSPECT_MISSING_ISSUER, index,
			"is signed by `%s`, and the certificate of that name in the file has another key", issuer.bytes);
	else
		inspect_add(work, INSPECT_MISSING_ISSUER, index,
			"is signed by `%s`, which is neither in the file nor in the bundle: add that certificate to "
			"the file if it is an "
			"intermediate, else it is the wrong bundle",
			issuer.bytes);
	text_free(&issuer);
}

static void unknown_root(struct inspect_work *work, X509 *certificate)
{
	const X509_NAME *name = X509_get_subject_name(certificate);
	const char *same = find_subject(work->bundle, name) ? "; the bundle's authority of that name has another key" : "";

	inspect_add(
		work, INSPECT_WRONG_CA, inspect_index(work, certificate), "is the root of this chain, and is not in the bundle%s", same);
}

static void bad_signature(struct inspect_work *work, X509 *certificate)
{
	const X509_NAME *name = X509_get_issuer_name(certificate);
	bool trusted = find_subject(work->bundle, name) && !find_subject(work->chain, name);
	struct text issuer = { 0 };

	certificate_name(name, &issuer);
	inspect_add(work, trusted ? INSPECT_WRONG_CA : INSPECT_BAD_SIGNATURE, inspect_index(work, certificate),
		"is not signed with the key of `%s` %s", issuer.bytes, trusted ? "that is in the bundle" : "that is in the file");
	text_free(&issuer);
}

/* A root of the bundle: those of the chain were looked at before, bundle or not. */
static void bad_dates(struct inspect_work *work, X509 *certificate, int error)
{
	char text[CLOCK_TEXT];
	bool expired = error == X509_V_ERR_CERT_HAS_EXPIRED;
	const ASN1_TIME *when = expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate);

	if (inspect_index(work, certificate) >= 0)
		return;
	clock_format(certificate_seconds(when) * CLOCK_SECOND, text);
	inspect_add(
		work, expired ? INSPECT_EXPIRED : INSPECT_NOT_YET_VALID, -1, "%s %s", expired ? "expired at" : "is not valid before", text);
}

static enum inspect_fault_kind kind_of(int error)
{
	switch (error) {
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		return INSPECT_NAME_CONSTRAINT;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
		return INSPECT_CA_FLAG;
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		return INSPECT_PATH_LENGTH;
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
	case X509_V_ERR_INVALID_PURPOSE:
		return INSPECT_KEY_USAGE;
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
		return INSPECT_WEAK_KEY;
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return INSPECT_WEAK_SIGNATURE;
	default:
		return INSPECT_OTHER_FAULT;
	}
}

static const char *sentence_of(int error)
{
	switch (error) {
	case X509_V_ERR_PERMITTED_VIOLATION:
		return "has a name that is outside of what its authority may name (name constraints)";
	case X509_V_ERR_EXCLUDED_VIOLATION:
		return "has a name that its authority may not name (name constraints)";
	case X509_V_ERR_INVALID_CA:
		return "has signed another certificate, and is no authority (basic constraints)";
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		return "allows fewer authorities below it than this chain has (path length)";
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		return "has signed another certificate, and its key may not (key usage)";
	default:
		return NULL;
	}
}

static void object(struct inspect_work *work, X509 *certificate, int error)
{
	const char *sentence = sentence_of(error);

	/* It says so too of an authority whose key may not sign. */
	if (error == X509_V_ERR_INVALID_CA && certificate_is_ca(certificate)) {
		error = X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
		sentence = sentence_of(error);
	}
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		no_issuer(work, certificate);
		break;
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: /* follows from the one before */
	case X509_V_ERR_CERT_UNTRUSTED:
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		unknown_root(work, certificate);
		break;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		bad_signature(work, certificate);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		bad_dates(work, certificate, error);
		break;
	default:
		inspect_add(work, kind_of(error), inspect_index(work, certificate), "%s",
			sentence ? sentence : X509_verify_cert_error_string(error));
	}
}

static int on_verified(int good, X509_STORE_CTX *context)
{
	struct inspect_work *work = X509_STORE_CTX_get_app_data(context);

	if (!good)
		object(work, X509_STORE_CTX_get_current_cert(context), X509_STORE_CTX_get_error(context));
	return 1;
}

static X509_STORE *store_of(STACK_OF(X509) * bundle)
{
	X509_STORE *store = X509_STORE_new();

	if (!store)
		check_out_of_memory("a trust bundle");
	for (int i = 0; i < sk_X509_num(bundle); i++) {
		if (!X509_STORE_add_cert(store, sk_X509_value(bundle, i)))
			check_out_of_memory("a trust bundle");
	}
	return store;
}

void inspect_verify(struct inspect_work *work)
{
	X509_STORE *store = store_of(work->bundle);
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	unsigned before = work->found->fault_count;

	if (!context || !X509_STORE_CTX_init(context, store, sk_X509_value(work->chain, 0), work->chain))
		check_out_of_memory("a certificate's verification");
	X509_STORE_CTX_set_app_data(context, work);
	X509_STORE_CTX_set_verify_cb(context, on_verified);
	X509_STORE_CTX_set_time(context, 0, (time_t)(work->input->wall_ns / CLOCK_SECOND));
	if (X509_verify_cert(context) <= 0 && work->found->fault_count == before)
		inspect_add(work, INSPECT_OTHER_FAULT, 0, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
	work->found->verified = work->found->fault_count == 0;
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
}

/* ---- without a bundle ---- */

static X509 *issuer_in_chain(const struct inspect_work *work, X509 *certificate)
{
	for (int i = 0; i < sk_X509_num(work->chain); i++) {
		X509 *one = sk_X509_value(work->chain, i);
		if (one != certificate && X509_check_issued(one, certificate) == X509_V_OK)
			return one;
	}
	return NULL;
}

static void link_missing(struct inspect_work *work, int index)
{
	struct text issuer = { 0 };

	certificate_name(X509_get_issuer_name(sk_X509_value(work->chain, index)), &issuer);
	inspect_add(
		work, INSPECT_MISSING_ISSUER, index, "is signed by `%s`, which is not in the file, although others follow", issuer.bytes);
	text_free(&issuer);
}

/* The issuer of the last one may be elsewhere; every other's is expected to follow. A file of authorities is no chain. */
void inspect_links(struct inspect_work *work)
{
	int count = sk_X509_num(work->chain);

	if (certificate_is_ca(sk_X509_value(work->chain, 0)))
		return;
	for (int i = 0; i < count; i++) {
		X509 *one = sk_X509_value(work->chain, i), *issuer = issuer_in_chain(work, one);

		if (X509_self_signed(one, 0))
			continue;
		if (issuer && X509_verify(one, X509_get0_pubkey(issuer)) != 1)
			inspect_add(work, INSPECT_BAD_SIGNATURE, i, "is not signed with the key of the issuer that is in the file");
		else if (!issuer && i + 1 < count)
			link_missing(work, i);
	}
}
