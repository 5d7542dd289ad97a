/* SPDX-License-Identifier: Apache-2.0 */
#include "control/signer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/signer_parts.h"

enum { MOST_SESSIONS = 1024 };

static const int64_t look_again_ns = CLOCK_MINUTE; /* at the latest: clocks jump, and machines sleep */

/* ---- sessions ---- */

static void opened(void *owner, struct session *session, struct side *side)
{
	(void)session;
	signer_request_open(owner, side);
}

static void tell_stopped_if_so(struct signer *signer)
{
	if (signer->stopped && signer->session_count == 0)
		task_set(signer->options.loop, &signer->ended);
}

static void closed(void *owner, struct session *session, int error)
{
	struct signer *signer = owner;

	(void)error;
	CHECK_MAGIC(signer, SIGNER_MAGIC);
	list_remove(&session->link);
	signer->session_count--;
	tell_stopped_if_so(signer);
}

static const struct session_events session_events = {
	.opened = opened,
	.closed = closed,
};

/* One user may hold half of the connections, so that none can keep the others from their certificates. Who holds what is asked of the
 * kernel, and only when half are taken. */
static bool takes_too_many(struct signer *signer, const struct stream *stream)
{
	struct stream_peer caller, other;
	uint32_t half = signer->most_sessions / 2, held = 0;

	if (signer->session_count < half || stream_peer(stream, &caller))
		return false;
	LIST_EACH(&signer->sessions, link) {
		const struct session *session = LIST_OF(link, struct session, link);
		held += stream_peer(session->stream, &other) == 0 && other.uid == caller.uid;
	}
	return held >= half;
}

static void accepted(void *owner, struct stream *stream)
{
	struct signer *signer = owner;
	struct session *session;

	if (takes_too_many(signer, stream)) {
		counter_add(&signer->counters->crowded, 1);
		stream_close(stream);
		return;
	}
	if (http1_server_new(signer->pools, stream, &signer->limits, &session_events, signer, NULL, &session))
		return;
	list_append(&signer->sessions, &session->link);
	signer->session_count++;
}

/* ---- rotation ---- */

static void plan_rotation(struct signer *signer);

static void bundle_may_have_changed(struct signer *signer, uint64_t before)
{
	if (authority_generation(signer->authority) != before)
		signer_request_answer_waiting(signer);
	plan_rotation(signer);
}

static void take_due_step(struct signer *signer)
{
	struct loop *loop = signer->options.loop;
	uint64_t before = authority_generation(signer->authority);
	int64_t due_s;
	enum authority_step step = authority_next(signer->authority, &due_s);
	struct text why = { 0 };

	if (due_s <= loop_wall(loop) / CLOCK_SECOND) {
		if (authority_rotate(signer->authority, step, loop_wall(loop), &why)) {
			LOG(LOG_WARN, "control", "cannot %s a root: %s", authority_step_name(step), why.bytes);
		} else {
			counter_add(&signer->counters->rotations, 1);
			LOG(LOG_INFO, "control", "root rotation: %s; the bundle is now generation %llu", authority_step_name(step),
				(unsigned long long)authority_generation(signer->authority));
		}
	}
	text_free(&why);
	bundle_may_have_changed(signer, before);
}

static void rotation_due(void *owner)
{
	struct signer *signer = owner;

	CHECK_MAGIC(signer, SIGNER_MAGIC);
	take_due_step(signer);
}

/* Not before a second has passed, so that a step that can't be taken isn't tried without end. */
static void plan_rotation(struct signer *signer)
{
	struct loop *loop = signer->options.loop;
	int64_t due_s, wait;

	authority_next(signer->authority, &due_s);
	wait = due_s - loop_wall(loop) / CLOCK_SECOND;
	if (wait < 1)
		wait = 1;
	wait = wait < look_again_ns / CLOCK_SECOND ? wait * CLOCK_SECOND : look_again_ns;
	timer_set(loop, &signer->rotation, loop_now(loop) + wait);
}

static void reload_state(struct signer *signer)
{
	uint64_t before = authority_generation(signer->authority);
	struct text why = { 0 };

	if (authority_reload(signer->authority, &why))
		LOG(LOG_WARN, "control", "the authority's state cannot be read again, so the old one stays: %s", why.bytes);
	text_free(&why);
	bundle_may_have_changed(signer, before);
}

/* Also after each change of our own, which then makes no difference. */
static void directory_changed(void *owner, struct slice name)
{
	struct signer *signer = owner;

	CHECK_MAGIC(signer, SIGNER_MAGIC);
	if (name.length == 0 || slice_equal(name, SLICE(AUTHORITY_FILE)))
		reload_state(signer);
}

void signer_reload(struct signer *signer)
{
	struct callers *callers;
	struct text why = { 0 };

	CHECK_MAGIC(signer, SIGNER_MAGIC);
	if (callers_load(signer->options.policy, &callers, &why)) {
		LOG(LOG_WARN, "control", "the policy stays as it was: %s", why.bytes);
	} else {
		callers_free(signer->callers);
		signer->callers = callers;
	}
	text_free(&why);
	reload_state(signer);
}

/* ---- what is counted ---- */

static const struct metric metrics_of_it[] = {
	METRIC(struct signer_counters, issued, METRIC_COUNTER, "issued"),
	METRIC(struct signer_counters, refused, METRIC_COUNTER, "refused"),
	METRIC(struct signer_counters, errors, METRIC_COUNTER, "errors"),
	METRIC(struct signer_counters, rotations, METRIC_COUNTER, "rotations"),
	METRIC(struct signer_counters, crowded, METRIC_COUNTER, "crowded"),
};
static const struct metric_kind kind = {
	"ca",
	metrics_of_it,
	sizeof metrics_of_it / sizeof *metrics_of_it,
	sizeof(struct signer_counters),
	1,
};

static double read_connections(void *owner)
{
	return ((const struct signer *)owner)->session_count;
}

static double read_generation(void *owner)
{
	return (double)authority_generation(((const struct signer *)owner)->authority);
}

/* Of the root that signs. */
static double read_root_left(void *owner)
{
	const struct signer *signer = owner;
	struct authority_root roots[AUTHORITY_MOST_ROOTS];

	if (authority_roots(signer->authority, roots) == 0)
		return 0;
	return (double)(roots[0].not_after_s - loop_wall(signer->options.loop) / CLOCK_SECOND);
}

/* Gauges are read where the signer runs: only it answers with them. */
static void make_metrics(struct signer *signer)
{
	const struct scope_label name = { SLICE("ca"), { 0 } };

	signer->metrics = metrics_new(1);
	signer->scope = metrics_scope(signer->metrics, &kind, &name, 1);
	signer->counters = scope_shard(signer->scope, 0);
	metrics_gauge(signer->metrics, signer->scope, "connections", read_connections, signer);
	metrics_gauge(signer->metrics, signer->scope, "generation", read_generation, signer);
	metrics_gauge(signer->metrics, signer->scope, "root_expires_in_s", read_root_left, signer);
}

static void free_metrics(struct signer *signer)
{
	metrics_gauge_remove(signer->metrics, signer);
	scope_unref(signer->scope);
	metrics_free(signer->metrics);
}

/* ---- life ---- */

static void ended(void *owner)
{
	struct signer *signer = owner;

	signer->stopped(signer->stopped_owner);
}

static int listen(struct signer *signer, struct text *why)
{
	const struct signer_options *options = &signer->options;
	const struct listen_options plain = { 0 };
	int e = listen_open_unix(options->network, options->socket, options->socket_mode, &plain, &signer->set);

	if (e)
		text_format(why, "cannot listen on %s: %s", options->socket,
			e == ERROR_EXISTS ? "somebody else listens there, or it is no socket" : error_text(e));
	return e;
}

int signer_new(const struct signer_options *options, struct signer **result, struct text *why)
{
	struct signer *signer = memory_new(sizeof *signer);
	uint32_t most = options->max_sessions ? options->max_sessions : MOST_SESSIONS;
	int e;

	signer->magic = SIGNER_MAGIC;
	signer->options = *options;
	signer->most_sessions = most;
	/* Who waits for a bundle has an exchange, so only the idle are closed by this. */
	signer->limits = (struct session_limits){ .idle_ns = CLOCK_MINUTE, .head_ns = 10 * CLOCK_SECOND };
	list_init(&signer->sessions);
	list_init(&signer->requests);
	timer_init(&signer->rotation, rotation_due, signer);
	task_init(&signer->ended, ended, signer);
	make_metrics(signer);
	e = authority_open(options->directory, &signer->authority, why);
	if (e)
		goto no_authority;
	e = callers_load(options->policy, &signer->callers, why);
	if (e)
		goto no_callers;
	e = session_pools_new(options->loop, most, most, &signer->pools);
	if (e)
		goto no_pools;
	e = watch_new(options->loop, options->directory, directory_changed, signer, &signer->watch);
	if (e)
		goto no_watch;
	e = listen(signer, why);
	if (e)
		goto no_set;
	signer->listener = listen_start(signer->set, 0, options->loop, accepted, signer);
	take_due_step(signer);
	*result = signer;
	return 0;

no_set:
	watch_free(signer->watch);
no_watch:
	session_pools_free(signer->pools);
no_pools:
	callers_free(signer->callers);
no_callers:
	authority_free(signer->authority);
no_authority:
	free_metrics(signer);
	memory_free(signer);
	return e;
}

const struct signer_counters *signer_counters(const struct signer *signer)
{
	return signer->counters;
}

void signer_stop(struct signer *signer, void (*stopped)(void *owner), void *owner)
{
	CHECK_MAGIC(signer, SIGNER_MAGIC);
	CHECK(!signer->stopped);
	signer->stopped = stopped;
	signer->stopped_owner = owner;
	listen_stop(signer->listener);
	timer_cancel(signer->options.loop, &signer->rotation);
	watch_free(signer->watch);
	signer->watch = NULL;
	signer_request_abandon_all(signer);
	LIST_EACH_SAFE(&signer->sessions, link, after)
		session_close(LIST_OF(link, struct session, link), RESET_SHUTDOWN);
	tell_stopped_if_so(signer);
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	CHECK_MAGIC(signer, SIGNER_MAGIC);
	CHECK(signer->stopped && signer->session_count == 0);
	listen_close(signer->set);
	session_pools_free(signer->pools);
	callers_free(signer->callers);
	authority_free(signer->authority);
	free_metrics(signer);
	signer->magic = 0;
	memory_free(signer);
}
