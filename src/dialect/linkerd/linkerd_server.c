/* SPDX-License-Identifier: Apache-2.0 */
/* `servers`: where a router listens. */
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct listener_policy, member)

enum { HTTP_PORT = 4140, H2_PORT = 4142, HTTP_CALL_DEPTH = 1000, H2_CALL_DEPTH = 10 };

static const struct linkerd_key session_keys[] = {
	{ "idleTimeMs", LINKERD_MS, AT(idle_ns), 1, .says = "then an idle connection is closed; never" },
	{ "lifeTimeMs", LINKERD_MS, AT(life_ns), 1, .says = "then a connection takes no more requests; no limit" },
	{ 0 },
};
static const struct linkerd_block session_block = { .name = "serverSession", .keys = session_keys };

static void read_socket(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct linkerd_socket socket = linkerd_read_socket(load, node);
	struct listener_policy *server = out;

	server->delay = !socket.no_delay;
	server->keep_alive = socket.keep_alive;
	server->backlog = (int)socket.backlog;
	server->exclusive = !socket.reuse_address;
	server->read_timeout_ns = socket.read_timeout_ns;
	server->write_timeout_ns = socket.write_timeout_ns;
}

static bool is_field_name(struct slice name)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < name.length; i++) {
		char c = name.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!letter && (c == '\0' || !strchr(others, c)))
			return false;
	}
	return name.length > 0;
}

void linkerd_read_field_name(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice name;
	char found[DOCUMENT_FOUND];

	if (!document_read_text(node, &name, load->problems))
		return;
	if (!is_field_name(name))
		linkerd_problem(load, node, "%s is not the name of a header", document_found(node, found));
	*(struct slice *)out = linkerd_copy(load, name);
}

/* A number in one of these would make another message of it. */
static void read_timestamp_header(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const taken[] = {
		"host",
		"connection",
		"content-length",
		"expect",
		"keep-alive",
		"max-forwards",
		"proxy-connection",
		"te",
		"trailer",
		"transfer-encoding",
		"upgrade",
		"via",
		NULL,
	};
	struct slice name = { 0 };

	linkerd_read_field_name(load, node, &name);
	for (const char *const *one = taken; *one; one++) {
		if (slice_equal_nocase(name, slice_of(*one)))
			linkerd_problem(load, node, "`%s` has a meaning of its own in HTTP", *one);
	}
	*(struct slice *)out = name;
}

static const struct linkerd_key server_keys[] = {
	{ "ip", LINKERD_IP, AT(address), .says = "to listen on; 127.0.0.1" },
	{ "port", LINKERD_PORT, AT(address.port), .says = "0: any free one; 4140, for h2 4142" },
	{ "label", LINKERD_TEXT, AT(label), .says = "the router's" },
	{ "maxConcurrentRequests", LINKERD_COUNT, AT(max_concurrent), 1, .says = "more are rejected; no limit" },
	{ "timeoutMs", LINKERD_MS, AT(timeout_ns), 1, .says = "for a whole request; none" },
	{ "clearContext", LINKERD_BOOL, AT(clear_context),
		.says = "callers are not trusted: l5d-* headers are taken out of requests and responses; false" },
	{ "maxCallDepth", LINKERD_COUNT, AT(max_call_depth), 1, .says = "proxies in Via; 1000, for h2 10" },
	{ "timestampHeader", LINKERD_READ, AT(timestamp_header), .read = read_timestamp_header,
		.says = "gets the arrival time in milliseconds since 1970; none" },
	{ "addForwardedHeader", LINKERD_READ, 0, .read = linkerd_read_forwarded, .block = &linkerd_forwarded,
		.says = "requests get a Forwarded field (RFC 7239); no" },
	{ "serverSession", LINKERD_BLOCK, 0, .block = &session_block, .says = "how long connections live" },
	{ "socketOptions", LINKERD_READ, 0, .read = read_socket, .block = &linkerd_socket, .says = "of the listening socket" },
	{ "windowUpdateRatio", LINKERD_SHARE, AT(http2.window_update_ratio), .says = LINKERD_WINDOW_UPDATE_SAYS },
	{ "headerTableBytes", LINKERD_COUNT, AT(http2.header_table_bytes), 0, LINKERD_MOST_TABLE, .says = LINKERD_HEADER_TABLE_SAYS },
	{ "initialStreamWindowBytes", LINKERD_COUNT, AT(http2.stream_window_bytes), 1, LINKERD_MOST_WINDOW, .says = LINKERD_WINDOW_SAYS },
	{ "maxConcurrentStreamsPerConnection", LINKERD_COUNT, AT(http2.max_streams), 1, .says = "of HTTP/2; 1000" },
	{ "maxFrameBytes", LINKERD_COUNT, AT(http2.max_frame_bytes), LINKERD_LEAST_FRAME, LINKERD_MOST_FRAME, .says = LINKERD_FRAME_SAYS },
	{ "maxHeaderListBytes", LINKERD_COUNT, AT(http2.max_header_bytes), 1, LINKERD_MOST_HEAD_BYTES, .says = LINKERD_HEADER_LIST_SAYS },
	{ "pingIntervalMs", LINKERD_MS, AT(http2.ping_ns), 1, .says = LINKERD_PING_SAYS },
	{ "grpcWeb", LINKERD_BOOL, AT(grpc_web), .says = "gRPC-Web from browsers is translated to gRPC (weft's own key); false" },
	{ "cors", LINKERD_READ, AT(cors), .read = linkerd_read_cors, .block = &linkerd_cors,
		.says = "with grpcWeb: web pages of these origins may call (weft's own key); none" },
	{ "tls", LINKERD_READ, AT(tls), .read = linkerd_read_server_tls, .block = &linkerd_server_tls, .says = "callers speak TLS; no" },
	{ "mutualTls", LINKERD_READ, AT(mutual), .read = linkerd_read_server_mutual,
		.says = "callers must be workloads (strict), or may speak plain text, too (permissive) (weft's own key); off" },
	{ "peerIds", LINKERD_READ, 0, .read = linkerd_read_server_peer_ids,
		.says = "with mutualTls: the SPIFFE IDs of who may call (weft's own key); anybody whom the bundle vouches for" },
	{ "clientCert", LINKERD_READ, AT(client_certificate), .read = linkerd_read_client_certificate,
		.says = "what becomes of a caller's x-forwarded-client-cert: sanitize, append, forward (weft's own key); sanitize" },
	LINKERD_KEY_LATER("announce"),
	LINKERD_KEY_LATER("thriftFramed"),
	{ 0 },
};

const struct linkerd_block linkerd_server = { .name = "servers[]", .keys = server_keys };

struct listener_policy linkerd_server_default(enum protocol protocol)
{
	return (struct listener_policy){
		.address = { .family = ADDRESS_IP4, .port = protocol == PROTOCOL_H2 ? H2_PORT : HTTP_PORT, .ip = { 127, 0, 0, 1 } },
		.max_call_depth = protocol == PROTOCOL_H2 ? H2_CALL_DEPTH : HTTP_CALL_DEPTH,
		.http2 = http2_policy_default(),
	};
}

void linkerd_read_server(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct listener_policy *server = out;

	*server = linkerd_server_default(load->protocol);
	linkerd_read_block(load, node, &linkerd_server, server);
	linkerd_check_mutual(load, node, server->mutual);
	if (server->peer_id_count && server->mutual == MUTUAL_OFF)
		linkerd_problem(load, document_get(node, "peerIds"), "needs `mutualTls: strict` or `mutualTls: permissive` beside it");
	if (server->cors && !server->grpc_web)
		linkerd_problem(load, document_get(node, "cors"), "is only for servers with `grpcWeb: true`");
	server->timestamp = server->timestamp_header.length > 0;
}
