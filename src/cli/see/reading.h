/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/reading.h: what an admin server had counted at one moment, by scope: /admin/metrics.json?tree=1&buckets=1, read. Main
 * thread.
 *
 *	struct reading *reading = reading_new(page, &why);
 *	READING_EACH(reading, meter) if (meter->kind == METER_SERVICE) use(meter->counts[COUNT_REQUESTS]);
 *	reading_free(reading);
 */
#ifndef CLI_SEE_READING_H
#define CLI_SEE_READING_H

#include "base/arena.h"
#include "base/map.h"
#include "base/text.h"
#include "cli/see/kube_name.h"
#include "observe/histogram.h"

struct document_node;

enum meter_kind {
	METER_SERVICE, /* rt/ROUTER/service/NAME */
	METER_ROUTE,   /* rt/ROUTER/client/NAME/service/SERVICE */
	METER_METHOD,  /* rt/ROUTER/method/NAME */
	METER_CLIENT,  /* rt/ROUTER/client/NAME */
	METER_SERVER,  /* rt/ROUTER/server/NAME */
	METER_PEER,    /* rt/ROUTER/client|server/NAME/peer/SERVICE: an identity at the other end */
	METER_CALLER,  /* rt/ROUTER/client/NAME/caller/SERVICE: what is called, and by whom */
	METER_FLOW,    /* none of the metrics: of the client NAME, as /flows.json tells it (see/flows.h) */
};

/* Those that only grow. */
enum meter_count {
	COUNT_REQUESTS,
	COUNT_SUCCESS,
	COUNT_FAILURES,
	COUNT_RETRIES,
	COUNT_REQUEUES,
	COUNT_CONNECTS,
	COUNT_HANDSHAKES,
	COUNT_PLAINTEXT,
	COUNT_4XX, /* answers; of services there are none */
	COUNT_5XX,
	METER_COUNTS
};

enum meter_gauge { GAUGE_PENDING, GAUGE_CONNECTIONS, GAUGE_ENDPOINTS, GAUGE_AVAILABLE, METER_GAUGES };

struct meter_bucket {
	uint32_t bucket, count; /* bucket: of a histogram (observe/histogram.h) in us */
};

struct meter {
	struct map_entry entry; /* key: the kind, then the three names, each with its length before it */
	enum meter_kind kind;
	struct slice router, name, service; /* the reading's */
	double counts[METER_COUNTS];
	double gauges[METER_GAUGES]; /* NaN: it has no such */
	struct kube_name kube;       /* what it leads to in Kubernetes: of a service all its clients', with commas between; or empty */
	struct slice workload;       /* of METER_CALLER: who calls, as Kubernetes knows it */
	const struct meter_bucket *latency; /* of request_latency_ms, those that aren't empty */
	uint32_t latency_count;

	/* Of METER_FLOW. */
	struct slice source, endpoint; /* IP address; "ip:port" */
	struct slice secured;          /* how the proxy calls on: "no", "tls", "mutual" */
	uint16_t listener;             /* the port at which the proxy was called */
};

struct reading {
	struct arena arena;
	struct map meters;
	double uptime_ms; /* of the process that was read: tells how far apart in time readings are */
	uint64_t lost;    /* of flows: calls that are in none of them */
};

#define READING_EACH(reading, one) for (struct meter *one = reading_first(reading); one; one = reading_next(reading, one))

/* NULL: the page is none of weft's metrics; why is added to `why`. Of the page nothing is kept that a meter doesn't have. */
struct reading *reading_new(struct slice page, struct text *why);
void reading_free(struct reading *reading); /* NULL is allowed */
struct meter *reading_find(
	const struct reading *reading, enum meter_kind kind, struct slice router, struct slice name, struct slice service);
/* The same scope in another reading. */
struct meter *reading_same(const struct reading *reading, const struct meter *meter);
/* Gives a new meter the latencies of a page: [[least, count], …], each `least` so many times a microsecond; NULL: none. */
void meter_set_latency(struct reading *reading, struct meter *meter, const struct document_node *buckets, double unit_us);
/* view += or -= the meter's latencies, bucket by bucket; view->count is left alone. */
void meter_add_latency(const struct meter *meter, bool subtract, struct histogram_view *view);

static inline struct meter *reading_first(const struct reading *reading)
{
	struct map_entry *entry = map_first(&reading->meters);

	return entry ? MAP_OF(entry, struct meter, entry) : NULL;
}

static inline struct meter *reading_next(const struct reading *reading, const struct meter *meter)
{
	struct map_entry *entry = map_next(&reading->meters, &meter->entry);

	return entry ? MAP_OF(entry, struct meter, entry) : NULL;
}

#endif
