/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/service.h: a scripted service, of HTTP/1.1 or HTTP/2, maybe over TLS, in a simulated process of its own: answers what X-Reply asks for, as slowly,
 * as brokenly and as early as its manners say, and checks every request that reaches it.
 *
 *	service_start(&service, harness, host, 7, "svc-7", 8080, (struct speech){ .tls = true }, &manners);
 *	...  service.manners = calm;                    // at any time, for requests from then on
 *	service_stop(&service);                         // connections are closed as they are
 */
#ifndef SIM_SERVICE_H
#define SIM_SERVICE_H

#include "base/list.h"
#include "harness.h"
#include "http2_end.h"
#include "io/network.h"
#include "message.h"
#include "tls_end.h"

/* What proxies ask for to know how it is; the answer is the service's own, and no manners count. */
#define SERVICE_HEALTH "/health"

/* How a service is. */
enum service_health {
	SERVICE_WELL,
	SERVICE_ILL,  /* says so: 503 */
	SERVICE_MUTE, /* never answers who asks for its health */
};

/* When a host asked for its health first. */
struct service_asker {
	struct address address;
	int64_t since;
};

enum { SERVICE_ASKERS = 8 };
/* Who asks has known for so long how a service is before it may send no more requests to one that is ill. */
#define SERVICE_WITHIN (3 * CLOCK_SECOND)

/* Chances in parts per million, drawn for each request. */
struct service_manners {
	int64_t latency_ns, jitter_ns; /* before the answer */
	uint32_t fail_chance;          /* answers 500 */
	uint32_t early_chance;         /* answers 503 before it has read the body; then reads on, or closes */
	uint32_t cut_chance;           /* closes somewhere in its answer */
	uint32_t silent_chance;        /* closes instead of answering */
	uint32_t hang_chance;          /* never answers */
	uint32_t informational_chance; /* 103 first */
	uint32_t chunked_chance, trailers_chance;
	uint32_t until_close_chance; /* an answer that ends with the connection */
	uint32_t close_chance;       /* Connection: close */
	uint32_t drop_chance;        /* closes after the answer without having said so */
	uint32_t slow_chance;        /* answers in small pieces, with pauses */
	uint32_t pause_chance;       /* reads with pauses */
	uint32_t sluggish_chance;    /* of a connection: reads with a short pause after each piece */
	/* HTTP/2 */
	uint32_t refuse_chance;      /* a request that is whole with its head isn't looked at: REFUSED_STREAM */
	uint32_t refuse_body_chance; /* the same, of any other */
	uint32_t goaway_chance;      /* GOAWAY that excludes the request and all behind it, now; close_chance: in good order */
	struct http2_end_manners ends;
	struct tls_end_manners tls;
};

struct service {
	struct harness *harness;
	struct network *host;
	struct sim_process *process;
	unsigned number;
	const char *name; /* told in X-Service */
	struct address address;
	struct loop *loop;
	struct listen_set *set;
	struct listener *listener;
	struct speech speech;
	struct list conversations, http2_conversations;
	struct random random;
	struct service_manners manners;
	uint64_t connections, requests, answers;
	enum service_health health;
	int64_t health_since;
	uint64_t requests_since; /* it became well, at last */
	struct service_asker askers[SERVICE_ASKERS];
	unsigned asker_count;
};

/* In a process of its own on `host`; port 0: any, see service->address. */
void service_start(struct service *service, struct harness *harness, struct network *host, unsigned number, const char *name, uint16_t port,
	struct speech speech, const struct service_manners *manners);
/* It falls ill, or is well again. */
void service_set_health(struct service *service, enum service_health health);
void service_stop(struct service *service);
/* It dies, and is started again at the same address after so long. */
void service_crash(struct service *service, enum sim_crash how, int64_t restart_after);

#endif
