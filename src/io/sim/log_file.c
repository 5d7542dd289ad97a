/* SPDX-License-Identifier: Apache-2.0 */
/* Files that lines are appended to: those of the host, in memory. */
#include "io/log_file.h"

#include "io/sim/world.h"

struct log_file {
	struct network *host;
	char *path;
};

int log_file_open(const char *path, struct log_file **result)
{
	struct network *host = process_current()->host;
	if (world_fails(host->sim, SIM_CALL_LOG_FILE))
		return ERROR_LIMIT;
	if (!sim_file(host, path).at)
		sim_file_put(host, path, SLICE(""));
	struct log_file *file = memory_new(sizeof *file);
	*file = (struct log_file){ .host = host, .path = memory_text(slice_of(path)) };
	*result = file;
	return 0;
}

int log_file_empty(struct log_file *file)
{
	if (world_fails(file->host->sim, SIM_CALL_LOG_FILE))
		return ERROR_LIMIT;
	sim_file_put(file->host, file->path, SLICE(""));
	return 0;
}

int log_file_write(struct log_file *file, struct slice bytes)
{
	struct slice before = sim_file(file->host, file->path);
	if (world_fails(file->host->sim, SIM_CALL_LOG_FILE))
		return ERROR_LIMIT;
	char *all = memory_array(before.length + bytes.length + 1, 1);
	if (before.length)
		memcpy(all, before.at, before.length);
	memcpy(all + before.length, bytes.at, bytes.length);
	sim_file_put(file->host, file->path, slice_make(all, before.length + bytes.length));
	memory_free(all);
	return 0;
}

size_t log_file_batch(const struct log_file *file)
{
	(void)file;
	return 1024 * 1024;
}

uint64_t log_file_size(const struct log_file *file)
{
	return sim_file(file->host, file->path).length;
}

bool log_file_is_at(const struct log_file *file, const char *path)
{
	return strcmp(file->path, path) == 0;
}

void log_file_close(struct log_file *file)
{
	if (!file)
		return;
	memory_free(file->path);
	memory_free(file);
}

int log_file_roll(const char *path, const char *rolled)
{
	struct network *host = process_current()->host;
	struct slice bytes = sim_file(host, path);
	if (!bytes.at)
		return ERROR_NOT_FOUND;
	if (sim_file(host, rolled).at)
		return ERROR_EXISTS;
	sim_file_put(host, rolled, bytes);
	sim_file_remove(host, path);
	return 0;
}

/* Files of hosts have no names to go through: none is removed. */
unsigned log_file_prune(struct slice begin, struct slice end, unsigned keep)
{
	(void)begin;
	(void)end;
	(void)keep;
	return 0;
}
