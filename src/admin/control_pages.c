/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that only the control thread can answer. A question travels there and back; the request waits on the admin thread. */
#include <stdlib.h>

#include "admin/question.h"
#include "admin/server.h"
#include "base/check.h"
#include "base/memory.h"
#include "doc/document.h"
#include "doc/json_write.h"
#include "proxy/binder.h"
#include "proxy/delegate.h"
#include "proxy/explain.h"
#include "proxy/proxy.h"

static void question_free(struct question *question)
{
	text_free(&question->router);
	text_free(&question->dtab);
	text_free(&question->path);
	text_free(&question->head);
	text_free(&question->peer);
	text_free(&question->answer);
	memory_free(question);
}

static void deliver_answer(const struct message *message)
{
	struct question *question = message->a;

	request_answer(question->request, question->status, "application/json", text_slice(&question->answer));
	question_free(question);
}

void question_answer(struct question *question)
{
	/* A full inbox means that a thousand answers are waiting: this one's client waits in vain. */
	if (channel_post(question->admin->inbox, (struct message){ .deliver = deliver_answer, .a = question }))
		question_free(question);
}

static void deliver_question(const struct message *message)
{
	struct question *question = message->a;

	question->ask(question);
}

void question_send(struct question *question)
{
	if (channel_post(proxy_channel(question->admin->options.proxy), (struct message){ .deliver = deliver_question, .a = question })) {
		request_answer_error(question->request, 503, "the control thread is too busy");
		question_free(question);
	}
}

struct question *question_new(struct request *request, void (*ask)(struct question *question))
{
	struct question *question = memory_new(sizeof *question);

	*question = (struct question){ .admin = request->admin, .request = request, .ask = ask, .status = 200 };
	return question;
}

/* ---- /delegator.json ---- */

static void answered(void *owner, unsigned status, struct slice json)
{
	struct question *question = owner;

	question->status = status;
	text_append(&question->answer, json);
	question_answer(question);
}

static bool find_router(const struct snapshot *snapshot, struct slice label, unsigned *index)
{
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		if (label.length && !slice_equal(snapshot->routers[i].label, label))
			continue;
		*index = i;
		return true;
	}
	return false;
}

static void ask_delegator(struct question *question)
{
	struct binder *binder = proxy_binder(question->admin->options.proxy);
	struct slice dtab = text_slice(&question->dtab);
	unsigned router;

	if (!find_router(binder_snapshot(binder), text_slice(&question->router), &router)) {
		answered(question, 404, SLICE("{\"error\":\"no router has that namespace's label\"}"));
		return;
	}
	delegate_start(binder, router, question->has_dtab ? &dtab : NULL, text_slice(&question->path), answered, question);
}

/* {"namespace": …, "dtab": …, "path": …}; "request" is a request's head, and "peer" its caller's SPIFFE ID, for /explain.json. */
static int read_posted(struct question *question, const struct request *request)
{
	struct problems problems;
	struct document *document;
	const struct document_node *root;
	struct slice text;
	int e;

	problem_init(&problems);
	e = document_parse(text_slice(&request->body), SLICE("body"), NULL, &problems, &document);
	if (e) {
		problem_fini(&problems);
		return e;
	}
	root = document_root(document);
	if (document_read_text(document_get(root, "namespace"), &text, &problems))
		text_append(&question->router, text);
	if (document_read_text(document_get(root, "dtab"), &text, &problems)) {
		text_append(&question->dtab, text);
		question->has_dtab = true;
	}
	if (document_read_text(document_get(root, "path"), &text, &problems))
		text_append(&question->path, text);
	if (document_read_text(document_get(root, "request"), &text, &problems))
		text_append(&question->head, text);
	if (document_read_text(document_get(root, "peer"), &text, &problems))
		text_append(&question->peer, text);
	document_free(document);
	problem_fini(&problems);
	return 0;
}

static bool is_json(const struct request *request)
{
	return slice_starts(text_slice(&request->content_type), SLICE("application/json"));
}

static void send_posted(struct question *question)
{
	struct request *request = question->request;

	if (read_posted(question, request)) {
		question_free(question);
		request_answer_error(request, 400, "the body is no JSON object with namespace, dtab and path");
		return;
	}
	question_send(question);
}

void page_delegator(struct request *request)
{
	struct question *question = question_new(request, ask_delegator);

	if (request->method == METHOD_POST) {
		if (is_json(request)) {
			send_posted(question);
			return;
		}
		question_free(question);
		request_answer_error(request, 415, "application/json is wanted");
		return;
	}
	request_parameter(request, "namespace", &question->router);
	request_parameter(request, "path", &question->path);
	question->has_dtab = request_parameter(request, "dtab", &question->dtab);
	question_send(question);
}

/* ---- /explain.json ---- */

static void ask_explain(struct question *question)
{
	struct binder *binder = proxy_binder(question->admin->options.proxy);
	struct slice dtab = text_slice(&question->dtab), peer = text_slice(&question->peer);
	unsigned router;

	if (!find_router(binder_snapshot(binder), text_slice(&question->router), &router)) {
		answered(question, 404, SLICE("{\"error\":\"no router has that label\"}"));
		return;
	}
	if (question->path.length)
		explain_name(binder, router, text_slice(&question->path), question->has_dtab ? &dtab : NULL, answered, question);
	else
		explain_start(binder, router, text_slice(&question->head), question->has_dtab ? &dtab : NULL, peer.length ? &peer : NULL,
			answered, question);
}

/* What is asked about is a name, as /delegator.json has it; or a request, whose head is the body, or the parameter `request`; or it was sent, and
 * `id` is its trace's. `peer` is who calls. With `dtab`, what would happen if that were the router's. */
void page_explain(struct request *request)
{
	struct question *question = question_new(request, ask_explain);

	if (request->method == METHOD_POST && is_json(request)) {
		send_posted(question);
		return;
	}

	if (request_parameter(request, "id", &question->path)) {
		question->ask = ask_past;
		question_send(question);
		return;
	}
	request_parameter(request, "router", &question->router);
	request_parameter(request, "peer", &question->peer);
	request_parameter(request, "path", &question->path);
	question->has_dtab = request_parameter(request, "dtab", &question->dtab);
	if (request->method == METHOD_POST)
		text_append(&question->head, text_slice(&request->body));
	else
		request_parameter(request, "request", &question->head);
	question_send(question);
}

/* ---- /bound-names.json ---- */

/* Without the transformers' part of an id: "/#/io.l5d.fs/hello". */
static struct slice namer_part(struct slice id)
{
	for (size_t i = 0; i + 3 <= id.length; i++)
		if (id.at[i] == '/' && (id.at[i + 1] == '#' || id.at[i + 1] == '$') && id.at[i + 2] == '/')
			return slice_from(id, i);
	return id;
}

struct name_list {
	struct slice *at;
	unsigned count, room;
};

static void gather_name(void *owner, struct slice id)
{
	struct name_list *names = owner;

	if (names->count == names->room) {
		names->room = names->room ? names->room * 2 : 64;
		names->at = memory_grow(names->at, names->room, sizeof *names->at);
	}
	names->at[names->count++] = namer_part(id);
}

static int compare_names(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void ask_bound_names(struct question *question)
{
	struct name_list names = { 0 };
	struct json_writer json;

	binder_each_client(proxy_binder(question->admin->options.proxy), gather_name, &names);
	if (names.count)
		qsort(names.at, names.count, sizeof *names.at, compare_names);
	json_write_start(&json, &question->answer, false);
	json_write_array(&json);
	for (unsigned i = 0; i < names.count; i++)
		if (i == 0 || !slice_equal(names.at[i], names.at[i - 1]))
			json_write_text(&json, names.at[i]);
	json_write_end(&json);
	memory_free(names.at);
	question_answer(question);
}

void page_bound_names(struct request *request)
{
	question_send(question_new(request, ask_bound_names));
}

/* ---- /admin/shutdown ---- */

static void deliver_shutdown(const struct message *message)
{
	struct admin *admin = message->owner;

	admin->options.shut_down(admin->options.owner);
}

void page_shutdown(struct request *request)
{
	struct admin *admin = request->admin;

	if (channel_post(proxy_channel(admin->options.proxy), (struct message){ .deliver = deliver_shutdown, .owner = admin }))
		request_answer_error(request, 503, "the control thread is too busy");
	else
		request_answer(request, 200, "text/plain;charset=UTF-8", SLICE("shutting down\n"));
}
