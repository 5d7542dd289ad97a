/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tap.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "observe/ring.h"
#include "proxy/exchange.h"
#include "proxy/listener.h"
#include "proxy/worker.h"

struct tap {
	struct tap_filter filter;
	_Atomic uint32_t workers; /* that know of it, or will */
	_Atomic bool ended;
	struct proxy *proxy;
	unsigned ring_count;
	struct ring *rings[];
};

struct tap *tap_new(const struct tap_filter *filter, unsigned workers)
{
	struct tap *tap = memory_new(sizeof *tap + workers * sizeof tap->rings[0]);

	tap->filter = *filter;
	tap->ring_count = workers;
	for (unsigned i = 0; i < workers; i++)
		tap->rings[i] = ring_new(sizeof(struct tapped), TAP_RING);
	return tap;
}

void tap_free(struct tap *tap)
{
	for (unsigned i = 0; i < tap->ring_count; i++)
		ring_free(tap->rings[i]);
	memory_free(tap);
}

const struct ring *tap_ring(const struct tap *tap, unsigned worker)
{
	return tap->rings[worker];
}

bool tap_is_idle(const struct tap *tap)
{
	return atomic_load_explicit(&tap->workers, memory_order_acquire) == 0;
}

/* ---- the worker's list ---- */

/* The last thing that the worker does with it. */
static void let_go(struct worker *worker, unsigned at)
{
	struct tap *tap = worker->taps[at];

	worker->taps[at] = worker->taps[--worker->tap_count];
	atomic_fetch_sub_explicit(&tap->workers, 1, memory_order_release);
}

static void drop_ended(struct worker *worker)
{
	for (unsigned i = worker->tap_count; i-- > 0;)
		if (atomic_load_explicit(&worker->taps[i]->ended, memory_order_acquire))
			let_go(worker, i);
}

/* The admin server begins no more than TAP_MOST, but may have begun one before the worker has let go of its predecessor. */
static void deliver_start(const struct message *message)
{
	struct worker *worker = message->owner;
	struct tap *tap = message->a;

	drop_ended(worker);
	if (worker->tap_count == TAP_MOST || atomic_load_explicit(&tap->ended, memory_order_acquire))
		atomic_fetch_sub_explicit(&tap->workers, 1, memory_order_release);
	else
		worker->taps[worker->tap_count++] = tap;
}

static void deliver_end(const struct message *message)
{
	drop_ended(message->owner);
}

int tap_start(struct tap *tap, struct proxy *proxy)
{
	unsigned count;
	struct worker *workers = proxy_workers(proxy, &count);

	tap->proxy = proxy;
	for (unsigned i = 0; i < count; i++) {
		atomic_fetch_add_explicit(&tap->workers, 1, memory_order_relaxed);
		if (channel_post(workers[i].inbox, (struct message){ .deliver = deliver_start, .owner = &workers[i], .a = tap })) {
			atomic_fetch_sub_explicit(&tap->workers, 1, memory_order_relaxed);
			return ERROR_BUSY;
		}
	}
	return 0;
}

/* A worker that has no place for the message sees it with its next request, or tap. */
void tap_end(struct tap *tap)
{
	unsigned count;
	struct worker *workers = proxy_workers(tap->proxy, &count);

	atomic_store_explicit(&tap->ended, true, memory_order_release);
	for (unsigned i = 0; i < count; i++)
		(void)!channel_post(workers[i].inbox, (struct message){ .deliver = deliver_end, .owner = &workers[i] });
}

/* ---- the filter ---- */

static struct slice path_of(const struct exchange *exchange)
{
	struct slice target = exchange->request ? exchange->request->target : SLICE("");

	return slice_make(target.at, slice_find(target, '?'));
}

static struct slice service_of(const struct exchange *exchange)
{
	return exchange->bound ? exchange->bound->binding->service->name : exchange->path;
}

static bool is_like(struct slice name, const char *pattern)
{
	return !pattern[0] || slice_like(name, pattern);
}

/* "svc/web", "/svc/web" and "web" are the same. */
static bool is_service(struct slice name, const char *pattern)
{
	if (is_like(name, pattern))
		return true;
	if (name.length && name.at[0] == '/')
		name = slice_from(name, 1);
	size_t slash = slice_find(name, '/');

	return slice_like(name, pattern) || (slash < name.length && slice_like(slice_from(name, slash + 1), pattern));
}

static bool has_header(const struct exchange *exchange, const struct tap_filter *filter)
{
	struct field *field;

	if (!filter->header[0])
		return true;
	if (!exchange->request)
		return false;
	field = head_find_name(exchange->request, slice_of(filter->header));
	return field && is_like(field_value(field), filter->header_value);
}

/* What costs least comes first. */
static bool wants(const struct tap_filter *filter, const struct exchange *exchange, const struct record *record)
{
	if (record->duration_us < filter->min_latency_us)
		return false;
	if (filter->status_from && (record->status < filter->status_from || record->status > filter->status_to))
		return false;
	if (filter->method[0] && (!exchange->request || !slice_equal(exchange->request->method_text, slice_of(filter->method))))
		return false;
	return (!filter->router[0] || slice_equal(exchange->listener->router->router->label, slice_of(filter->router))) &&
		is_service(service_of(exchange), filter->service) && is_like(path_of(exchange), filter->path) &&
		has_header(exchange, filter);
}

/* ---- what is told ---- */

static void put(char *place, size_t room, struct slice s)
{
	size_t length = s.length < room ? s.length : room - 1;

	if (length)
		memcpy(place, s.at, length);
}

static void fill(struct tapped *tapped, const struct exchange *exchange, const struct record *record)
{
	const struct head *request = exchange->request;

	*tapped = (struct tapped){
		.record = *record,
		.source = exchange->down->session->remote,
		.request_bytes = exchange->request_bytes,
		.response_bytes = exchange->response_bytes,
		.retries = exchange->retries,
		.requeues = exchange->requeues,
		.grpc_status = exchange->rpc_status,
		.is_grpc = exchange->rpc,
	};
	if (exchange->attempts)
		tapped->destination = exchange->last_address;
	put(tapped->router, sizeof tapped->router, exchange->listener->router->router->label);
	put(tapped->service, sizeof tapped->service, service_of(exchange));
	if (exchange->leaf)
		put(tapped->client, sizeof tapped->client, exchange->leaf->client->id);
	if (!request)
		return; /* a long response, whose request was forgotten */
	put(tapped->method, sizeof tapped->method, request->method_text);
	put(tapped->authority, sizeof tapped->authority, request->authority);
	put(tapped->path, sizeof tapped->path, request->target);
}

void tap_exchange(struct worker *worker, const struct exchange *exchange, const struct record *record)
{
	struct tapped tapped;
	bool filled = false;

	for (unsigned i = worker->tap_count; i-- > 0;) {
		struct tap *tap = worker->taps[i];

		if (atomic_load_explicit(&tap->ended, memory_order_acquire)) {
			let_go(worker, i);
			continue;
		}
		if (tap->filter.rate < 1 && random_unit(loop_random(worker->loop)) >= tap->filter.rate)
			continue;
		if (!wants(&tap->filter, exchange, record))
			continue;
		if (!filled)
			fill(&tapped, exchange, record);
		filled = true;
		ring_write(tap->rings[worker->index], &tapped);
	}
}
