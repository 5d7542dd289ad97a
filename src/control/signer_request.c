/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the signer, from its head to its answer. */
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/signer_parts.h"
#include "doc/document.h"
#include "doc/json_write.h"
#include "export/prometheus.h"

enum { REQUEST_MAGIC = 0x73726571 };

static const int64_t body_ns = 10 * CLOCK_SECOND;

struct signer_request {
	uint32_t magic;
	struct signer *signer;
	struct list link; /* signer->requests */
	struct side *side;
	struct stream_peer peer;
	bool peer_known, complete, too_large;
	bool waits; /* for another generation than `after` */
	uint64_t after;
	struct text path, query, body;
	enum method method;
	struct timer limit; /* for the body, or for waiting */
};

/* ---- answering ---- */

static void request_free(struct signer_request *request)
{
	timer_cancel(request->signer->options.loop, &request->limit);
	list_remove(&request->link);
	text_free(&request->path);
	text_free(&request->query);
	text_free(&request->body);
	request->magic = 0;
	memory_free(request);
}

/* And ends the request. */
static void answer_as(struct signer_request *request, unsigned status, struct slice type, struct text *body)
{
	struct head *head = memory_new(sizeof *head);
	struct arena arena;
	bool sent = false;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	arena_init(&arena, NULL, 0);
	head->is_response = true;
	head->status = (uint16_t)status;
	head->version = VERSION_1_1;
	head->body = BODY_LENGTH;
	head->body_length = body->length;
	if (head_add(head, &arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), type) == 0 &&
		head_add(head, &arena, FIELD_OTHER, SLICE("Cache-Control"), SLICE("no-store")) == 0) {
		side_send_head(request->side, head, request->method == METHOD_HEAD);
		sent = request->method == METHOD_HEAD || side_send_copy(request->side, text_slice(body), true, NULL);
	}
	side_release(request->side, sent ? RESET_NONE : RESET_OVERLOAD);
	arena_reset(&arena);
	memory_free(head);
	text_free(body);
	request_free(request);
}

static void answer(struct signer_request *request, unsigned status, struct text *json)
{
	text_append(json, SLICE("\n"));
	answer_as(request, status, SLICE("application/json"), json);
}

static void refuse(struct signer_request *request, unsigned status, struct slice reason)
{
	struct text json = { 0 };
	struct json_writer writer;

	json_write_start(&writer, &json, false);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("error"));
	json_write_text(&writer, reason);
	json_write_end(&writer);
	answer(request, status, &json);
}

static void write_text(struct json_writer *writer, struct slice key, struct slice text)
{
	json_write_key(writer, key);
	json_write_text(writer, text);
}

static void write_time(struct json_writer *writer, struct slice key, int64_t seconds)
{
	char text[CLOCK_TEXT];

	clock_format(seconds * CLOCK_SECOND, text);
	write_text(writer, key, slice_of(text));
}

static void write_generation(struct json_writer *writer, const struct authority *authority)
{
	json_write_key(writer, SLICE("generation"));
	json_write_u64(writer, authority_generation(authority));
}

/* ---- POST /v1/svid ---- */

struct ask {
	struct slice id, csr;
	int64_t ttl_s;
};

static void read_ask(const struct document_node *root, struct ask *ask, struct problems *problems)
{
	static const char *const keys[] = { "id", "csr", "ttl", NULL };

	document_check_keys(root, &(struct document_keys){ .accepted = keys }, problems);
	document_read_text(document_require(root, "id", problems), &ask->id, problems);
	document_read_text(document_require(root, "csr", problems), &ask->csr, problems);
	document_read_int(document_get(root, "ttl"), 1, INT32_MAX, &ask->ttl_s, problems);
}

/* `ask` lies in the document. */
static int parse_ask(struct slice body, struct document **document, struct ask *ask, struct text *why)
{
	struct problems problems;
	int e;

	problem_init(&problems);
	e = document_parse(body, SLICE("request"), NULL, &problems, document);
	if (!e)
		read_ask(document_root(*document), ask, &problems);
	if (!e && problems.count > 0)
		e = ERROR_SYNTAX;
	problem_print(&problems, why);
	problem_fini(&problems);
	return e;
}

static unsigned status_for(int error)
{
	switch (error) {
	case ERROR_DENIED:
		return 403;
	case ERROR_TIMEOUT:
	case ERROR_NO_MEMORY:
		return 503;
	default:
		return 400;
	}
}

static int check_caller(const struct signer_request *request, struct slice id_text, struct text *why)
{
	const char *reason;
	struct spiffe id;

	if (spiffe_parse(id_text, &id, &reason)) {
		text_format(why, "`%.*s` is no SPIFFE ID: %s", SLICE_ARGS(id_text), reason);
		return ERROR_SYNTAX;
	}
	if (request->peer_known && callers_allow(request->signer->callers, &request->peer, &id))
		return 0;
	text_format(why, "user %u may not be `%.*s`: %s", request->peer.uid, SLICE_ARGS(id_text),
		request->signer->options.policy ? "no rule of the policy allows it"
						: "there is no policy, so only the signer's own user and root may ask");
	return ERROR_DENIED;
}

static int issue(struct signer_request *request, const struct ask *ask, struct authority_svid *svid, struct text *why)
{
	const struct authority_order order = { .request = ask->csr, .id = ask->id, .ttl_s = ask->ttl_s };
	int e = check_caller(request, ask->id, why);

	if (e)
		return e;
	return authority_issue(request->signer->authority, &order, loop_wall(request->signer->options.loop), svid, why);
}

static void answer_svid(struct signer_request *request, struct authority_svid *svid)
{
	const struct authority *authority = request->signer->authority;
	struct text json = { 0 };
	struct json_writer writer;

	json_write_start(&writer, &json, false);
	json_write_object(&writer);
	write_text(&writer, SLICE("id"), text_slice(&svid->id));
	write_text(&writer, SLICE("serial"), text_slice(&svid->serial));
	write_text(&writer, SLICE("chain"), text_slice(&svid->chain));
	write_text(&writer, SLICE("bundle"), authority_bundle(authority));
	write_generation(&writer, authority);
	write_time(&writer, SLICE("not_before"), svid->not_before_s);
	write_time(&writer, SLICE("expires"), svid->not_after_s);
	json_write_end(&writer);
	answer(request, 200, &json);
}

static void serve_svid(struct signer_request *request)
{
	struct signer_counters *counters = request->signer->counters;
	struct document *document = NULL;
	struct authority_svid svid = { 0 };
	struct ask ask = { 0 };
	struct text why = { 0 };
	int e = parse_ask(text_slice(&request->body), &document, &ask, &why);

	if (!e)
		e = issue(request, &ask, &svid, &why);
	document_free(document);
	if (e) {
		text_join_lines(&why);
		counter_add(e == ERROR_DENIED ? &counters->refused : &counters->errors, 1);
		LOG(LOG_WARN, "control", "refused user %u, process %u: %s", request->peer.uid, request->peer.pid, why.bytes);
		refuse(request, status_for(e), text_slice(&why));
	} else {
		counter_add(&counters->issued, 1);
		LOG(LOG_INFO, "control", "issued %s to user %u, process %u: %s", svid.serial.bytes, request->peer.uid, request->peer.pid,
			svid.id.bytes);
		answer_svid(request, &svid);
	}
	authority_svid_free(&svid);
	text_free(&why);
}

/* ---- GET /v1/bundle ---- */

static void answer_bundle(struct signer_request *request)
{
	const struct authority *authority = request->signer->authority;
	struct text json = { 0 };
	struct json_writer writer;

	json_write_start(&writer, &json, false);
	json_write_object(&writer);
	write_text(&writer, SLICE("trust_domain"), authority_trust_domain(authority));
	write_generation(&writer, authority);
	write_text(&writer, SLICE("bundle"), authority_bundle(authority));
	json_write_end(&writer);
	answer(request, 200, &json);
}

/* Parameters are numbers, so nothing is escaped. */
static bool number_in_query(struct slice query, struct slice name, uint64_t most, uint64_t *value, bool *wrong)
{
	struct slice part;

	while (slice_split(&query, '&', &part)) {
		size_t equals = slice_find(part, '=');
		if (equals == part.length || !slice_equal(slice_make(part.at, equals), name))
			continue;
		*wrong = *wrong || slice_to_u64(slice_from(part, equals + 1), most, value) != 0;
		return true;
	}
	return false;
}

static void serve_bundle(struct signer_request *request)
{
	struct slice query = text_slice(&request->query);
	struct loop *loop = request->signer->options.loop;
	uint64_t wait_s = 0;
	bool wrong = false, after = number_in_query(query, SLICE("after"), UINT64_MAX, &request->after, &wrong);

	number_in_query(query, SLICE("wait"), SIGNER_MOST_WAIT_S, &wait_s, &wrong);
	if (wrong) {
		refuse(request, 400, SLICE("`after` is a generation and `wait` a number of seconds up to 60"));
	} else if (after && wait_s > 0 && request->after == authority_generation(request->signer->authority)) {
		request->waits = true;
		timer_set(loop, &request->limit, loop_now(loop) + (int64_t)wait_s * CLOCK_SECOND);
	} else {
		answer_bundle(request);
	}
}

void signer_request_answer_waiting(struct signer *signer)
{
	LIST_EACH_SAFE(&signer->requests, link, after) {
		struct signer_request *request = LIST_OF(link, struct signer_request, link);
		if (request->waits && request->after != authority_generation(signer->authority))
			answer_bundle(request);
	}
}

static void answer_metrics(struct signer_request *request)
{
	struct text page = { 0 };

	prometheus_text(request->signer->metrics, SLICE(""), &page);
	answer_as(request, 200, SLICE(PROMETHEUS_TYPE), &page);
}

/* ---- what comes ---- */

static void serve(struct signer_request *request)
{
	struct slice path = text_slice(&request->path);
	bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;

	timer_cancel(request->signer->options.loop, &request->limit);
	if (request->too_large)
		refuse(request, 413, SLICE("the request is larger than 32 KiB"));
	else if (slice_equal(path, SLICE("/v1/svid")) && request->method == METHOD_POST)
		serve_svid(request);
	else if (slice_equal(path, SLICE("/v1/bundle")) && reads)
		serve_bundle(request);
	else if (slice_equal(path, SLICE("/v1/metrics")) && reads)
		answer_metrics(request);
	else if (slice_equal(path, SLICE("/v1/svid")) || slice_equal(path, SLICE("/v1/bundle")) || slice_equal(path, SLICE("/v1/metrics")))
		refuse(request, 405, SLICE("POST /v1/svid, GET /v1/bundle, or GET /v1/metrics"));
	else
		refuse(request, 404, SLICE("there are POST /v1/svid, GET /v1/bundle and GET /v1/metrics"));
}

static void on_limit(void *owner)
{
	struct signer_request *request = owner;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	if (request->waits) {
		answer_bundle(request);
		return;
	}
	side_release(request->side, RESET_TIMEOUT);
	request_free(request);
}

static void body(struct side *side, struct piece piece)
{
	struct signer_request *request = side->exchange;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	if (request->body.length + piece.length <= SIGNER_MOST_BODY)
		text_append(&request->body, slice_make(piece.at, piece.length));
	else
		request->too_large = true;
	piece_release(&piece);
}

static void end(struct side *side)
{
	struct signer_request *request = side->exchange;

	CHECK_MAGIC(request, REQUEST_MAGIC);
	if (request->complete)
		return;
	request->complete = true;
	serve(request);
}

static void trailers(struct side *side, const struct fields *fields)
{
	(void)fields;
	end(side);
}

static void reset(struct side *side, enum reset why, int error)
{
	struct signer_request *request = side->exchange;

	(void)why;
	(void)error;
	CHECK_MAGIC(request, REQUEST_MAGIC);
	side_release(side, RESET_CANCEL);
	request_free(request);
}

static void writable(struct side *side)
{
	(void)side;
}

static const struct side_events request_events = {
	.body = body,
	.trailers = trailers,
	.end = end,
	.reset = reset,
	.writable = writable,
};

void signer_request_open(struct signer *signer, struct side *side)
{
	struct signer_request *request = memory_new(sizeof *request);
	struct loop *loop = signer->options.loop;
	struct head *head = side->head;
	size_t query = slice_find(head->target, '?');

	request->magic = REQUEST_MAGIC;
	request->signer = signer;
	request->side = side;
	request->method = (enum method)head->method;
	request->peer_known = stream_peer(side->session->stream, &request->peer) == 0;
	text_append(&request->path, slice_make(head->target.at, query));
	if (query < head->target.length)
		text_append(&request->query, slice_from(head->target, query + 1));
	timer_init(&request->limit, on_limit, request);
	timer_set(loop, &request->limit, loop_now(loop) + body_ns);
	list_append(&signer->requests, &request->link);
	side_own(side, &request_events, request);
	/* Of a request without a body no end is told. */
	if (head->body == BODY_NONE) {
		request->complete = true;
		serve(request);
	}
}

void signer_request_abandon_all(struct signer *signer)
{
	LIST_EACH_SAFE(&signer->requests, link, after) {
		struct signer_request *request = LIST_OF(link, struct signer_request, link);
		side_release(request->side, RESET_SHUTDOWN);
		request_free(request);
	}
}
