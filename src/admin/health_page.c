/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's health checking, as Kubernetes' probes and load balancers ask for it: whether this process takes requests. */
#include "admin/server.h"
#include "wire/grpc_health.h"

void page_health_check(struct request *request)
{
	const struct admin *admin = request->admin;
	char answer[GRPC_HEALTH_ANSWER];
	struct slice service;

	if (grpc_health_asked(text_slice(&request->body), &service)) {
		request_answer_rpc(request, GRPC_INTERNAL, SLICE(""));
	} else if (service.length) {
		request_answer_rpc(request, GRPC_NOT_FOUND, SLICE(""));
	} else {
		grpc_health_answer(admin->ready && !admin->draining ? GRPC_HEALTH_SERVING : GRPC_HEALTH_NOT_SERVING, answer);
		request_answer_rpc(request, GRPC_OK, slice_make(answer, sizeof answer));
	}
}

/* Who gets this goes on with Check, or takes it for SERVING (doc/health-checking.md). */
void page_health_watch(struct request *request)
{
	request_answer_rpc(request, GRPC_UNIMPLEMENTED, SLICE(""));
}
