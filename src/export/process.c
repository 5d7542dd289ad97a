/* SPDX-License-Identifier: Apache-2.0 */
#include "export/process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/process.h"
#include "io/thread.h"

enum number {
	NUMBER_UPTIME,
	NUMBER_CPUS,
	NUMBER_MEMORY,
	NUMBER_HEAP,
	NUMBER_HEAP_LIMIT,
	NUMBER_ALLOCATIONS,
	NUMBER_THREADS,
	NUMBER_DESCRIPTORS,
	NUMBER_DESCRIPTOR_LIMIT,
	NUMBER_GC_CYCLES,
	NUMBER_GC_TIME,
	NUMBER_COUNT
};

static const char *const names[NUMBER_COUNT] = {
	[NUMBER_UPTIME] = "uptime",
	[NUMBER_CPUS] = "num_cpus",
	[NUMBER_MEMORY] = "mem/current/used",
	[NUMBER_HEAP] = "heap/used",
	[NUMBER_HEAP_LIMIT] = "heap/max",
	[NUMBER_ALLOCATIONS] = "heap/allocations", /* ever; weft's own: none in the steady state but for pages like this */
	[NUMBER_THREADS] = "thread/count",
	[NUMBER_DESCRIPTORS] = "fd_count",
	[NUMBER_DESCRIPTOR_LIMIT] = "fd_limit",
	[NUMBER_GC_CYCLES] = "gc/cycles",
	[NUMBER_GC_TIME] = "gc/msec",
};

/* Nothing but gauges. */
static const struct metric_kind process_kind = { "process", NULL, 0, 0, 1 };

struct process_metrics {
	struct metrics *metrics;
	struct scope *scope;
	int64_t began;
	_Atomic double numbers[NUMBER_COUNT]; /* each is the owner of its gauge */
};

static double read_number(void *owner)
{
	return *(_Atomic double *)owner;
}

struct process_metrics *process_metrics_new(struct metrics *metrics, int64_t began)
{
	const struct scope_label label = { SLICE("jvm"), SLICE("") };
	struct process_metrics *process = memory_new(sizeof *process);

	process->metrics = metrics;
	process->began = began;
	process->numbers[NUMBER_CPUS] = thread_cores();
	process->numbers[NUMBER_HEAP_LIMIT] = (double)process_memory_limit();
	process->scope = metrics_scope(metrics, &process_kind, &label, 1);
	for (unsigned i = 0; i < NUMBER_COUNT; i++)
		metrics_gauge(metrics, process->scope, names[NUMBER_COUNT - 1 - i], read_number, &process->numbers[NUMBER_COUNT - 1 - i]);
	return process;
}

void process_metrics_free(struct process_metrics *process)
{
	if (!process)
		return;
	for (unsigned i = 0; i < NUMBER_COUNT; i++)
		metrics_gauge_remove(process->metrics, &process->numbers[i]);
	scope_unref(process->scope);
	memory_free(process);
}

void process_metrics_refresh(struct process_metrics *process, int64_t now)
{
	struct process_usage usage = { 0 };

	process_usage(&usage);
	process->numbers[NUMBER_UPTIME] = (double)((now - process->began) / CLOCK_MS);
	process->numbers[NUMBER_MEMORY] = (double)usage.resident_bytes;
	process->numbers[NUMBER_HEAP] = (double)usage.resident_bytes;
	process->numbers[NUMBER_ALLOCATIONS] = (double)memory_system_calls();
	process->numbers[NUMBER_THREADS] = usage.threads;
	process->numbers[NUMBER_DESCRIPTORS] = usage.descriptors;
	process->numbers[NUMBER_DESCRIPTOR_LIMIT] = usage.descriptor_limit;
}
