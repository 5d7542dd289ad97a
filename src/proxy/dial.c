/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dial.h"

#include "proxy/edges.h"
#include "proxy/limits.h"
#include "proxy/upstream.h"
#include "tls/client.h"

#define HTTP2_LIFE (30 * CLOCK_MINUTE) /* of a connection that many requests share, unless the policy says another */

struct session_limits dial_limits(const struct upstream *upstream, const struct session_limits *limits)
{
	const struct client_policy *policy = &upstream->client->policy;
	struct session_limits own = *limits;
	int64_t life = policy->life.life_ns;

	if (!life && policy->protocol != UPSTREAM_HTTP1)
		life = HTTP2_LIFE;
	own.life_ns = life - (int64_t)((double)life / 10 * random_unit(loop_random(upstream->worker->loop)));
	own.idle_ns = policy->life.idle_ns;
	own.read_stall_ns = policy->socket.read_timeout_ns;
	own.write_stall_ns = policy->socket.write_timeout_ns;
	limits_set_http2(&own, &policy->http2);
	if (policy->protocol != UPSTREAM_HTTP1 && policy->http2.max_header_bytes)
		own.max_head_bytes = policy->http2.max_header_bytes;
	return own;
}

/* Offered, as on the wire. */
static struct slice offered(enum upstream_protocol protocol)
{
	switch (protocol) {
	case UPSTREAM_HTTP1:
		return SLICE("\x08http/1.1");
	case UPSTREAM_HTTP2:
		return SLICE("\x02h2");
	case UPSTREAM_AUTO:
		return SLICE("\x02h2\x08http/1.1");
	}
	return (struct slice){ 0 };
}

static void identified(void *owner, struct slice id)
{
	const struct upstream *upstream = owner;
	const struct client *client = upstream->client;

	edge_seen(upstream->worker, client->object.live->metrics, SLICE("client"), client->label, slice_from(client->id, 1), id);
}

static bool is_anybody(const struct client_policy *policy)
{
	if (policy->tls.mutual != MUTUAL_OFF)
		return policy->tls.peer_id_count > 0 && policy->tls.peers[0] == '\0';
	return policy->tls.name[0] == '\0' && !tls_client_options(policy->tls.client)->no_verification;
}

/* Puts TLS on top, where the policy wants it. Of the stream nothing is left after an error. */
static int secure(struct peer *peer, enum upstream_protocol protocol, struct stream **stream)
{
	const struct client_policy *policy = &peer->upstream->client->policy;
	struct worker *worker = peer->upstream->worker;
	int e;
	struct tls_target target = {
		.name = slice_of(policy->tls.name),
		.peers = slice_of(policy->tls.peers),
		.alpn = offered(protocol),
		.session = &peer->tls,
	};

	if (!policy->tls.client)
		return 0;
	/* What was captured made no name of it: one that isn't checked would let anybody be the server. */
	if (is_anybody(policy)) {
		stream_close(*stream);
		return ERROR_INVALID;
	}
	e = tls_connect(worker->tls, policy->tls.client, &target, *stream, &peer->upstream->stats->tls, stream);
	if (!e)
		tls_identify(*stream, identified, peer->upstream);
	return e;
}

int dial(struct peer *peer, enum upstream_protocol protocol, struct stream **stream)
{
	const struct socket_policy *policy = &peer->upstream->client->policy.socket;
	const struct socket_options options = {
		.keep_alive = policy->keep_alive, .delay = policy->delay, .ack_timeout_ns = policy->ack_timeout_ns
	};
	struct worker *worker = peer->upstream->worker;
	int e = network_connect(worker->network, worker->loop, &peer->target->address, &options, stream);

	return e ? e : secure(peer, protocol, stream);
}
