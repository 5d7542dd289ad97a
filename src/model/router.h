/* SPDX-License-Identifier: Apache-2.0 */
/* model/router.h: listeners, and the table that turns a request that came in on them into a destination.
 *
 * A router names each request (identifiers give a logical name), looks the name up in its dtab, and has the rules for the
 * services and clients that come out. Immutable; part of a snapshot (model/snapshot.h); any thread.
 */
#ifndef MODEL_ROUTER_H
#define MODEL_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "io/address.h"
#include "model/access_format.h"
#include "model/policy.h"

struct dtab;
struct path;
struct tls_server;
struct tls_server_options;

enum protocol {
	PROTOCOL_HTTP,
	PROTOCOL_H2, /* HTTP/2 and gRPC: streams are classified and retried as such */
};

/* Where Kubernetes' API is. Slices end in NUL. */
struct k8s_place {
	struct slice host;       /* empty: the pod's own cluster, or localhost when this is no pod */
	uint16_t port;           /* 0: 8001, where `kubectl proxy` listens */
	struct slice ca_file;    /* PEM; empty: plain text */
	struct slice token_file; /* empty: none */
	struct slice kubeconfig; /* a file that says it all; empty: none */
};

/* Where a router's dtab begins: a key of a ConfigMap. */
struct config_map_policy {
	struct k8s_place place;
	struct slice namespace, name, key;
};

/* Which Ingresses of Kubernetes count. */
struct ingress_policy {
	struct k8s_place place;
	struct slice namespace; /* empty: all */
	struct slice class;
	bool without_defaults; /* default backends don't count */
	unsigned index;        /* of snapshot->ingress_count */
};

enum identifier_kind {
	IDENTIFIER_HEADER_TOKEN,    /* the header's value as one segment */
	IDENTIFIER_HEADER,          /* the header's value is a path */
	IDENTIFIER_HEADER_PATH,     /* the first `segments` of the header's value, a URL's path; all of them: 0 */
	IDENTIFIER_PATH,            /* the first `segments` of the URL's path, taken out of it with `consume` */
	IDENTIFIER_METHOD_AND_HOST, /* version, method, host, and the URL's path `with_uri` */
	IDENTIFIER_STATIC,          /* always `path` */
	IDENTIFIER_INGRESS,         /* what Kubernetes' Ingresses say of host and path */
};

/* What stands behind dst_prefix in a request's name. */
struct identifier {
	enum identifier_kind kind;
	struct slice header; /* lower case; "host" and ":authority" are the authority, ":path" is the target */
	uint32_t segments;
	bool consume, with_uri;
	const struct path *path;
	const struct ingress_policy *ingress; /* IDENTIFIER_INGRESS */
	int line;                             /* of the configuration's file; 0: the default */
};

/* What stands for a node in a Forwarded field (RFC 7239 section 6). */
enum forwarded_kind {
	FORWARDED_REQUEST_RANDOM,    /* "_" and six characters, new for each request */
	FORWARDED_CONNECTION_RANDOM, /* the same for all requests of a connection */
	FORWARDED_IP,
	FORWARDED_IP_PORT,
	FORWARDED_ROUTER, /* "_" and the router's label */
	FORWARDED_STATIC, /* "_" and `label` */
};

struct forwarded_label {
	enum forwarded_kind kind;
	struct slice label;
};

/* What becomes of the x-forwarded-client-cert that a caller sends. */
enum client_certificate {
	CLIENT_CERTIFICATE_SANITIZE, /* taken out */
	CLIENT_CERTIFICATE_APPEND,   /* the caller's own certificate is added to it; only from callers that were verified */
	CLIENT_CERTIFICATE_FORWARD,  /* passed on as it is; only from callers that were verified */
};

/* Which web pages may call: cross-origin resource sharing (the Fetch standard, section 3.3), for gRPC-Web. */
struct cors_policy {
	const struct slice *origins; /* "https://app.example.com"; a star in place of the first label: any host below it */
	unsigned origin_count;
	bool any_origin;      /* a star alone is one of them */
	bool any_header;      /* requests may have any field; else: */
	struct slice headers; /* "content-type, x-grpc-web": fields that requests may have */
	struct slice exposed; /* "grpc-status, grpc-message": fields of responses that pages may read */
	bool credentials;     /* cookies and the like may be sent */
	int64_t max_age_ns;   /* how long a browser may remember a preflight's answer */
};

struct listener_policy {
	struct address address;
	struct slice label;       /* for metrics; the router's label unless given */
	uint32_t max_concurrent;  /* requests; more are rejected; 0: no limit */
	uint32_t max_call_depth;  /* entries in Via */
	int64_t timeout_ns;       /* a whole request; 0: none */
	int64_t idle_ns, life_ns; /* of connections; 0: no limit */
	int backlog;              /* 0: default */
	bool keep_alive;          /* SO_KEEPALIVE */
	bool delay;               /* Nagle's algorithm on */
	bool exclusive;           /* without SO_REUSEADDR */
	int64_t read_timeout_ns;  /* a request, or more of it, doesn't come for so long: closed; 0: never */
	int64_t write_timeout_ns; /* the caller takes nothing for so long: closed; 0: never */
	bool add_forwarded;       /* requests get a Forwarded field */
	struct forwarded_label forwarded_by, forwarded_for;
	bool clear_context; /* callers are not trusted: l5d-* are stripped */
	bool timestamp;     /* a header of that name gets the arrival time, ms since 1970 */
	struct slice timestamp_header;
	struct http2_policy http2;
	bool grpc_web;                      /* callers may speak gRPC-Web: translated */
	const struct cors_policy *cors;     /* with grpc_web; NULL: nothing is said of other origins */
	enum mutual mutual;                 /* not off: the options are made of the identity (proxy/certificates.h) */
	const struct tls_setting *peer_ids; /* with it: who may call over TLS, patterns of SPIFFE IDs */
	unsigned peer_id_count;             /* 0: anybody whom the identity's bundle vouches for */
	enum client_certificate client_certificate;
	const struct tls_server_options *tls; /* NULL: plain text */
	struct tls_server *tls_server;        /* made of it (proxy/certificates.h); the snapshot's reference; NULL until then */
};

enum transformer_kind {
	TRANSFORMER_PORT,
	TRANSFORMER_SPECIFIC_HOST,
	TRANSFORMER_LOCALHOST,
	TRANSFORMER_LOCAL_NODE,
	TRANSFORMER_DAEMONSET,
};

struct transformer_policy {
	enum transformer_kind kind;
	struct slice prefix; /* of ids, behind "/%/": "io.l5d.port/4141"; of LOCAL_NODE without what the process is told of its node */
	uint16_t port;
	struct address host;
	bool host_network, by_node;                 /* LOCAL_NODE, DAEMONSET: either: nodes are told apart by name, not by net */
	struct k8s_place k8s;                       /* DAEMONSET */
	struct slice namespace, service, port_name; /* DAEMONSET: of its Service; the port by name or number */
};

/* Which headers carry a request's trace. */
enum propagator {
	PROPAGATOR_L5D,       /* l5d-ctx-trace */
	PROPAGATOR_B3,        /* Zipkin's, x-b3-… */
	PROPAGATOR_B3_SINGLE, /* b3 */
	PROPAGATOR_W3C,       /* traceparent, tracestate */
	PROPAGATOR_ANY,       /* whichever comes */
};

/* When an access log's file gets another name, and a new one begins; UTC. */
enum roll {
	ROLL_NEVER,
	ROLL_HOURLY,
	ROLL_DAILY,
	ROLL_WEEKLY, /* when `weekday` begins */
	ROLL_SIZE,   /* before it is larger than `roll_bytes` */
};

enum access_form {
	ACCESS_LINKERD, /* a line as Linkerd 1.x writes it */
	ACCESS_JSON,    /* an object a line, with OpenTelemetry's names */
	ACCESS_FORMAT,  /* as `format` says */
};

struct access_log_policy {
	struct slice path; /* ends in NUL; empty: there is no log */
	enum access_form form;
	struct access_format format;
	enum roll roll;
	unsigned weekday; /* 0: Sunday */
	uint64_t roll_bytes;
	bool append;          /* to what is there at the start */
	int32_t rotate_count; /* how many files that were rolled are kept; -1: all */
};

struct router {
	struct slice label;
	int line; /* of the configuration's file */
	enum protocol protocol;
	unsigned index; /* in its snapshot; equal labels keep their scopes over a reload */
	const struct path *dst_prefix;
	const struct dtab *dtab;                    /* base */
	const struct config_map_policy *config_map; /* whose dtab comes before that; NULL: none does */
	const struct identifier *identifiers;
	unsigned identifier_count;
	const struct listener_policy *listeners;
	unsigned listener_count;
	const struct transformer_policy *transformers;
	unsigned transformer_count;
	const struct service_rule *service_rules;
	unsigned service_rule_count;
	const struct client_rule *client_rules;
	unsigned client_rule_count;
	int64_t binding_timeout_ns;
	uint32_t cache_paths, cache_trees; /* bindingCache: names that a worker remembers; trees: with a dtab of the request's own */
	int64_t cache_idle_ns;
	uint32_t max_head_bytes, max_line_bytes;
	bool originator;
	struct access_log_policy access_log;
	enum propagator propagator;
	/* Calls that come without a trace belong to requests of the routers of these labels, where it can be known (proxy/joining.h). */
	const struct slice *joins;
	unsigned joins_count;
	bool joined; /* some router's `joins` names this one */
};

#endif
