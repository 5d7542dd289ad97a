/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_keys.h"

#include <stddef.h>

#include "cli/named_file.h"
#include "proxy/live.h"

/* A part of a policy, and the key that sets it. */
struct part {
	const char *key;
	size_t offset, size;
};

#define SERVICE(key, member) \
	{ \
		key, offsetof(struct service_policy, member), sizeof((struct service_policy *)0)->member \
	}
#define CLIENT(key, member) \
	{ \
		key, offsetof(struct client_policy, member), sizeof((struct client_policy *)0)->member \
	}

static const struct part service_parts[] = {
	SERVICE("totalTimeoutMs", total_timeout_ns),
	SERVICE("retries.budget", budget),
	SERVICE("retries.backoff", backoff),
	SERVICE("responseClassifier", classifier),
	SERVICE("responseClassifier.successStatusCodes", success_statuses),
	SERVICE("responseClassifier.retryableStatusCodes", retryable_statuses),
	SERVICE("classificationTimeoutMs", classification_ns),
	SERVICE("retryBufferSize", buffers),
	{ 0 },
};
static const struct part client_parts[] = {
	CLIENT("loadBalancer", balancer),
	CLIENT("failureAccrual", accrual),
	CLIENT("healthCheck", check),
	CLIENT("requestAttemptTimeoutMs", attempt_timeout_ns),
	CLIENT("hostConnectionPool", connections),
	CLIENT("requeueBudget", requeue_budget),
	CLIENT("protocol", protocol),
	CLIENT("HTTP/2", http2),
	CLIENT("clientSession", life),
	CLIENT("socketOptions", socket),
	CLIENT("tls", tls),
	CLIENT("forwardClientCert", forward_certificate),
	{ 0 },
};

static void add(struct text *out, const char *key)
{
	text_format(out, "%s%s", out->length ? ", " : "", key);
}

/* Whether one differs is what the proxy itself says when it is all that may differ. */
void policy_keys_service(const struct service_policy *old, const struct service_policy *new, struct text *out)
{
	for (const struct part *part = service_parts; part->key; part++) {
		struct service_policy mixed = *old;

		memcpy((char *)&mixed + part->offset, (const char *)new + part->offset, part->size);
		if (!live_same_service_policy(old, &mixed))
			add(out, part->key);
	}
}

/* ---- TLS: the proxy compares what it has made of the options; here they are compared themselves ---- */

static bool same_settings(const struct tls_setting *a, unsigned count, const struct tls_setting *b, unsigned other)
{
	if (count != other)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!slice_equal(a[i].text, b[i].text))
			return false;
	return true;
}

static bool same_file(const struct tls_setting *a, const struct tls_setting *b)
{
	return a->text.at && b->text.at ? named_file_same(a->text, b->text) : slice_equal(a->text, b->text);
}

static bool same_trust(const struct tls_setting *a, unsigned count, const struct tls_setting *b, unsigned other)
{
	if (count != other)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!same_file(&a[i], &b[i]))
			return false;
	return true;
}

static bool same_choices(const struct tls_choices *a, const struct tls_choices *b)
{
	if (a->protocols != b->protocols || a->alpn_count != b->alpn_count ||
		!same_settings(a->ciphers, a->cipher_count, b->ciphers, b->cipher_count))
		return false;
	for (unsigned i = 0; i < a->alpn_count; i++)
		if (!slice_equal(a->alpn[i], b->alpn[i]))
			return false;
	return true;
}

static bool same_certificate(const struct tls_certificate *a, const struct tls_certificate *b)
{
	return same_file(&a->chain, &b->chain) && same_file(&a->key, &b->key) && same_file(&a->intermediates, &b->intermediates);
}

static bool same_options(const struct tls_policy *old, const struct tls_policy *new)
{
	const struct tls_client_options *a = old->options, *b = new->options;

	if (old->mutual != new->mutual || !a != !b)
		return false;
	return !a ||
		(a->no_verification == b->no_verification && a->workloads == b->workloads &&
			same_trust(a->trust, a->trust_count, b->trust, b->trust_count) &&
			same_certificate(&a->certificate, &b->certificate) && same_choices(&a->choices, &b->choices));
}

void policy_keys_client(const struct client_policy *old, const struct client_policy *new, struct text *out)
{
	for (const struct part *part = client_parts; part->key; part++) {
		struct client_policy mixed = *old;

		memcpy((char *)&mixed + part->offset, (const char *)new + part->offset, part->size);
		if (!live_same_client_policy(old, &mixed) ||
			(part->offset == offsetof(struct client_policy, tls) && !same_options(&old->tls, &new->tls)))
			add(out, part->key);
	}
}
