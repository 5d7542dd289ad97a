/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/outcome.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const enum classifier classifiers[] = {
	CLASSIFIER_NON_RETRYABLE_5XX,
	CLASSIFIER_RETRYABLE_READ_5XX,
	CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX,
	CLASSIFIER_RETRYABLE_ALL_5XX,
	CLASSIFIER_ALL_SUCCESSFUL,
};

/* For each method, which classifiers let it be retried, in the order above. */
static const struct {
	enum method method;
	const char *retried;
} methods[] = {
	{ METHOD_GET, "nyyyn" },
	{ METHOD_HEAD, "nyyyn" },
	{ METHOD_OPTIONS, "nyyyn" },
	{ METHOD_TRACE, "nyyyn" },
	{ METHOD_PUT, "nnyyn" },
	{ METHOD_DELETE, "nnyyn" },
	{ METHOD_POST, "nnnyn" },
	{ METHOD_PATCH, "nnnyn" },
	{ METHOD_CONNECT, "nnnnn" },
	{ METHOD_OTHER, "nnnnn" },
};

static enum verdict judge(enum classifier classifier, enum method method, enum outcome outcome, unsigned status, bool marked)
{
	const struct service_policy policy = { .classifier = classifier };

	return outcome_judge(&policy, method, outcome, status, marked);
}

static void test_responses_and_failures_by_method(void **state)
{
	static const enum outcome failures[] = { OUTCOME_CONNECT, OUTCOME_REFUSED, OUTCOME_RESET, OUTCOME_PROTOCOL,
		OUTCOME_ATTEMPT_TIMEOUT };

	(void)state;
	for (unsigned m = 0; m < COUNT(methods); m++)
		for (unsigned c = 0; c < COUNT(classifiers); c++) {
			enum verdict expected = methods[m].retried[c] == 'y' ? VERDICT_RETRYABLE : VERDICT_FAILURE;
			enum method method = methods[m].method;

			for (unsigned i = 0; i < COUNT(failures); i++)
				assert_int_equal(judge(classifiers[c], method, failures[i], 0, false), expected);
			if (classifiers[c] == CLASSIFIER_ALL_SUCCESSFUL)
				expected = VERDICT_SUCCESS;
			assert_int_equal(judge(classifiers[c], method, OUTCOME_RESPONSE, 500, false), expected);
			assert_int_equal(judge(classifiers[c], method, OUTCOME_RESPONSE, 599, false), expected);
		}
}

static void test_below_500_is_success(void **state)
{
	static const unsigned statuses[] = { 200, 204, 301, 400, 404, 429, 499 };

	(void)state;
	for (unsigned c = 0; c < COUNT(classifiers); c++)
		for (unsigned i = 0; i < COUNT(statuses); i++)
			for (int marked = 0; marked < 2; marked++)
				assert_int_equal(judge(classifiers[c], METHOD_GET, OUTCOME_RESPONSE, statuses[i], marked), VERDICT_SUCCESS);
}

static void test_marked_failures_are_retryable_for_any_method(void **state)
{
	(void)state;
	for (unsigned c = 0; c < COUNT(classifiers); c++)
		for (unsigned m = 0; m < COUNT(methods); m++)
			assert_int_equal(judge(classifiers[c], methods[m].method, OUTCOME_RESPONSE, 502, true),
				classifiers[c] == CLASSIFIER_ALL_SUCCESSFUL ? VERDICT_SUCCESS : VERDICT_RETRYABLE);
}

static void test_never_retried(void **state)
{
	(void)state;
	for (unsigned c = 0; c < COUNT(classifiers); c++) {
		assert_int_equal(judge(classifiers[c], METHOD_GET, OUTCOME_TOTAL_TIMEOUT, 0, false), VERDICT_FAILURE);
		assert_int_equal(judge(classifiers[c], METHOD_GET, OUTCOME_CANCELED, 0, false), VERDICT_FAILURE);
	}
}

static void test_grpc_statuses_decide(void **state)
{
	struct service_policy policy = { .classifier = CLASSIFIER_GRPC,
		.success_statuses = STATUSES_OK | 1u << 5,
		.retryable_statuses = STATUSES_UNAVAILABLE | 1u << 2 };

	(void)state;
	assert_int_equal(outcome_judge(&policy, METHOD_POST, OUTCOME_RESPONSE, 503, true), VERDICT_PENDING);
	assert_int_equal(outcome_judge_status(&policy, GRPC_OK), VERDICT_SUCCESS);
	assert_int_equal(outcome_judge_status(&policy, GRPC_NOT_FOUND), VERDICT_SUCCESS);
	assert_int_equal(outcome_judge_status(&policy, GRPC_UNAVAILABLE), VERDICT_RETRYABLE);
	assert_int_equal(outcome_judge_status(&policy, GRPC_NONE), VERDICT_RETRYABLE); /* it is UNKNOWN */
	assert_int_equal(outcome_judge_status(&policy, GRPC_UNAUTHENTICATED), VERDICT_FAILURE);
	policy.retryable_statuses = STATUSES_UNAVAILABLE;
	assert_int_equal(outcome_judge_status(&policy, GRPC_NONE), VERDICT_FAILURE);
}

/* Without a status: the default classifier knows of none, the compliant one what stands for it. */
static void test_grpc_failures_without_a_response(void **state)
{
	static const struct {
		enum outcome outcome;
		enum verdict by_default, compliant, always;
	} table[] = {
		{ OUTCOME_CONNECT, VERDICT_FAILURE, VERDICT_RETRYABLE, VERDICT_RETRYABLE },
		{ OUTCOME_REFUSED, VERDICT_FAILURE, VERDICT_RETRYABLE, VERDICT_RETRYABLE },
		{ OUTCOME_RESET, VERDICT_FAILURE, VERDICT_RETRYABLE, VERDICT_RETRYABLE },
		{ OUTCOME_OVERLOAD, VERDICT_FAILURE, VERDICT_RETRYABLE, VERDICT_RETRYABLE },
		{ OUTCOME_PROTOCOL, VERDICT_FAILURE, VERDICT_FAILURE, VERDICT_RETRYABLE },
		{ OUTCOME_ATTEMPT_TIMEOUT, VERDICT_FAILURE, VERDICT_FAILURE, VERDICT_RETRYABLE },
		{ OUTCOME_TOTAL_TIMEOUT, VERDICT_FAILURE, VERDICT_FAILURE, VERDICT_FAILURE },
		{ OUTCOME_CANCELED, VERDICT_FAILURE, VERDICT_FAILURE, VERDICT_FAILURE },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(table); i++) {
		struct service_policy policy = { .success_statuses = STATUSES_OK, .retryable_statuses = STATUSES_UNAVAILABLE };

		policy.classifier = CLASSIFIER_GRPC;
		assert_int_equal(outcome_judge(&policy, METHOD_POST, table[i].outcome, 0, false), table[i].by_default);
		policy.classifier = CLASSIFIER_GRPC_COMPLIANT;
		assert_int_equal(outcome_judge(&policy, METHOD_POST, table[i].outcome, 0, false), table[i].compliant);
		policy.retryable_statuses = STATUSES_ALL & ~STATUSES_OK;
		assert_int_equal(outcome_judge(&policy, METHOD_POST, table[i].outcome, 0, false), table[i].always);
	}
}

static void test_resets(void **state)
{
	const struct side unsent = { .wrote = false }, sent = { .wrote = true }, stale = { .wrote = true, .reused = true };

	(void)state;
	assert_int_equal(outcome_of_reset(RESET_CONNECT, &unsent), OUTCOME_CONNECT);
	assert_int_equal(outcome_of_reset(RESET_REFUSED, &sent), OUTCOME_REFUSED);
	assert_int_equal(outcome_of_reset(RESET_PEER, &unsent), OUTCOME_REFUSED);
	assert_int_equal(outcome_of_reset(RESET_PEER, &sent), OUTCOME_RESET);
	/* Perhaps it was read before the connection was closed: only the codec may say that it was not. */
	assert_int_equal(outcome_of_reset(RESET_PEER, &stale), OUTCOME_RESET);
	assert_int_equal(outcome_of_reset(RESET_PEER, NULL), OUTCOME_RESET);
	assert_int_equal(outcome_of_reset(RESET_PROTOCOL, &sent), OUTCOME_PROTOCOL);
	assert_int_equal(outcome_of_reset(RESET_TIMEOUT, &sent), OUTCOME_ATTEMPT_TIMEOUT);
	assert_int_equal(outcome_of_reset(RESET_CANCEL, &sent), OUTCOME_CANCELED);
	assert_int_equal(outcome_of_reset(RESET_OVERLOAD, &unsent), OUTCOME_OVERLOAD);
	assert_int_equal(outcome_of_reset(RESET_OVERLOAD, &sent), OUTCOME_RESET);
	assert_int_equal(outcome_of_reset(RESET_SHUTDOWN, &unsent), OUTCOME_REFUSED);
	assert_int_equal(outcome_of_reset(RESET_SHUTDOWN, &sent), OUTCOME_RESET);
	assert_int_equal(outcome_of_reset(RESET_NONE, &sent), OUTCOME_RESPONSE);
}

static void test_each_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
		assert_non_null(outcome_text(i));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(outcome_text(i), outcome_text(k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses_and_failures_by_method),
		cmocka_unit_test(test_below_500_is_success),
		cmocka_unit_test(test_marked_failures_are_retryable_for_any_method),
		cmocka_unit_test(test_never_retried),
		cmocka_unit_test(test_grpc_statuses_decide),
		cmocka_unit_test(test_grpc_failures_without_a_response),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_each_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
