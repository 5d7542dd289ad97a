/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/thread.h"
#include "observe/metrics.h"

struct stats {
	struct counter requests, seldom, pending;
	struct histogram latency;
	struct histogram_few tries;
	struct codes status;
};

static const struct metric table[] = {
	METRIC(struct stats, requests, METRIC_COUNTER, "requests"),
	METRIC(struct stats, seldom, METRIC_SEEN, "failures/seldom"),
	METRIC(struct stats, pending, METRIC_GAUGE, "pending"),
	METRIC(struct stats, latency, METRIC_STAT, "request_latency_ms"),
	METRIC(struct stats, tries, METRIC_VALUES, "retries/per_request"),
	METRIC(struct stats, status, METRIC_CODES, "status"),
};

static const struct metric_kind kind = { "service", table, 6, sizeof(struct stats), 3 };
static const struct metric few[] = { METRIC(struct stats, requests, METRIC_COUNTER, "requests") };
static const struct metric_kind few_kind = { "few", few, 1, sizeof(struct stats), 100 };

static struct metrics *metrics;
static struct text page;

static int setup(void **state)
{
	(void)state;
	metrics = metrics_new(2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	metrics_free(metrics);
	text_free(&page);
	return 0;
}

static void visit(void *owner, const struct sample *sample)
{
	(void)owner;
	for (unsigned i = 0; i < sample->label_count; i++)
		text_format(&page, "%.*s=%.*s,", SLICE_ARGS(sample->labels[i].key), SLICE_ARGS(sample->labels[i].value));
	text_format(&page, "%.*s ", SLICE_ARGS(sample->name));
	if (sample->type == METRIC_STAT || sample->type == METRIC_VALUES)
		text_format(&page, "n%llu", (unsigned long long)sample->view->count);
	else
		text_format(&page, "%g", sample->value);
	text_append(&page, SLICE("\n"));
}

static const char *read_all(void)
{
	text_clear(&page);
	text_append(&page, SLICE(""));
	metrics_read(metrics, visit, NULL);
	return page.bytes;
}

static struct scope *scope_of(const struct metric_kind *of, const char *router, const char *service)
{
	const struct scope_label at[] = { { SLICE("rt"), slice_of(router) }, { SLICE("service"), slice_of(service) } };

	return metrics_scope(metrics, of, at, 2);
}

static void test_shards_are_summed_and_shown(void **state)
{
	struct scope *scope = scope_of(&kind, "out", "svc/a");
	struct stats *first = scope_shard(scope, 0), *second = scope_shard(scope, 1);

	(void)state;
	assert_int_equal((uintptr_t)first % 64, 0);
	assert_int_equal((uintptr_t)second % 64, 0);
	assert_true((char *)second - (char *)first >= (ptrdiff_t)sizeof *first);
	assert_string_equal(read_all(),
		"rt=out,service=svc/a,requests 0\n"
		"rt=out,service=svc/a,pending 0\n"
		"rt=out,service=svc/a,request_latency_ms n0\n"
		"rt=out,service=svc/a,retries/per_request n0\n");
	counter_add(&first->requests, 3);
	counter_add(&second->requests, 4);
	counter_add(&second->seldom, 1);
	counter_add(&first->pending, 1);
	counter_sub(&second->pending, 3);
	histogram_record(&first->latency, 10);
	histogram_record(&second->latency, 20);
	codes_add(&first->status, 503);
	codes_add(&first->status, 200);
	codes_add(&second->status, 200);
	codes_add(&second->status, 204);
	assert_string_equal(read_all(),
		"rt=out,service=svc/a,requests 7\n"
		"rt=out,service=svc/a,failures/seldom 1\n"
		"rt=out,service=svc/a,pending -2\n"
		"rt=out,service=svc/a,request_latency_ms n2\n"
		"rt=out,service=svc/a,retries/per_request n0\n"
		"rt=out,service=svc/a,status/200 2\n"
		"rt=out,service=svc/a,status/204 1\n"
		"rt=out,service=svc/a,status/503 1\n"
		"rt=out,service=svc/a,status/2XX 3\n"
		"rt=out,service=svc/a,status/5XX 1\n");
}

static void test_too_many_codes_are_counted_together(void **state)
{
	struct stats *stats = scope_shard(scope_of(&kind, "out", "svc/a"), 0);

	(void)state;
	for (unsigned i = 0; i < CODES_MAX + 5; i++)
		codes_add(&stats->status, 200 + i);
	codes_add(&stats->status, 213);
	assert_non_null(strstr(read_all(), "status/213 2\n"));
	assert_non_null(strstr(read_all(), "status/other 5\n"));
	assert_non_null(strstr(read_all(), "status/2XX 20\n"));
}

static void test_same_labels_same_scope(void **state)
{
	struct scope *scope = scope_of(&kind, "out", "svc/a");

	(void)state;
	assert_ptr_equal(scope_of(&kind, "out", "svc/a"), scope);
	assert_ptr_not_equal(scope_of(&kind, "out", "svc/b"), scope);
	assert_ptr_not_equal(scope_of(&kind, "in", "svc/a"), scope);
	assert_ptr_not_equal(scope_of(&few_kind, "out", "svc/a"), scope);
	assert_int_equal(metrics_scope_count(metrics), 4);
}

/* By labels, not by joined names: "a-b" must not come between "a" and what is below "a". */
static void test_order_keeps_what_belongs_together(void **state)
{
	const struct scope_label router[] = { { SLICE("rt"), SLICE("a") } };

	(void)state;
	scope_of(&few_kind, "b", "x");
	scope_of(&few_kind, "a-b", "x");
	scope_of(&few_kind, "a", "y");
	scope_of(&few_kind, "a", "x");
	metrics_scope(metrics, &few_kind, router, 1);
	assert_string_equal(read_all(),
		"rt=a,requests 0\n"
		"rt=a,service=x,requests 0\n"
		"rt=a,service=y,requests 0\n"
		"rt=a-b,service=x,requests 0\n"
		"rt=b,service=x,requests 0\n");
}

static void test_beyond_the_cap_comes_overflow(void **state)
{
	char name[] = "svc/0";
	struct scope *overflow;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		name[4] = (char)('0' + i);
		scope_of(&kind, "out", name);
	}
	overflow = scope_of(&kind, "out", "svc/3");
	assert_ptr_equal(scope_of(&kind, "out", "svc/4"), overflow);
	assert_ptr_not_equal(scope_of(&kind, "out", "svc/2"), overflow); /* those that are there stay themselves */
	counter_add(&((struct stats *)scope_shard(overflow, 1))->requests, 2);
	assert_non_null(strstr(read_all(), "rt=out,service=overflow,requests 2\n"));
	assert_int_equal(metrics_scope_count(metrics), 4);
}

static struct scope *few_of(const char *service)
{
	const struct scope_label labels[] = { { SLICE("rt"), SLICE("out") }, { SLICE("service"), slice_of(service) } };

	return metrics_scope_few(metrics, &few_kind, 2, labels, 2);
}

/* Names that anybody may make up get few scopes, and leave the others' places to the others. */
static void test_made_up_names_get_few_scopes(void **state)
{
	struct scope *one = few_of("x/1"), *two = few_of("x/2"), *three = few_of("x/3");

	(void)state;
	assert_false(scope_is_overflow(one) || scope_is_overflow(two));
	assert_true(scope_is_overflow(three));
	assert_ptr_equal(few_of("x/4"), three);
	assert_ptr_equal(few_of("x/2"), two);

	/* One that turns out to be real counts as such, and makes place. */
	assert_ptr_equal(scope_of(&few_kind, "out", "x/2"), two);
	assert_false(scope_is_overflow(few_of("x/5")));
	assert_true(scope_is_overflow(few_of("x/6")));
	assert_false(scope_is_overflow(scope_of(&few_kind, "out", "svc/a")));
}

static void test_values_are_summed_over_minutes(void **state)
{
	struct stats *stats = scope_shard(scope_of(&kind, "out", "svc/a"), 1);

	(void)state;
	for (unsigned minute = 0; minute < 3; minute++) {
		for (unsigned i = 0; i <= minute; i++)
			histogram_few_record(&stats->tries, i);
		metrics_rotate(metrics, 10);
		assert_non_null(strstr(read_all(),
			minute == 0           ? "per_request n1\n"
				: minute == 1 ? "per_request n2\n"
					      : "per_request n3\n"));
	}
}

static void test_histograms_show_the_last_minute(void **state)
{
	struct stats *stats = scope_shard(scope_of(&kind, "out", "svc/a"), 1);

	(void)state;
	histogram_record(&stats->latency, 1);
	assert_non_null(strstr(read_all(), "request_latency_ms n1\n")); /* of the first minute what there is */
	histogram_record(&stats->latency, 1);
	metrics_rotate(metrics, 10);
	histogram_record(&stats->latency, 1);
	assert_non_null(strstr(read_all(), "request_latency_ms n2\n")); /* then the last full one */
	metrics_rotate(metrics, 10);
	assert_non_null(strstr(read_all(), "request_latency_ms n1\n"));
	metrics_rotate(metrics, 10);
	assert_non_null(strstr(read_all(), "request_latency_ms n0\n"));
}

static void test_idle_scopes_go_when_nobody_refers(void **state)
{
	struct scope *used = scope_of(&kind, "out", "svc/used"), *left = scope_of(&kind, "out", "svc/left");
	struct stats *stats = scope_shard(left, 0);

	(void)state;
	scope_of(&kind, "out", "svc/used");
	scope_unref(used);
	counter_add(&stats->requests, 1);
	scope_unref(left);
	metrics_rotate(metrics, 2); /* changed since it was made */
	metrics_rotate(metrics, 2);
	codes_add(&stats->status, 200);
	metrics_rotate(metrics, 2);
	metrics_rotate(metrics, 2);
	assert_non_null(strstr(read_all(), "svc/left,requests 1\n"));
	metrics_rotate(metrics, 2);
	assert_null(strstr(read_all(), "svc/left"));
	assert_non_null(strstr(read_all(), "svc/used"));
	scope_unref(used);
	metrics_rotate(metrics, 2);
	assert_int_equal(metrics_scope_count(metrics), 0);
}

static void test_coming_back_before_removal_keeps_the_numbers(void **state)
{
	struct scope *scope = scope_of(&kind, "out", "svc/a");

	(void)state;
	counter_add(&((struct stats *)scope_shard(scope, 0))->requests, 5);
	scope_unref(scope);
	metrics_rotate(metrics, 10);
	assert_ptr_equal(scope_of(&kind, "out", "svc/a"), scope);
	assert_non_null(strstr(read_all(), "requests 5\n"));
}

static double read_number(void *owner)
{
	return *(const double *)owner;
}

static void test_computed_gauges(void **state)
{
	struct scope *scope = scope_of(&few_kind, "out", "svc/a");
	double older = 1.5, newer = 2.5, other = 3;

	(void)state;
	metrics_gauge(metrics, scope, "retries/budget", read_number, &older);
	metrics_gauge(metrics, scope, "other", read_number, &other);
	assert_non_null(strstr(read_all(), "retries/budget 1.5\n"));
	metrics_gauge(metrics, scope, "retries/budget", read_number, &newer);
	assert_string_equal(read_all(),
		"rt=out,service=svc/a,requests 0\n"
		"rt=out,service=svc/a,retries/budget 2.5\n"
		"rt=out,service=svc/a,other 3\n");
	metrics_gauge_remove(metrics, &newer);
	assert_non_null(strstr(read_all(), "retries/budget 1.5\n"));
	metrics_gauge_remove(metrics, &older);
	assert_null(strstr(read_all(), "retries/budget"));
	assert_non_null(strstr(read_all(), "other 3\n"));
	metrics_gauge_remove(metrics, &other);
}

struct worker {
	struct stats *stats;
	unsigned turns;
};

static void work(void *owner)
{
	struct worker *worker = owner;

	for (unsigned i = 0; i < worker->turns; i++) {
		counter_add(&worker->stats->requests, 1);
		histogram_record(&worker->stats->latency, i);
		codes_add(&worker->stats->status, 200 + i % 3);
	}
}

struct reader {
	_Atomic int stop;
	uint64_t pages;
};

static void count_sample(void *owner, const struct sample *sample)
{
	(void)sample;
	((struct reader *)owner)->pages++;
}

static void read_on(void *owner)
{
	struct reader *reader = owner;

	do
		metrics_read(metrics, count_sample, reader);
	while (!atomic_load(&reader->stop));
}

/* Two workers write, the control thread makes, rotates and removes, the admin thread reads. */
static void test_everybody_at_once(void **state)
{
	struct scope *scope = scope_of(&kind, "out", "svc/a");
	struct worker workers[2] = { { scope_shard(scope, 0), 20000 }, { scope_shard(scope, 1), 20000 } };
	struct reader reader = { 0 };
	struct thread *threads[3];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(thread_start("worker", work, &workers[i], &threads[i]), 0);
	assert_int_equal(thread_start("reader", read_on, &reader, &threads[2]), 0);
	for (unsigned i = 0; i < 300; i++) {
		scope_unref(scope_of(&kind, "out", i % 2 ? "svc/b" : "svc/c"));
		metrics_rotate(metrics, 1);
	}
	thread_join(threads[0]);
	thread_join(threads[1]);
	atomic_store(&reader.stop, 1);
	thread_join(threads[2]);
	assert_true(reader.pages > 0);
	metrics_rotate(metrics, 1);
	assert_non_null(strstr(read_all(), "rt=out,service=svc/a,requests 40000\n"));
	assert_non_null(strstr(read_all(), "status/2XX 40000\n"));
	assert_non_null(strstr(read_all(), "status/200 13334\n"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_shards_are_summed_and_shown),
		TEST(test_too_many_codes_are_counted_together),
		TEST(test_same_labels_same_scope),
		TEST(test_order_keeps_what_belongs_together),
		TEST(test_beyond_the_cap_comes_overflow),
		TEST(test_made_up_names_get_few_scopes),
		TEST(test_values_are_summed_over_minutes),
		TEST(test_histograms_show_the_last_minute),
		TEST(test_idle_scopes_go_when_nobody_refers),
		TEST(test_coming_back_before_removal_keeps_the_numbers),
		TEST(test_computed_gauges),
		TEST(test_everybody_at_once),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
