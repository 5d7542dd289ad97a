/* SPDX-License-Identifier: Apache-2.0 */
/* io/file.h: whole small files, and being told when they change. Control thread; blocking.
 *
 *	struct slice bytes;
 *	int e = file_read(path, 512 * 1024, &bytes);     // heap; memory_free((void *)bytes.at)
 *	watch_new(loop, "disco", changed, owner, &watch);  // files in a directory made, changed, moved in or out, deleted
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct loop;
struct watch;

/* A NUL follows the bytes. ERROR_NOT_FOUND, ERROR_DENIED, ERROR_LIMIT (larger than max), ERROR_INVALID (a directory), ERROR_IO.
 * Path "-" is standard input. */
MUST_CHECK int file_read(const char *path, size_t max, struct slice *bytes);
/* Replaces the file in one step (temporary file, fsync, rename). */
MUST_CHECK int file_write(const char *path, struct slice bytes, unsigned mode);

/* The same by the temporary file `temporary`, of the same directory, whatever it holds: so that a process that is killed leaves one
 * such file at most, and the next writer takes it. Only one may write at a time (file_lock_take). */
MUST_CHECK int file_replace(const char *path, const char *temporary, struct slice bytes, unsigned mode);

/* Makes the directory, not those above it. ERROR_EXISTS, ERROR_NOT_FOUND, ERROR_DENIED. */
MUST_CHECK int file_make_directory(const char *path, unsigned mode);

/* Only one holder at a time, of all processes: the file `path` (made when missing, and left) stands for it. Ends with the
 * process, however that ends. Never waits: ERROR_BUSY; ERROR_NOT_FOUND (the directory), ERROR_DENIED. */
struct file_lock;
MUST_CHECK int file_lock_take(const char *path, struct file_lock **lock);
void file_lock_release(struct file_lock *lock); /* NULL is allowed */

/* Watches the directory `path` (not below it). `changed` gets the name inside it, or an empty name when anything may have
 * changed (events were lost, or the directory itself came or went). A directory that does not exist is waited for. Events are
 * gathered for some milliseconds so that a burst of writes is one call for each name. */
MUST_CHECK int watch_new(
	struct loop *loop, const char *path, void (*changed)(void *owner, struct slice name), void *owner, struct watch **watch);
void watch_free(struct watch *watch); /* NULL is allowed */

/* A line to standard error or standard output, all or nothing as far as the kernel does; errors are ignored. */
void file_print(bool error, struct slice bytes);

#endif
