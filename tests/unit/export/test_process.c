/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "export/process.h"

struct found {
	double uptime, cpus, memory, most, threads, descriptors, limit;
	unsigned count;
};

static void visit(void *owner, const struct sample *sample)
{
	struct found *found = owner;
	const struct {
		const char *name;
		double *number;
	} wanted[] = {
		{ "uptime", &found->uptime },
		{ "num_cpus", &found->cpus },
		{ "mem/current/used", &found->memory },
		{ "heap/max", &found->most },
		{ "thread/count", &found->threads },
		{ "fd_count", &found->descriptors },
		{ "fd_limit", &found->limit },
	};

	found->count++;
	assert_int_equal(sample->label_count, 1);
	assert_true(slice_equal(sample->labels[0].key, SLICE("jvm")));
	for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (slice_equal(sample->name, slice_of(wanted[i].name)))
			*wanted[i].number = sample->value;
}

static void test_this_process(void **state)
{
	struct metrics *metrics = metrics_new(1);
	struct process_metrics *process = process_metrics_new(metrics, 5 * CLOCK_SECOND);
	struct found found = { 0 };

	(void)state;
	process_metrics_refresh(process, 7 * CLOCK_SECOND);
	metrics_read(metrics, visit, &found);
	assert_int_equal(found.count, 11);
	assert_true(found.uptime == 2000);
	assert_true(found.cpus >= 1);
	assert_true(found.memory > 100000 && found.most > found.memory);
	assert_true(found.threads >= 1);
	assert_true(found.descriptors >= 1 && found.descriptors <= found.limit);
	process_metrics_free(process);
	found.count = 0;
	metrics_read(metrics, visit, &found);
	assert_int_equal(found.count, 0);
	process_metrics_free(NULL);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_this_process) };

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
