/* SPDX-License-Identifier: Apache-2.0 */
/* model/snapshot.h: all of a configuration, compiled and valid: what a dialect makes and what the proxy runs.
 *
 * Immutable; made on the control thread, counted atomically; the last reference frees it with all that hangs below it:
 * what lies in its arena, and the matchers of its rules (matcher_new), each of which belongs to one rule alone.
 *
 *	struct snapshot *s = snapshot_new();             // one reference; s->arena owns everything below
 *	s->routers = arena_get(&s->arena, ...);
 *	snapshot_unref(s);
 */
#ifndef MODEL_SNAPSHOT_H
#define MODEL_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "io/address.h"
#include "model/router.h"

/* A source of endpoints below /#/prefix. */
enum namer_kind {
	NAMER_FS,
	NAMER_K8S,
	NAMER_K8S_NS,
	NAMER_K8S_EXTERNAL,
};

/* What of Kubernetes is meant. Slices end in NUL. */
struct k8s_policy {
	struct k8s_place place;
	struct slice label;    /* labelSelector: a key; empty: none */
	struct slice variable; /* of the environment, that has the namespace (NAMER_K8S_NS) */
};

struct namer_policy {
	enum namer_kind kind;
	struct slice prefix;   /* "io.l5d.fs", or several segments "a/b" */
	struct slice root_dir; /* NAMER_FS */
	struct k8s_policy k8s; /* the others */
	const struct transformer_policy *transformers;
	unsigned transformer_count;
};

enum admin_field {
	ADMIN_IDENTIFIER = 1 << 0, /* identifier_port */
};

struct admin_policy {
	unsigned set; /* enum admin_field */
	struct address address;
	uint16_t identifier_port; /* of the same IP address: requests to it are told how they are named; 0: any */
	int64_t drain_delay_ns;   /* how long it still accepts after it has said that it isn't ready */
	int64_t shutdown_grace_ns;
	uint32_t request_records;                  /* that each worker keeps, for who asks later what became of one; 0: the usual number */
	int backlog;                               /* 0: default */
	bool keep_alive, delay, exclusive;         /* SO_KEEPALIVE; Nagle's algorithm on; without SO_REUSEADDR */
	int64_t read_timeout_ns, write_timeout_ns; /* as in struct listener_policy */
	bool ui, control, diagnostics;             /* which categories of pages are enabled */
	const struct slice *allow, *deny;          /* regular expressions (pathWhitelist, pathBlacklist) */
	unsigned allow_count, deny_count;
	const struct tls_server_options *tls; /* NULL: plain text */
	struct tls_server *tls_server;        /* as in struct listener_policy */
};

/* A collector of spans, and of metrics, that is spoken to over HTTP. */
struct collector_policy {
	bool on;
	bool metrics;      /* they are sent too */
	struct slice host; /* a name, or an address */
	uint16_t port;
	struct slice authority; /* what the Host field says */
	struct tls_policy tls;  /* of a client: its options, common_name and client; mutual is off */
	struct slice prefix;    /* of the paths at that server, without a slash at its end */
	double sample_rate;     /* of the requests for which their callers haven't decided it */
	int64_t interval_ns;    /* between two reports of metrics */
	struct slice service;   /* spans' service name; empty: their router's label */
};

enum collector_kind {
	COLLECTOR_ZIPKIN, /* Zipkin's API, version 2, JSON */
	COLLECTOR_OTLP,   /* OpenTelemetry's protocol, protobuf */
	COLLECTOR_KINDS,
};

struct telemetry_policy {
	struct collector_policy collectors[COLLECTOR_KINDS];
	bool prometheus;
	struct slice prometheus_path, prometheus_prefix;
	bool recent_requests;
	double recent_sample_rate;
	uint32_t recent_capacity;
};

/* Who this process is. */
struct identity_policy {
	struct tls_setting directory; /* svid.pem and bundle.pem in it, as `weft ca agent` keeps them; or empty */
	struct tls_setting socket;    /* of the signer (client/identity.h); or empty */
	struct tls_setting id;        /* with `socket`: the SPIFFE ID that is asked for */
};

struct snapshot {
	_Atomic uint32_t references;
	uint64_t generation; /* 1, 2, … in this process */
	struct arena arena;
	struct slice source; /* the file's name */
	struct slice json;   /* the configuration as /config.json shows it */
	struct admin_policy admin;
	struct telemetry_policy telemetry;
	struct identity_policy identity;
	struct router *routers;
	unsigned router_count;
	struct namer_policy *namers; /* in the order in which they are asked: the file's last first */
	unsigned namer_count;
	unsigned ingress_count;   /* identifiers with a struct ingress_policy */
	struct slice resolv_conf; /* the file that names the nameservers; ends in NUL; empty: /etc/resolv.conf */
};

static inline bool telemetry_wants_spans(const struct telemetry_policy *telemetry)
{
	return telemetry->collectors[COLLECTOR_ZIPKIN].on || telemetry->collectors[COLLECTOR_OTLP].on;
}

/* Spans that are recorded go to all collectors: the highest of their rates counts. */
static inline double telemetry_span_rate(const struct telemetry_policy *telemetry)
{
	double rate = 0;

	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		if (telemetry->collectors[i].on && telemetry->collectors[i].sample_rate > rate)
			rate = telemetry->collectors[i].sample_rate;
	return rate;
}

struct snapshot *snapshot_new(void);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL is allowed */

#endif
