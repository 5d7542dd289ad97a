/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { FIRST_READ = 4096 };

/* Reads to the end, whatever fstat says: files of /proc have no size. */
static int read_all(int fd, size_t max, struct slice *bytes)
{
	size_t room = FIRST_READ, length = 0;
	char *text = memory_array(room, 1);
	for (;;) {
		ssize_t n = read(fd, text + length, room - length - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || length + (size_t)n > max) {
			int e = n < 0 ? kernel_error(errno) : ERROR_LIMIT;
			memory_free(text);
			return e;
		}
		length += (size_t)n;
		if (n == 0)
			break;
		if (length + 1 == room) {
			room *= 2;
			text = memory_grow(text, room, 1);
		}
	}
	text[length] = '\0';
	*bytes = slice_make(text, length);
	return 0;
}

int file_read(const char *path, size_t max, struct slice *bytes)
{
	struct stat about;
	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, max, bytes);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return kernel_error(errno);
	int e;
	if (fstat(fd, &about))
		e = kernel_error(errno);
	else if (S_ISDIR(about.st_mode))
		e = ERROR_INVALID;
	else
		e = read_all(fd, max, bytes);
	close(fd);
	return e;
}

static int write_all(int fd, struct slice bytes)
{
	while (bytes.length) {
		ssize_t n = write(fd, bytes.at, bytes.length);
		if (n < 0 && errno != EINTR)
			return kernel_error(errno);
		if (n > 0)
			bytes = slice_from(bytes, (size_t)n);
	}
	return 0;
}

/* The new name is on the disk only when the directory is. A file system that can't do this is taken as it is. */
static void sync_folder(const char *path)
{
	char *copy = memory_text(slice_of(path));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!fsync(fd);
		close(fd);
	}
	memory_free(copy);
}

static int fill(int fd, struct slice bytes, unsigned mode)
{
	int e = write_all(fd, bytes);
	if (!e && (fchmod(fd, (mode_t)mode) || fsync(fd)))
		e = kernel_error(errno);
	return e;
}

/* Fills the open temporary file and gives it the name `path`. */
static int finish_write(int fd, const char *path, const char *temporary, struct slice bytes, unsigned mode)
{
	int e = fill(fd, bytes, mode);
	if (close(fd) && !e)
		e = kernel_error(errno);
	if (!e && rename(temporary, path))
		e = kernel_error(errno);
	if (e)
		unlink(temporary);
	else
		sync_folder(path);
	return e;
}

int file_write(const char *path, struct slice bytes, unsigned mode)
{
	size_t size = strlen(path) + sizeof ".XXXXXX";
	char *temporary = memory_array(size, 1);
	snprintf(temporary, size, "%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	int e = fd < 0 ? kernel_error(errno) : finish_write(fd, path, temporary, bytes, mode);
	memory_free(temporary);
	return e;
}

int file_replace(const char *path, const char *temporary, struct slice bytes, unsigned mode)
{
	/* Nobody else has it open, and nobody may read it while it is filled. */
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? kernel_error(errno) : finish_write(fd, path, temporary, bytes, mode);
}

int file_make_directory(const char *path, unsigned mode)
{
	if (mkdir(path, (mode_t)mode))
		return kernel_error(errno);
	if (chmod(path, (mode_t)mode))
		return kernel_error(errno);
	sync_folder(path);
	return 0;
}

struct file_lock {
	int fd;
};

int file_lock_take(const char *path, struct file_lock **result)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return kernel_error(errno);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int e = kernel_error(errno);
		close(fd);
		return e;
	}
	struct file_lock *lock = memory_new(sizeof *lock);
	lock->fd = fd;
	*result = lock;
	return 0;
}

void file_lock_release(struct file_lock *lock)
{
	if (!lock)
		return;
	close(lock->fd);
	memory_free(lock);
}

void file_print(bool error, struct slice bytes)
{
	(void)write_all(error ? STDERR_FILENO : STDOUT_FILENO, bytes);
}
