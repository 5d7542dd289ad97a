/* SPDX-License-Identifier: Apache-2.0 */
/* control/signer.h: the signing process: an authority's keys are in it and nowhere else; workloads ask it over a Unix socket.
 *
 * HTTP/1.1 with JSON, so that any language can ask (docs/identity.md):
 *
 *	POST /v1/svid                      {"id": "spiffe://…", "csr": "PEM", "ttl": 3600}    ttl (seconds) may be missing
 *	  200                              {"id", "serial", "chain": "PEM", "bundle": "PEM", "generation", "not_before", "expires"}
 *	GET  /v1/bundle                    {"trust_domain", "generation", "bundle": "PEM"}
 *	GET  /v1/bundle?after=N&wait=S     the same, as soon as the generation is another than N, or after S seconds (at most 60)
 *	GET  /v1/metrics                   struct signer_counters and more, as Prometheus reads them
 *	  400, 403, 404, 405, 413, 503     {"error": "what is wrong, and what to do"}
 *
 * Who calls is known by the kernel (SO_PEERCRED); what a caller may be called is said by control/callers.h. Connections, the size
 * of a request and the time to send it are bounded. It takes the steps of a root's replacement when they are due, and those that
 * another process took (`weft ca rotate`) when the state's file changes. One loop's thread; a certificate takes about 0.6 ms of it.
 *
 *	signer_new(&(struct signer_options){ .network = network_host(), .loop = loop, .directory = "/var/lib/weft/ca",
 *	                                     .socket = "/run/weft/ca.sock", .socket_mode = 0666 }, &signer, &why);
 *	loop_run(loop);
 *	signer_stop(signer, stopped, owner);   // `stopped` comes from the loop; then signer_free
 */
#ifndef CONTROL_SIGNER_H
#define CONTROL_SIGNER_H

#include "base/counter.h"
#include "base/error.h"
#include "base/text.h"

struct loop;
struct network;
struct signer;

struct signer_options {
	struct network *network;
	struct loop *loop;
	const char *directory; /* the authority's; all texts outlive the signer */
	const char *socket;
	unsigned socket_mode;  /* who may connect at all, e.g. 0666: any user of the machine */
	const char *policy;    /* who may be called what; NULL: its own user and root, anything */
	uint32_t max_sessions; /* 0: 1024; one user may hold half of them */
};

struct signer_counters {
	struct counter issued, refused, errors; /* of POST /v1/svid: 200; 403; any other */
	struct counter rotations;               /* steps taken */
	struct counter crowded;                 /* connections closed at once: their user holds half of all */
};

/* ERROR_NOT_FOUND, _SYNTAX (authority or policy), _EXISTS (somebody listens on the socket), _DENIED, ... with `why`. */
MUST_CHECK int signer_new(const struct signer_options *options, struct signer **signer, struct text *why);
/* The policy and the state are read again; what is wrong is logged, and the old one stays. */
void signer_reload(struct signer *signer);
const struct signer_counters *signer_counters(const struct signer *signer);
/* Accepts no more, closes all. */
void signer_stop(struct signer *signer, void (*stopped)(void *owner), void *owner);
void signer_free(struct signer *signer); /* stopped before */

#endif
