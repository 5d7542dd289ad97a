/* SPDX-License-Identifier: Apache-2.0 */
#include "io/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/kernel/kernel.h"

enum {
	MODE = 0644,
	DATE_LEAST = 8,
	BATCH = 1024 * 1024,
	ROOM_PATIENCE_MS = 5,
	REST_PATIENCE_MS = 1000, /* for a terminal that took a part */
};

struct log_file {
	int fd;
	bool regular;
	uint64_t size;
};

int log_file_open(const char *path, struct log_file **result)
{
	struct stat about;
	/* O_NONBLOCK: neither the opening of a pipe nor a slow reader of it is waited for. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, MODE);
	if (fd < 0)
		return errno == ENXIO ? ERROR_NOT_FOUND : kernel_error(errno);
	int e = fstat(fd, &about) ? kernel_error(errno) : 0;
	bool regular = !e && S_ISREG(about.st_mode);
	if (e) {
		close(fd);
		return e;
	}
	struct log_file *file = memory_new(sizeof *file);
	*file = (struct log_file){ .fd = fd, .regular = regular, .size = regular ? (uint64_t)about.st_size : 0 };
	*result = file;
	return 0;
}

int log_file_empty(struct log_file *file)
{
	if (file->regular && ftruncate(file->fd, 0))
		return kernel_error(errno);
	file->size = 0;
	return 0;
}

/* Half a line would spoil the next one. */
static void take_back(struct log_file *file, off_t size)
{
	if (file->regular && size >= 0)
		(void)!ftruncate(file->fd, size);
}

static bool wait_for_room(const struct log_file *file, int patience_ms)
{
	struct pollfd pollfd = { .fd = file->fd, .events = POLLOUT };

	return poll(&pollfd, 1, patience_ms) > 0;
}

int log_file_write(struct log_file *file, struct slice bytes)
{
	off_t before = file->regular ? lseek(file->fd, 0, SEEK_END) : -1;
	struct slice rest = bytes;
	while (rest.length) {
		ssize_t n = write(file->fd, rest.at, rest.length);
		if (n < 0 && errno == EINTR)
			continue;
		bool whole = rest.length == bytes.length;
		if (n < 0 && errno == EAGAIN) {
			if (wait_for_room(file, whole ? ROOM_PATIENCE_MS : REST_PATIENCE_MS))
				continue;
			return whole ? ERROR_BUSY : ERROR_IO;
		}
		if (n < 0) {
			int e = kernel_error(errno);
			take_back(file, before);
			return e;
		}
		rest = slice_from(rest, (size_t)n);
	}
	if (file->regular)
		file->size += bytes.length;
	return 0;
}

size_t log_file_batch(const struct log_file *file)
{
	return file->regular ? BATCH : PIPE_BUF;
}

uint64_t log_file_size(const struct log_file *file)
{
	return file->size;
}

bool log_file_is_at(const struct log_file *file, const char *path)
{
	struct stat ours, there;

	return fstat(file->fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void log_file_close(struct log_file *file)
{
	if (!file)
		return;
	close(file->fd);
	memory_free(file);
}

/* ---- rolling ---- */

int log_file_roll(const char *path, const char *rolled)
{
	return renameat2(AT_FDCWD, path, AT_FDCWD, rolled, RENAME_NOREPLACE) ? kernel_error(errno) : 0;
}

/* Names of one directory, to be sorted. */
struct names {
	char **at;
	unsigned count, room;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Nothing else that happens to be called nearly so may go. */
static bool fits(struct slice name, struct slice begin, struct slice end)
{
	if (name.length < begin.length + DATE_LEAST + end.length || memcmp(name.at, begin.at, begin.length) != 0 ||
		memcmp(name.at + name.length - end.length, end.at, end.length) != 0)
		return false;
	for (size_t i = begin.length; i < name.length - end.length; i++)
		if (name.at[i] != '-' && (name.at[i] < '0' || name.at[i] > '9'))
			return false;
	return true;
}

static void collect(const char *directory, struct slice begin, struct slice end, struct names *names)
{
	DIR *folder = opendir(directory);
	if (!folder)
		return;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		if (!fits(slice_of(entry->d_name), begin, end))
			continue;
		if (names->count == names->room) {
			names->room = names->room ? names->room * 2 : 16;
			names->at = memory_grow(names->at, names->room, sizeof *names->at);
		}
		names->at[names->count++] = memory_text(slice_of(entry->d_name));
	}
	closedir(folder);
	qsort(names->at, names->count, sizeof *names->at, compare);
}

/* The length of what stands before the name, its slash included. */
static size_t directory_length(struct slice path)
{
	while (path.length && path.at[path.length - 1] != '/')
		path.length--;
	return path.length;
}

static bool remove_in(const char *directory, const char *name)
{
	size_t size = strlen(directory) + strlen(name) + 1;
	char *path = memory_array(size, 1);

	snprintf(path, size, "%s%s", directory, name);
	bool removed = unlink(path) == 0;
	memory_free(path);
	return removed;
}

unsigned log_file_prune(struct slice begin, struct slice end, unsigned keep)
{
	size_t length = directory_length(begin);
	char *directory = memory_text(length ? slice_make(begin.at, length) : SLICE("./"));
	struct names names = { 0 };
	unsigned removed = 0;

	collect(directory, slice_from(begin, length), end, &names);
	for (unsigned i = 0; i < names.count; i++) {
		if (i + keep < names.count)
			removed += remove_in(directory, names.at[i]);
		memory_free(names.at[i]);
	}
	memory_free(names.at);
	memory_free(directory);
	return removed;
}
