/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

static enum outcome judge_error(struct harness *harness, uint64_t id, const struct message *answer)
{
	/* What users send is good, so a proxy has nothing to object to; only what is behind it can fail. */
	if (answer->status < 500)
		harness_fail(harness, "request %" PRIu64 " got status %u", id, answer->status);
	sim_note(harness->sim, "request %" PRIu64 " got %u: %s", id, answer->status, answer->problem_told);
	if (!answer->from_proxy && !answer->has_id)
		harness_fail(harness, "request %" PRIu64 " got a %u from nobody", id, answer->status);
	return OUTCOME_ERROR;
}

enum outcome judge_answer(struct harness *harness, uint64_t id, const struct message *answer, const char *name)
{
	const struct record *record = &harness->records[id];
	if (answer->has_id && answer->id != id)
		harness_fail(harness, "request %" PRIu64 " got the answer to %" PRIu64, id, answer->id);
	if (answer->wrong)
		harness_fail(harness, "request %" PRIu64 " got wrong bytes in its answer", id);
	if (!answer->to_head && answer->has_length && answer->body != answer->length)
		harness_fail(
			harness, "request %" PRIu64 " got %" PRIu64 " bytes of an answer of %" PRIu64, id, answer->body, answer->length);
	if (answer->status != 200)
		return judge_error(harness, id, answer);
	if (strcmp(answer->service, name) != 0)
		harness_fail(harness, "request %" PRIu64 " is for %s, but '%s' answered", id, name, answer->service);
	if (answer->length != record->reply)
		harness_fail(
			harness, "request %" PRIu64 " asked for %" PRIu64 " bytes, and got %" PRIu64, id, record->reply, answer->length);
	return OUTCOME_ANSWERED;
}

void judge_arrival(struct harness *harness, unsigned number, const char *name, uint64_t connection, const struct message *request)
{
	struct record *record = record_of(harness, request->id);
	if (!request->has_id)
		harness_fail(harness, "%s got '%s %s', which bears no id", name, request->method, request->target);
	sim_note(harness->sim, "%s at connection %" PRIu64 " reads request %" PRIu64, name, connection, request->id);
	if (!record)
		return;
	record->arrivals++;
	if (record->service != number)
		harness_fail(harness, "request %" PRIu64 " is for svc-%u, but %s got it", request->id, record->service, name);
}

void judge_request(struct harness *harness, const char *name, const struct message *request)
{
	struct record *record = record_of(harness, request->id);
	if (request->wrong)
		harness_fail(harness, "%s got wrong bytes in request %" PRIu64, name, request->id);
	if (request->body != request->length)
		harness_fail(harness, "%s got %" PRIu64 " bytes of request %" PRIu64 ", which has %" PRIu64, name, request->body,
			request->id, request->length);
	if (record && record->length != request->length)
		harness_fail(harness, "%s got a request %" PRIu64 " that nobody sent so", name, request->id);
}
