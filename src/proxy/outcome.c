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

enum verdict outcome_judge(enum classifier classifier, enum method method, enum outcome outcome, unsigned status,
                           bool marked)
{
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
