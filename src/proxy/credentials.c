/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/credentials.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "client/identity.h"
#include "io/loop.h"
#include "observe/metrics.h"
#include "tls/request.h"
#include "tls/store.h"

struct credentials_stats {
	struct counter renewals; /* certificates and bundles that were given */
	struct counter failures; /* questions without a good answer */
};

struct credentials {
	struct credentials_options options;
	struct text socket, id; /* of the policy; empty: files have the identity */
	struct identity *identity;
	struct text svid, bundle;
	struct tls_source svid_source, bundle_source;
	int64_t not_after_s;
	struct timer second;
	_Atomic int64_t left_s;  /* of the certificate's life, as the gauge shows it */
	struct metrics *metrics; /* NULL: not shown yet */
	struct scope *scope;
	struct credentials_stats *stats;
};

static const struct metric metrics_of_it[] = {
	METRIC(struct credentials_stats, renewals, METRIC_COUNTER, "renewals"),
	METRIC(struct credentials_stats, failures, METRIC_COUNTER, "failures"),
};
static const struct metric_kind kind = {
	"identity",
	metrics_of_it,
	sizeof metrics_of_it / sizeof *metrics_of_it,
	sizeof(struct credentials_stats),
	1,
};

/* The chain and its key as one file would have them. */
static void keep(struct credentials *credentials, const struct identity_credentials *given)
{
	request_wipe(&credentials->svid);
	text_append(&credentials->svid, given->chain);
	text_append(&credentials->svid, given->key);
	credentials->bundle.length = 0;
	text_append(&credentials->bundle, given->bundle);
	credentials->svid_source.bytes = text_slice(&credentials->svid);
	credentials->bundle_source.bytes = text_slice(&credentials->bundle);
	credentials->not_after_s = given->not_after_s;
}

static void changed(void *owner, const struct identity_credentials *given)
{
	struct credentials *credentials = owner;
	bool first = !credentials_are_ready(credentials);

	keep(credentials, given);
	if (credentials->stats)
		counter_add(&credentials->stats->renewals, 1);
	tls_store_refresh(credentials->options.store);
	if (first && credentials->options.ready)
		credentials->options.ready(credentials->options.owner);
}

static void failed(void *owner, int error, struct slice reason)
{
	struct credentials *credentials = owner;

	(void)error;
	if (credentials->stats)
		counter_add(&credentials->stats->failures, 1);
	LOG(LOG_WARN, "proxy", "no identity from the signer, which is asked again: %.*s", SLICE_ARGS(reason));
}

static double read_left(void *owner)
{
	const struct credentials *credentials = owner;

	return (double)atomic_load_explicit(&credentials->left_s, memory_order_relaxed);
}

static void each_second(void *owner)
{
	struct credentials *credentials = owner;
	struct loop *loop = credentials->options.loop;

	atomic_store_explicit(&credentials->left_s, credentials->not_after_s - loop_wall(loop) / CLOCK_SECOND, memory_order_relaxed);
	timer_set(loop, &credentials->second, loop_now(loop) + CLOCK_SECOND);
}

int credentials_new(const struct credentials_options *options, struct credentials **out)
{
	static const struct identity_events events = { .changed = changed, .failed = failed };
	struct credentials *credentials = memory_new(sizeof *credentials);
	int e = 0;

	credentials->options = *options;
	timer_init(&credentials->second, each_second, credentials);
	text_append(&credentials->socket, options->policy->socket.text);
	text_append(&credentials->id, options->policy->id.text);
	credentials->options.policy = NULL;
	if (credentials->socket.length) {
		const struct identity_options asked = {
			.network = options->network,
			.loop = options->loop,
			.socket = credentials->socket.bytes,
			.id = text_slice(&credentials->id),
		};

		tls_store_refresh(options->store); /* starts OpenSSL as TLS wants it, before the identity's key is made */
		e = identity_new(&asked, &events, credentials, &credentials->identity);
	}
	if (e)
		credentials_free(credentials);
	else
		*out = credentials;
	return e;
}

bool credentials_are_ready(const struct credentials *credentials)
{
	return !credentials->socket.length || credentials->svid.length > 0;
}

bool credentials_are_of(const struct credentials *credentials, const struct identity_policy *policy)
{
	return slice_equal(text_slice(&credentials->socket), policy->socket.text) &&
		slice_equal(text_slice(&credentials->id), policy->id.text);
}

const struct tls_source *credentials_svid(const struct credentials *credentials)
{
	return credentials ? &credentials->svid_source : NULL;
}

const struct tls_source *credentials_bundle(const struct credentials *credentials)
{
	return credentials ? &credentials->bundle_source : NULL;
}

void credentials_show(struct credentials *credentials, struct metrics *metrics)
{
	const struct scope_label name = { SLICE("identity"), { 0 } };

	if (!credentials->socket.length)
		return;
	credentials->metrics = metrics;
	credentials->scope = metrics_scope(metrics, &kind, &name, 1);
	credentials->stats = scope_shard(credentials->scope, 0);
	if (credentials->svid.length)
		counter_add(&credentials->stats->renewals, 1);
	each_second(credentials);
	metrics_gauge(metrics, credentials->scope, "certificate_expires_in_s", read_left, credentials);
}

void credentials_stop(struct credentials *credentials)
{
	identity_free(credentials->identity);
	credentials->identity = NULL;
	timer_cancel(credentials->options.loop, &credentials->second);
}

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	credentials_stop(credentials);
	if (credentials->scope) {
		metrics_gauge_remove(credentials->metrics, credentials);
		scope_unref(credentials->scope);
	}
	request_wipe(&credentials->svid);
	text_free(&credentials->bundle);
	text_free(&credentials->socket);
	text_free(&credentials->id);
	memory_free(credentials);
}
