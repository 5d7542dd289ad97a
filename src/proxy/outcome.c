/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/outcome.h"

/* What Finagle's StatsFilter calls them: dashboards read these names. */
static const char *const texts[OUTCOME_COUNT] = {
	[OUTCOME_RESPONSE] = "com.twitter.finagle.service.ResponseClassificationSyntheticException",
	[OUTCOME_CONNECT] = "com.twitter.finagle.ConnectionFailedException",
	[OUTCOME_REFUSED] = "com.twitter.finagle.ChannelWriteException",
	[OUTCOME_RESET] = "com.twitter.finagle.ChannelClosedException",
	[OUTCOME_PROTOCOL] = "com.twitter.finagle.CodecException",
	[OUTCOME_ATTEMPT_TIMEOUT] = "com.twitter.finagle.IndividualRequestTimeoutException",
	[OUTCOME_TOTAL_TIMEOUT] = "com.twitter.finagle.GlobalRequestTimeoutException",
	[OUTCOME_CANCELED] = "com.twitter.finagle.CancelledRequestException",
	[OUTCOME_OVERLOAD] = "com.twitter.finagle.TooManyWaitersException",
};

const char *outcome_text(enum outcome outcome)
{
	return texts[outcome];
}

enum outcome outcome_of_reset(enum reset why, const struct side *side)
{
	bool unsent = side && !side->wrote;

	switch (why) {
	case RESET_NONE:
		return OUTCOME_RESPONSE;
	case RESET_CONNECT:
		return OUTCOME_CONNECT;
	case RESET_REFUSED:
		return OUTCOME_REFUSED;
	case RESET_PROTOCOL:
		return OUTCOME_PROTOCOL;
	case RESET_TIMEOUT:
		return OUTCOME_ATTEMPT_TIMEOUT;
	case RESET_CANCEL:
		return OUTCOME_CANCELED;
	case RESET_OVERLOAD:
		return unsent ? OUTCOME_OVERLOAD : OUTCOME_RESET;
	case RESET_PEER:
	case RESET_SHUTDOWN:
		break;
	}
	return unsent ? OUTCOME_REFUSED : OUTCOME_RESET;
}

static bool method_retryable(enum classifier classifier, enum method method)
{
	switch (method) {
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_OPTIONS:
	case METHOD_TRACE:
		return classifier == CLASSIFIER_RETRYABLE_READ_5XX || classifier == CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX ||
			classifier == CLASSIFIER_RETRYABLE_ALL_5XX;
	case METHOD_PUT:
	case METHOD_DELETE:
		return classifier == CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX || classifier == CLASSIFIER_RETRYABLE_ALL_5XX;
	case METHOD_POST:
	case METHOD_PATCH:
		return classifier == CLASSIFIER_RETRYABLE_ALL_5XX;
	case METHOD_CONNECT:
	case METHOD_OTHER:
		break;
	}
	return false;
}

/* ---- gRPC ---- */

enum grpc_status outcome_status(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_CONNECT:
	case OUTCOME_REFUSED:
	case OUTCOME_RESET:
	case OUTCOME_OVERLOAD:
		return GRPC_UNAVAILABLE;
	case OUTCOME_PROTOCOL:
		return GRPC_INTERNAL;
	case OUTCOME_ATTEMPT_TIMEOUT:
	case OUTCOME_TOTAL_TIMEOUT:
		return GRPC_DEADLINE_EXCEEDED;
	case OUTCOME_CANCELED:
		return GRPC_CANCELLED;
	case OUTCOME_RESPONSE:
	case OUTCOME_COUNT:
		break;
	}
	return GRPC_UNKNOWN;
}

enum verdict outcome_judge_status(const struct service_policy *policy, enum grpc_status status)
{
	uint32_t bit = 1u << (status < GRPC_STATUSES ? status : GRPC_UNKNOWN);

	if (policy->success_statuses & bit)
		return VERDICT_SUCCESS;
	return policy->retryable_statuses & bit ? VERDICT_RETRYABLE : VERDICT_FAILURE;
}

/* A failure without a response has no status: only the compliant classifier knows what stands for it. */
static enum verdict judge_rpc(const struct service_policy *policy, enum outcome outcome)
{
	enum grpc_status status = policy->classifier == CLASSIFIER_GRPC_COMPLIANT ? outcome_status(outcome) : GRPC_UNKNOWN;

	if (outcome == OUTCOME_RESPONSE)
		return VERDICT_PENDING;
	if (outcome == OUTCOME_TOTAL_TIMEOUT || outcome == OUTCOME_CANCELED)
		return VERDICT_FAILURE;
	return policy->retryable_statuses & 1u << status ? VERDICT_RETRYABLE : VERDICT_FAILURE;
}

enum verdict outcome_judge(const struct service_policy *policy, enum method method, enum outcome outcome, unsigned status, bool marked)
{
	enum classifier classifier = policy->classifier;

	if (classifier_is_grpc(classifier))
		return judge_rpc(policy, outcome);
	switch (outcome) {
	case OUTCOME_RESPONSE:
		if (status < 500 || classifier == CLASSIFIER_ALL_SUCCESSFUL)
			return VERDICT_SUCCESS;
		return marked || method_retryable(classifier, method) ? VERDICT_RETRYABLE : VERDICT_FAILURE;
	case OUTCOME_CONNECT:
	case OUTCOME_REFUSED:
	case OUTCOME_RESET:
	case OUTCOME_PROTOCOL:
	case OUTCOME_ATTEMPT_TIMEOUT:
	case OUTCOME_OVERLOAD:
		return method_retryable(classifier, method) ? VERDICT_RETRYABLE : VERDICT_FAILURE;
	case OUTCOME_TOTAL_TIMEOUT: /* no time is left */
	case OUTCOME_CANCELED:      /* nobody waits */
	case OUTCOME_COUNT:
		break;
	}
	return VERDICT_FAILURE;
}
