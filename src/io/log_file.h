/* SPDX-License-Identifier: Apache-2.0 */
/* io/log_file.h: a file that lines are appended to, and that is rolled. Blocking: one thread at a time, and none that others wait for.
 *
 *	e = log_file_open("access.log", &file);
 *	e = log_file_write(file, lines);                             // ERROR_LIMIT: the disk is full
 *	e = log_file_roll("access.log", "access-20261126.log");      // then it is opened again
 *	log_file_close(file);
 */
#ifndef IO_LOG_FILE_H
#define IO_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct log_file;

/* Makes it when it is not there. It may be a terminal or a pipe that somebody reads, too. ERROR_NOT_FOUND (its directory, or a pipe
 * without a reader), ERROR_DENIED, ERROR_INVALID (a directory), ERROR_LIMIT. */
MUST_CHECK int log_file_open(const char *path, struct log_file **file);
/* What is in it goes, if it is a regular file. */
MUST_CHECK int log_file_empty(struct log_file *file);
/* All of it or, in a regular file or a pipe, nothing. ERROR_LIMIT: the disk is full; ERROR_BUSY: who reads the pipe is slower, which was waited for
 * some milliseconds; ERROR_IO and others as the kernel says. Not more at once than log_file_batch. */
MUST_CHECK int log_file_write(struct log_file *file, struct slice bytes);
/* How much it is best given at once: file systems take large pieces of memory for large pieces of a file, for less time a byte; what a pipe
 * takes in one piece (PIPE_BUF, 4096) never gets mixed with another process's. */
size_t log_file_batch(const struct log_file *file);
uint64_t log_file_size(const struct log_file *file); /* 0 for what is no regular file */
/* Whether it is what the path leads to. Not when somebody has renamed it. */
bool log_file_is_at(const struct log_file *file, const char *path);
void log_file_close(struct log_file *file); /* NULL is allowed */

/* Gives it another name in the same directory. ERROR_EXISTS: there is one of that name. */
MUST_CHECK int log_file_roll(const char *path, const char *rolled);
/* Of the files whose path is `begin`, a date (eight or more digits and dashes), `end`, the first ones in the order of their names are removed, until
 * `keep` are left. Returns how many were. */
unsigned log_file_prune(struct slice begin, struct slice end, unsigned keep);

#endif
