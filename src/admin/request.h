/* SPDX-License-Identifier: Apache-2.0 */
/* admin/request.h: one request to the admin server, or to a site (admin/site.h), whole, and its answer. That server's thread.
 *
 * A page gets a request with its body complete, and answers it once with request_answer, at once or later. When the client
 * has gone meanwhile, the answer is dropped.
 *
 *	request_answer(request, 200, "application/json", text_slice(&json));
 */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include "base/text.h"
#include "session/session.h"
#include "wire/grpc.h"

struct admin;
struct site;

enum { REQUEST_MAGIC = 0x61647265, REQUEST_MAX_BODY = 256 * 1024 };

struct request {
	uint32_t magic;
	struct admin *admin; /* whose pages; NULL: a site's */
	struct site *site;
	struct list link;  /* the requests of either */
	struct side *side; /* NULL: the client has gone */
	struct text path;  /* decoded, without the query */
	struct text query; /* as it came */
	struct text body;
	struct text content_type;
	enum method method;
	void (*show)(struct request *request);
	bool complete, too_large, answered;
	bool stalled; /* of an answer that streams: its client doesn't read */
};

/* For session_events.opened. `show` is called when the body is complete; while request->side is there, so is its head. */
void request_open(struct list *among, struct admin *admin, struct site *site, struct side *side, void (*show)(struct request *request));
void request_answer(struct request *request, unsigned status, const char *content_type, struct slice body);

struct request_header {
	const char *name, *value;
};
/* With these headers, and without the Cache-Control: no-store that request_answer sends. */
void request_answer_with(struct request *request, unsigned status, const char *content_type, struct slice body,
	const struct request_header *headers, unsigned header_count);
/* As gRPC's servers answer: with the status in the trailers, behind the body, which may be empty. */
void request_answer_rpc(struct request *request, enum grpc_status status, struct slice body);
void request_answer_error(struct request *request, unsigned status, const char *message);
/* An answer of status 200 that streams: without length, until the request is abandoned. A client that leaves is told by request->side, which is
 * NULL then. What is streamed while `stalled` is still taken. */
void request_stream_begin(struct request *request, const char *content_type);
void request_stream(struct request *request, struct slice bytes);
/* A parameter of the query string, or of a form's body; decoded onto `value`. False when it is absent. */
bool request_parameter(const struct request *request, const char *name, struct text *value);
/* False: a browser says that a page of another site has made it (Sec-Fetch-Site; where that is absent, Origin against Host). Who asks without a
 * browser sends neither. To be asked before `show` returns, while the head is there. */
bool request_is_ours(const struct request *request);
/* Ends it, when the server ends. */
void request_abandon(struct request *request);

#endif
