/* SPDX-License-Identifier: Apache-2.0 */
/* How many cores and how much memory this process may use: the least of what the machine, its affinity mask and its control groups
 * (cgroups(7)) allow. */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/slice.h"
#include "io/file.h"
#include "io/process.h"
#include "io/thread.h"

enum { PATH_BYTES = 4096, SMALL_FILE = 64 * 1024, MOST_CPUS = 8192 };

static unsigned affinity_cores(void)
{
	cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
	size_t size = CPU_ALLOC_SIZE(MOST_CPUS);
	int count = 0;
	if (set && sched_getaffinity(0, size, set) == 0)
		count = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return count > 0 ? (unsigned)count : 1;
}

/* The unsigned number in a file; false for anything else, like "-1" or "max". */
static bool read_number(const char *path, uint64_t *value)
{
	struct slice text;
	if (file_read(path, SMALL_FILE, &text))
		return false;
	struct slice line = text, first;
	bool good = slice_split(&line, '\n', &first) && slice_to_u64(slice_trim(first), UINT64_MAX, value) == 0;
	memory_free(text.at);
	return good;
}

/* Version 2: "QUOTA PERIOD" or "max PERIOD". */
static double quota_v2(const char *folder)
{
	char path[PATH_BYTES];
	struct slice text, line, rest, quota;
	uint64_t used, period;
	double cores = INFINITY;
	snprintf(path, sizeof path, "%s/cpu.max", folder);
	if (file_read(path, SMALL_FILE, &text))
		return cores;
	rest = text;
	if (slice_split(&rest, '\n', &line) && slice_split(&line, ' ', &quota) && !slice_to_u64(quota, UINT64_MAX, &used) && line.at &&
		!slice_to_u64(line, UINT64_MAX, &period) && period)
		cores = (double)used / (double)period;
	memory_free(text.at);
	return cores;
}

static double quota_v1(const char *folder)
{
	char path[PATH_BYTES];
	uint64_t quota, period;
	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
	if (!read_number(path, &quota))
		return INFINITY;
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
	if (!read_number(path, &period) || !period)
		return INFINITY;
	return (double)quota / (double)period;
}

static double memory_limit(const char *folder, const char *file)
{
	char path[PATH_BYTES];
	uint64_t bytes;
	snprintf(path, sizeof path, "%s/%s", folder, file);
	return read_number(path, &bytes) ? (double)bytes : INFINITY;
}

static double memory_v2(const char *folder)
{
	return memory_limit(folder, "memory.max");
}

static double memory_v1(const char *folder)
{
	return memory_limit(folder, "memory.limit_in_bytes");
}

/* What a control group may limit. Each reader answers infinity when the group doesn't. */
struct resource {
	struct slice controller; /* of version 1 */
	const char *root;        /* where its groups are in version 1 */
	double (*v1)(const char *folder);
	double (*v2)(const char *folder);
};

static const struct resource cpu = { SLICE("cpu"), "/sys/fs/cgroup/cpu", quota_v1, quota_v2 };
static const struct resource memory = { SLICE("memory"), "/sys/fs/cgroup/memory", memory_v1, memory_v2 };

/* The least from a group's folder up to the root. In a container the path may name a folder that is not mounted there:
 * then its parents are still looked at. */
static double least_upwards(const char *root, struct slice group, double (*limit)(const char *folder))
{
	char folder[PATH_BYTES];
	double least = INFINITY;
	for (;;) {
		snprintf(folder, sizeof folder, "%s%.*s", root, SLICE_ARGS(group));
		double here = limit(folder);
		if (here < least)
			least = here;
		if (!group.length)
			return least;
		do
			group.length--;
		while (group.length && group.at[group.length] != '/');
	}
}

static bool names(struct slice controllers, struct slice controller)
{
	struct slice one;
	while (slice_split(&controllers, ',', &one))
		if (slice_equal(one, controller))
			return true;
	return false;
}

/* One line of /proc/self/cgroup: HIERARCHY:CONTROLLERS:PATH; version 2 has no controllers. */
static double line_limit(struct slice line, const struct resource *resource)
{
	struct slice hierarchy, controllers;
	if (!slice_split(&line, ':', &hierarchy) || !slice_split(&line, ':', &controllers) || !line.at)
		return INFINITY;
	if (!controllers.length) {
		double pure = least_upwards("/sys/fs/cgroup", line, resource->v2);
		double mixed = least_upwards("/sys/fs/cgroup/unified", line, resource->v2);
		return pure < mixed ? pure : mixed;
	}
	return names(controllers, resource->controller) ? least_upwards(resource->root, line, resource->v1) : INFINITY;
}

static double group_limit(const struct resource *resource)
{
	struct slice text, rest, line;
	double least = INFINITY;
	if (file_read("/proc/self/cgroup", SMALL_FILE, &text))
		return least;
	rest = text;
	while (slice_split(&rest, '\n', &line)) {
		double here = line_limit(line, resource);
		if (here < least)
			least = here;
	}
	memory_free(text.at);
	return least;
}

/* A part of a core counts as one: rounded down it would serve nobody. */
unsigned thread_cores(void)
{
	unsigned cores = affinity_cores();
	double quota = ceil(group_limit(&cpu));
	if (quota < 1)
		return 1;
	return quota < (double)cores ? (unsigned)quota : cores;
}

uint64_t process_memory_limit(void)
{
	double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
	double group = group_limit(&memory);
	return (uint64_t)(group < machine ? group : machine);
}
