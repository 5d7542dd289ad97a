/* SPDX-License-Identifier: Apache-2.0 */
#include "client/identity.h"

#include "base/check.h"
#include "base/memory.h"
#include "client/identity_call.h"
#include "doc/document.h"
#include "doc/json_write.h"
#include "tls/inspect.h"
#include "tls/request.h"
#include "tls/spiffe.h"

enum { IDENTITY_MAGIC = 0x6964656e, CALLS = 2, WAIT_S = 50 };

static const int64_t ask_ns = 10 * CLOCK_SECOND, watch_ns = (WAIT_S + 10) * CLOCK_SECOND;
static const int64_t first_pause_ns = 200 * CLOCK_MS, last_pause_ns = 30 * CLOCK_SECOND;
static const int64_t look_again_ns = CLOCK_MINUTE; /* at the latest: clocks jump, and machines sleep */

/* One certificate with all that goes with it. */
struct svid {
	struct text chain, key, bundle;
	uint64_t generation;
	int64_t not_after_s;
};

struct identity {
	uint32_t magic;
	struct identity_options options;
	const struct identity_events *events;
	void *owner;
	char *socket;
	struct slice id;
	struct session_pools *pools;
	struct call ask, watch;
	struct timer renew, look;       /* to ask for a certificate; to watch the bundle again */
	int64_t ask_pause, watch_pause; /* of the last failure; 0: it went well */
	struct text key;                /* of the certificate that is asked for */
	struct svid svid;
	struct identity_credentials credentials;
	bool has, freed;
	struct task end; /* behind the last session's own end: frees */
};

static void ask(struct identity *identity);
static void watch(struct identity *identity);

/* ---- telling ---- */

static void fail(struct identity *identity, int error, const char *what, struct slice reason)
{
	struct text text = { 0 };

	text_format(&text, "%s: %.*s", what, SLICE_ARGS(reason));
	identity->events->failed(identity->owner, error, text_slice(&text));
	text_free(&text);
}

static void publish(struct identity *identity)
{
	const struct svid *svid = &identity->svid;

	identity->credentials.id = identity->id;
	identity->credentials.chain = text_slice(&svid->chain);
	identity->credentials.key = text_slice(&svid->key);
	identity->credentials.bundle = text_slice(&svid->bundle);
	identity->credentials.generation = svid->generation;
	identity->credentials.not_after_s = svid->not_after_s;
	identity->has = true;
	identity->events->changed(identity->owner, &identity->credentials);
}

static void svid_free(struct svid *svid)
{
	text_free(&svid->chain);
	request_wipe(&svid->key);
	text_free(&svid->bundle);
	*svid = (struct svid){ 0 };
}

/* ---- when ---- */

static int64_t draw_pause(struct identity *identity, int64_t *pause)
{
	*pause = *pause == 0 ? first_pause_ns : *pause * 2 < last_pause_ns ? *pause * 2 : last_pause_ns;
	return *pause / 2 + (int64_t)(random_unit(loop_random(identity->options.loop)) * (double)(*pause / 2));
}

static void wait_and_ask(struct identity *identity)
{
	struct loop *loop = identity->options.loop;

	timer_set(loop, &identity->renew, loop_now(loop) + draw_pause(identity, &identity->ask_pause));
}

static void wait_and_watch(struct identity *identity)
{
	struct loop *loop = identity->options.loop;

	timer_set(loop, &identity->look, loop_now(loop) + draw_pause(identity, &identity->watch_pause));
}

/* Certificates are dated by the wall's clock, timers aren't: so it is looked at from time to time. */
static void plan_renewal(struct identity *identity)
{
	struct loop *loop = identity->options.loop;
	int64_t wait = identity->credentials.renew_s * CLOCK_SECOND - loop_wall(loop);

	if (wait > look_again_ns)
		wait = look_again_ns;
	timer_set(loop, &identity->renew, loop_now(loop) + (wait > 0 ? wait : 0));
}

static void renew_due(void *owner)
{
	struct identity *identity = owner;

	CHECK_MAGIC(identity, IDENTITY_MAGIC);
	if (identity->has && identity->ask_pause == 0 && identity->credentials.renew_s * CLOCK_SECOND > loop_wall(identity->options.loop))
		plan_renewal(identity);
	else
		ask(identity);
}

static void look_due(void *owner)
{
	watch(owner);
}

/* Between 1/2 and 2/3 of what is left of its life. */
static int64_t draw_renewal(struct identity *identity, int64_t not_after_s)
{
	int64_t now_s = loop_wall(identity->options.loop) / CLOCK_SECOND;
	double left = (double)(not_after_s - now_s);

	return now_s + (int64_t)(left * (0.5 + random_unit(loop_random(identity->options.loop)) / 6));
}

/* ---- judging ---- */

/* 0, or ERROR_DENIED with what is wrong: the first fault. */
static int judge(struct identity *identity, const struct svid *svid, int64_t *not_after_s, struct text *why)
{
	const struct inspect_input input = {
		.chain = text_slice(&svid->chain),
		.bundle = text_slice(&svid->bundle),
		.key = text_slice(&svid->key),
		.wall_ns = loop_wall(identity->options.loop),
		.svid = true,
		.id = identity->id,
	};
	struct inspection *found;
	int e = inspect(&input, &found, why);

	if (e)
		return e;
	if (found->fault_count > 0) {
		text_append(why, found->faults[0].text);
		e = ERROR_DENIED;
	}
	*not_after_s = found->not_after_s;
	inspect_free(found);
	return e;
}

/* ---- the signer's answers ---- */

static int refused(unsigned status)
{
	return status == 403 ? ERROR_DENIED : status >= 500 ? ERROR_BUSY : ERROR_INVALID;
}

/* The text of an answer that is none, and 0 for one. */
static int read_error(const struct call *call, const struct document_node *root, struct text *why)
{
	struct slice error = SLICE("it gives no reason");
	struct problems problems;

	if (call->fetch.status == 200)
		return 0;
	problem_init(&problems);
	document_read_text(document_get(root, "error"), &error, &problems);
	problem_fini(&problems);
	text_format(why, "the signer answers %u: %.*s", call->fetch.status, SLICE_ARGS(error));
	return refused(call->fetch.status);
}

static bool read_member(const struct document_node *root, const char *key, struct text *out, struct problems *problems)
{
	struct slice text;

	if (!document_read_text(document_require(root, key, problems), &text, problems))
		return false;
	text_append(out, text);
	return true;
}

/* What of `chain` is NULL is not read. */
static int read_answer(const struct call *call, struct text *chain, struct text *bundle, uint64_t *generation, struct text *why)
{
	struct document *document = NULL;
	struct problems problems;
	int64_t number = 0;
	int e;

	problem_init(&problems);
	e = document_parse(text_slice(&call->answer), SLICE("answer"), NULL, &problems, &document);
	if (!e)
		e = read_error(call, document_root(document), why);
	if (!e) {
		const struct document_node *root = document_root(document);
		document_expect(root, DOCUMENT_MAPPING, &problems);
		if (chain)
			read_member(root, "chain", chain, &problems);
		read_member(root, "bundle", bundle, &problems);
		document_read_int(document_require(root, "generation", &problems), 1, INT64_MAX, &number, &problems);
		*generation = (uint64_t)number;
	}
	if (problems.count > 0) {
		e = ERROR_SYNTAX;
		text_format(why, "the signer's answer is not what it should be: ");
		problem_print(&problems, why);
	}
	document_free(document);
	problem_fini(&problems);
	return e;
}

/* ---- asking for a certificate ---- */

static int take_svid(struct identity *identity, const struct call *call, struct text *why)
{
	struct svid fresh = { 0 };
	int e = read_answer(call, &fresh.chain, &fresh.bundle, &fresh.generation, why);

	fresh.key = identity->key;
	identity->key = (struct text){ 0 };
	if (!e)
		e = judge(identity, &fresh, &fresh.not_after_s, why);
	if (e) {
		svid_free(&fresh);
		return e;
	}
	svid_free(&identity->svid);
	identity->svid = fresh;
	return 0;
}

static void asked(struct call *call, int error)
{
	struct identity *identity = call->owner;
	struct text why = { 0 };

	CHECK_MAGIC(identity, IDENTITY_MAGIC);
	if (error)
		text_format(&why, "%s", error_text(error));
	else
		error = take_svid(identity, call, &why);
	if (error) {
		request_wipe(&identity->key);
		wait_and_ask(identity);
		text_join_lines(&why);
		fail(identity, error, identity->socket, text_slice(&why));
	} else {
		identity->ask_pause = 0;
		identity->credentials.renew_s = draw_renewal(identity, identity->svid.not_after_s);
		plan_renewal(identity);
		/* What is watched for is another generation than the one that has just come. */
		call_stop(&identity->watch);
		identity->watch_pause = 0;
		timer_set(identity->options.loop, &identity->look, loop_now(identity->options.loop));
		publish(identity);
	}
	text_free(&why);
}

static void write_ask(struct identity *identity, struct slice request, struct text *json)
{
	struct json_writer writer;

	json_write_start(&writer, json, false);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("id"));
	json_write_text(&writer, identity->id);
	json_write_key(&writer, SLICE("csr"));
	json_write_text(&writer, request);
	if (identity->options.ttl_s) {
		json_write_key(&writer, SLICE("ttl"));
		json_write_int(&writer, identity->options.ttl_s);
	}
	json_write_end(&writer);
}

static void ask(struct identity *identity)
{
	struct text request = { 0 }, json = { 0 };
	int e;

	if (!call_is_over(&identity->ask)) {
		wait_and_ask(identity);
		return;
	}
	request_wipe(&identity->key);
	e = request_make(identity->id, &identity->key, &request);
	if (!e) {
		write_ask(identity, text_slice(&request), &json);
		e = call_start(
			&identity->ask, identity->options.network, identity->socket, "POST", SLICE("/v1/svid"), text_slice(&json), ask_ns);
	}
	text_free(&request);
	text_free(&json);
	if (e) {
		wait_and_ask(identity);
		fail(identity, e, identity->socket, slice_of(error_text(e)));
	}
}

/* ---- watching the bundle ---- */

/* A bundle that no longer has the root of our certificate: then a certificate is what is needed. */
static void take_bundle(struct identity *identity, struct text *bundle, uint64_t generation)
{
	struct svid with = identity->svid;
	struct text why = { 0 };
	int64_t not_after_s;
	int e;

	with.bundle = *bundle;
	e = judge(identity, &with, &not_after_s, &why);
	text_free(&why);
	if (e) {
		ask(identity);
		return;
	}
	text_free(&identity->svid.bundle);
	identity->svid.bundle = *bundle;
	identity->svid.generation = generation;
	*bundle = (struct text){ 0 };
	publish(identity);
}

static void watched(struct call *call, int error)
{
	struct identity *identity = call->owner;
	struct text bundle = { 0 }, why = { 0 };
	uint64_t generation = 0;

	CHECK_MAGIC(identity, IDENTITY_MAGIC);
	if (!error)
		error = read_answer(call, NULL, &bundle, &generation, &why);
	if (error) {
		wait_and_watch(identity); /* it is only a hint: asking is what tells of a signer that doesn't answer */
	} else {
		identity->watch_pause = 0;
		timer_set(identity->options.loop, &identity->look, loop_now(identity->options.loop));
		if (generation != identity->svid.generation)
			take_bundle(identity, &bundle, generation);
	}
	text_free(&bundle);
	text_free(&why);
}

static void watch(struct identity *identity)
{
	struct text target = { 0 };

	if (!identity->has)
		return;
	if (!call_is_over(&identity->watch)) {
		wait_and_watch(identity);
		return;
	}
	text_format(&target, "/v1/bundle?after=%llu&wait=%d", (unsigned long long)identity->svid.generation, WAIT_S);
	if (call_start(&identity->watch, identity->options.network, identity->socket, "GET", text_slice(&target), SLICE(""), watch_ns))
		wait_and_watch(identity);
	text_free(&target);
}

/* ---- life ---- */

static void end(void *owner)
{
	struct identity *identity = owner;

	CHECK_MAGIC(identity, IDENTITY_MAGIC);
	session_pools_free(identity->pools);
	text_free(&identity->ask.answer);
	text_free(&identity->watch.answer);
	request_wipe(&identity->key);
	svid_free(&identity->svid);
	memory_free(identity->socket);
	memory_free(identity->id.at);
	identity->magic = 0;
	memory_free(identity);
}

static void end_if_over(struct identity *identity)
{
	if (identity->freed && call_is_over(&identity->ask) && call_is_over(&identity->watch))
		task_set(identity->options.loop, &identity->end);
}

static void over(struct call *call)
{
	end_if_over(call->owner);
}

int identity_new(const struct identity_options *options, const struct identity_events *events, void *owner, struct identity **result)
{
	struct spiffe id;
	struct identity *identity;
	int e = spiffe_parse(options->id, &id, NULL);

	if (e)
		return e;
	identity = memory_new(sizeof *identity);
	identity->magic = IDENTITY_MAGIC;
	identity->options = *options;
	identity->events = events;
	identity->owner = owner;
	e = session_pools_new(options->loop, CALLS, CALLS, &identity->pools);
	if (e) {
		memory_free(identity);
		return e;
	}
	identity->socket = memory_text(slice_of(options->socket));
	identity->id = slice_make(memory_text(options->id), options->id.length);
	call_init(&identity->ask, options->loop, identity->pools, asked, over, identity);
	call_init(&identity->watch, options->loop, identity->pools, watched, over, identity);
	timer_init(&identity->renew, renew_due, identity);
	timer_init(&identity->look, look_due, identity);
	task_init(&identity->end, end, identity);
	timer_set(options->loop, &identity->renew, loop_now(options->loop));
	*result = identity;
	return 0;
}

const struct identity_credentials *identity_credentials(const struct identity *identity)
{
	return identity->has ? &identity->credentials : NULL;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	CHECK_MAGIC(identity, IDENTITY_MAGIC);
	identity->freed = true;
	timer_cancel(identity->options.loop, &identity->renew);
	timer_cancel(identity->options.loop, &identity->look);
	call_stop(&identity->ask);
	call_stop(&identity->watch);
	end_if_over(identity);
}
