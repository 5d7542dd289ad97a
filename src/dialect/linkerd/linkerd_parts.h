/* SPDX-License-Identifier: Apache-2.0 */
/* dialect/linkerd/linkerd_parts.h: the parts of the file that more than one source of this dialect needs; only for this folder.
 *
 * A file's struct is filled with the defaults first (linkerd_..._default where the model has none), then read over.
 */
#ifndef DIALECT_LINKERD_LINKERD_PARTS_H
#define DIALECT_LINKERD_LINKERD_PARTS_H

#include "dialect/linkerd/linkerd_block.h"

/* linkerd.c: the top level; struct snapshot */
extern const struct linkerd_block linkerd_root;

/* linkerd_admin.c: admin, usage; linkerd_telemetry.c: telemetry */
extern const struct linkerd_block linkerd_admin; /* struct admin_policy */
extern const struct linkerd_block linkerd_usage; /* nothing is kept */
extern const struct linkerd_choice linkerd_telemetry;
struct admin_policy linkerd_admin_default(void);
void linkerd_read_telemetry(struct linkerd_load *load, const struct document_node *list, void *out); /* struct telemetry_policy */

/* linkerd_socket.c: `socketOptions` */
struct linkerd_socket {
	bool no_delay, keep_alive, reuse_address;
	uint32_t backlog;
	int64_t read_timeout_ns, write_timeout_ns, ack_timeout_ns;
};
extern const struct linkerd_block linkerd_socket;
struct linkerd_socket linkerd_read_socket(struct linkerd_load *load, const struct document_node *node);

/* linkerd_namer.c */
extern const struct linkerd_choice linkerd_namer, linkerd_transformer;
void linkerd_read_namers(struct linkerd_load *load, const struct document_node *list, void *out); /* struct snapshot */

/* The `transformers` of an interpreter or a namer. */
struct linkerd_transformers {
	const struct transformer_policy *list;
	unsigned count;
};
void linkerd_read_transformers(struct linkerd_load *load, const struct document_node *list, void *out);
/* "/a/b" or "a/b", at least one segment, kept without the first slash: struct slice. */
void linkerd_read_prefix(struct linkerd_load *load, const struct document_node *node, void *out);

/* linkerd_router.c, linkerd_server.c */
extern const struct linkerd_block linkerd_router, linkerd_server;
void linkerd_read_routers(struct linkerd_load *load, const struct document_node *list, void *out); /* struct snapshot */
struct listener_policy linkerd_server_default(enum protocol protocol);
void linkerd_read_server(struct linkerd_load *load, const struct document_node *node, void *out); /* struct listener_policy */
/* linkerd_forwarded.c: onto struct listener_policy */
extern const struct linkerd_block linkerd_forwarded;
void linkerd_read_forwarded(struct linkerd_load *load, const struct document_node *node, void *out);
/* A header's name (RFC 9110 section 5.1), as written: struct slice. */
void linkerd_read_field_name(struct linkerd_load *load, const struct document_node *node, void *out);

/* HTTP/2's numbers, which servers and clients both have. A window is what a stream may make the proxy keep. */
enum {
	LINKERD_MOST_TABLE = 65536,
	LINKERD_MOST_WINDOW = 16 << 20,
	LINKERD_LEAST_FRAME = 16384, /* RFC 9113 section 6.5.2 */
	LINKERD_MOST_FRAME = 16777215,
	LINKERD_MOST_HEAD_BYTES = 64 * 1024, /* as for maxHeadersKB */
};
#define LINKERD_WINDOW_UPDATE_SAYS "more is granted when no more than that share of a stream's window is left; 0.5"
#define LINKERD_HEADER_TABLE_SAYS "of HPACK's table for what the peer sends, up to 4096 (more is taken for that); 4096"
#define LINKERD_WINDOW_SAYS "what may come on an HTTP/2 stream before it is passed on, up to 16 MiB; 65535"
#define LINKERD_FRAME_SAYS "of a frame that the peer may send; 16384"
#define LINKERD_PING_SAYS \
	"an HTTP/2 peer is pinged each time, and the connection ends if the last ping has no answer (weft's own key); never"
#define LINKERD_HEADER_LIST_SAYS "of a head by HTTP/2, up to 65536; the router's maxHeadersKB"

/* linkerd_service.c, linkerd_client.c: `service` and `client`, of a struct router */
extern const struct linkerd_choice linkerd_service, linkerd_client;
void linkerd_read_service(struct linkerd_load *load, const struct document_node *node, void *out);
void linkerd_read_client(struct linkerd_load *load, const struct document_node *node, void *out);

/* linkerd_retry.c: what both of them have */
extern const struct linkerd_block linkerd_budget; /* struct budget_policy */
extern const struct linkerd_choice linkerd_backoff;
void linkerd_read_budget(struct linkerd_load *load, const struct document_node *node, void *out);
void linkerd_read_backoff(struct linkerd_load *load, const struct document_node *node, void *out); /* struct backoff */

/* linkerd_rules.c: one policy for all names (io.l5d.global), or several by prefix (io.l5d.static). */
enum { LINKERD_RULES_GLOBAL, LINKERD_RULES_STATIC }; /* values of the choice's kinds */
struct linkerd_rules {
	const struct linkerd_choice *choice;
	const struct linkerd_block *config;            /* one of `configs`: the policy, and `prefix` apart */
	size_t rule_size, matcher_offset, line_offset; /* struct service_rule, struct client_rule */
	size_t policy_offset, policy_size;
	const void *usual; /* the policy that is read over */
};
/* The rules, in the snapshot's arena; their matchers are on the heap. NULL and 0 when there are none. */
void *linkerd_read_rules(struct linkerd_load *load, const struct document_node *node, const struct linkerd_rules *rules, unsigned *count);

/* linkerd_tls.c */
extern const struct linkerd_block linkerd_server_tls, linkerd_client_tls;
void linkerd_read_server_tls(
	struct linkerd_load *load, const struct document_node *node, void *out); /* const struct tls_server_options * */
void linkerd_read_client_tls(struct linkerd_load *load, const struct document_node *node, void *out); /* struct tls_policy */
void linkerd_check_common_name(struct linkerd_load *load, const struct client_rule *rule);
/* A text with its place, not empty: struct tls_setting. */
void linkerd_read_setting(struct linkerd_load *load, const struct document_node *node, void *out);
/* Each {capture} in the text is one of the rule's. */
void linkerd_check_captures(struct linkerd_load *load, const char *key, const struct tls_setting *setting, const struct matcher *matcher);

/* linkerd_identity.c */
extern const struct linkerd_block linkerd_identity;
void linkerd_read_identity(struct linkerd_load *load, const struct document_node *node, void *out);           /* struct identity_policy */
void linkerd_read_server_mutual(struct linkerd_load *load, const struct document_node *node, void *out);      /* enum mutual */
void linkerd_read_server_peer_ids(struct linkerd_load *load, const struct document_node *node, void *out);    /* struct listener_policy */
void linkerd_read_client_mutual(struct linkerd_load *load, const struct document_node *node, void *out);      /* struct tls_policy */
void linkerd_read_peer_ids(struct linkerd_load *load, const struct document_node *node, void *out);           /* struct tls_policy */
void linkerd_read_client_certificate(struct linkerd_load *load, const struct document_node *node, void *out); /* enum client_certificate */
/* `mutualTls` beside `tls`: one of them says how connections are secured. */
void linkerd_check_mutual(struct linkerd_load *load, const struct document_node *block, enum mutual mutual);
/* The same for `client`, whatever its kind, and peerIds in it. */
void linkerd_check_client_mutual(struct linkerd_load *load, const struct document_node *client, const struct router *router);

/* linkerd_access_log.c: httpAccessLog, h2AccessLog and what goes with them; of a struct router */
extern const struct linkerd_block linkerd_access_log;
void linkerd_check_access_log(struct linkerd_load *load, const struct document_node *node, const struct router *router);

/* linkerd_cors.c: `servers[].cors` */
extern const struct linkerd_block linkerd_cors;
void linkerd_read_cors(struct linkerd_load *load, const struct document_node *node, void *out); /* const struct cors_policy * */

/* linkerd_health.c: `client.healthCheck` */
extern const struct linkerd_choice linkerd_health_check;
void linkerd_read_health_check(struct linkerd_load *load, const struct document_node *node, void *out); /* struct check_policy */

/* linkerd_check.c: what only the whole file shows */
void linkerd_check(struct linkerd_load *load, const struct document_node *root);

#endif
