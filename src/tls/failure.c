/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "tls/stream_parts.h"

static const char *const names[TLS_FAILURES] = {
	[TLS_FAILURE_TIMEOUT] = "timeout",
	[TLS_FAILURE_LEFT] = "left",
	[TLS_FAILURE_TRUNCATED] = "truncated",
	[TLS_FAILURE_UNTRUSTED] = "untrusted",
	[TLS_FAILURE_UNSHOWN] = "no_certificate",
	[TLS_FAILURE_REFUSED] = "refused_by_peer",
	[TLS_FAILURE_MISMATCH] = "nothing_in_common",
	[TLS_FAILURE_PLAIN] = "not_tls",
	[TLS_FAILURE_PROTOCOL] = "protocol",
	[TLS_FAILURE_LIMIT] = "limit",
};

const char *tls_failure_name(enum tls_failure failure)
{
	return names[failure];
}

/* Which errors of OpenSSL mean what; all others are TLS_FAILURE_PROTOCOL. */
struct meaning {
	int reason;
	enum tls_failure failure;
	int error;
};

static const struct meaning reasons[] = {
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAILURE_UNSHOWN, ERROR_DENIED },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_FAILURE_UNTRUSTED, ERROR_DENIED },
	{ SSL_R_HTTP_REQUEST, TLS_FAILURE_PLAIN, ERROR_SYNTAX },
	{ SSL_R_HTTPS_PROXY_REQUEST, TLS_FAILURE_PLAIN, ERROR_SYNTAX },
	{ SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_PLAIN, ERROR_SYNTAX },
	{ SSL_R_UNKNOWN_PROTOCOL, TLS_FAILURE_PLAIN, ERROR_SYNTAX },
	{ SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_VERSION_TOO_LOW, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_NO_APPLICATION_PROTOCOL, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ ERR_R_MALLOC_FAILURE, TLS_FAILURE_LIMIT, ERROR_NO_MEMORY },
	{ 0 },
};

/* Alerts that the peer sent (RFC 8446 section 6). */
static const struct meaning alerts[] = {
	{ SSL_AD_BAD_CERTIFICATE, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_CERTIFICATE_REVOKED, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_CERTIFICATE_EXPIRED, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_CERTIFICATE_UNKNOWN, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_UNKNOWN_CA, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_ACCESS_DENIED, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_CERTIFICATE_REQUIRED, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_UNRECOGNIZED_NAME, TLS_FAILURE_REFUSED, ERROR_DENIED },
	{ SSL_AD_HANDSHAKE_FAILURE, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_AD_PROTOCOL_VERSION, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_AD_INSUFFICIENT_SECURITY, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_AD_NO_APPLICATION_PROTOCOL, TLS_FAILURE_MISMATCH, ERROR_UNSUPPORTED },
	{ SSL_AD_USER_CANCELLED, TLS_FAILURE_LEFT, ERROR_RESET },
	{ 0 },
};

static const struct meaning *find(const struct meaning *table, int reason)
{
	for (; table->error; table++) {
		if (table->reason == reason)
			return table;
	}
	return NULL;
}

/* OpenSSL 3.0 has no words for some that it sends itself. */
static const char *alert_text(int alert)
{
	switch (alert) {
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "certificate required";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "no application protocol";
	default:
		return SSL_alert_desc_string_long(alert);
	}
}

/* Its reasons are numbered from an offset; those that all of OpenSSL shares (no memory) have flags, which make them larger still. */
static bool is_alert(unsigned long code)
{
	int reason = ERR_GET_REASON(code);

	return ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
}

enum tls_failure failure_of(SSL *ssl, int *error, char text[FAILURE_TEXT])
{
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_REASON(code);
	const struct meaning *meaning;

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		const struct tls_stream *s = SSL_get_app_data(ssl);
		const char *stranger = s && s->server && s->handshake ? s->handshake->peers : "";

		snprintf(text, FAILURE_TEXT, "the peer's certificate: %.120s%s%.300s",
			X509_verify_cert_error_string(SSL_get_verify_result(ssl)), *stranger ? "; it is for " : "", stranger);
	} else if (is_alert(code)) {
		snprintf(text, FAILURE_TEXT, "the peer says: %s", alert_text(reason - SSL_AD_REASON_OFFSET));
	} else {
		const char *says = ERR_reason_error_string(code);

		snprintf(text, FAILURE_TEXT, "%s", says ? says : "unknown");
	}
	meaning = is_alert(code) ? find(alerts, reason - SSL_AD_REASON_OFFSET) : find(reasons, reason);
	ERR_clear_error();
	*error = meaning ? meaning->error : ERROR_SYNTAX;
	return meaning ? meaning->failure : TLS_FAILURE_PROTOCOL;
}
