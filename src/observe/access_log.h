/* SPDX-License-Identifier: Apache-2.0 */
/* observe/access_log.h: access logs: lines that workers write, on their way to files that may be slow, full or gone.
 *
 * Each worker has a ring for each log (observe/lines.h). A loop of their own, which nobody waits for, looks into them some fifty times a second and
 * writes what is there. What finds no room in a ring, or can't be written, is lost: it is counted, the log of the process says so, and
 * requests go on. Files are rolled, and those rolled before removed, as the policy says. A log is kept until the end of the process, also when
 * no router uses it any more. All times are UTC.
 *
 *	e = access_logs_new(&(struct access_logs_options){ .loop = loop, .metrics = metrics, .workers = 4 }, &logs);
 *	e = access_logs_open(logs, &router->access_log, &log);      // control thread; once more for another policy
 *	access_logs_begin(logs);                                    // control thread, once nothing can fail any more
 *	at = lines_reserve(access_log_lines(log, worker->index));   // that worker's thread (observe/lines.h)
 *	access_logs_reopen(logs);                                   // control thread: SIGHUP, the file was renamed
 *	access_logs_free(logs);                                     // when neither workers nor the loop run
 */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include "base/error.h"
#include "io/loop.h"
#include "model/router.h"
#include "observe/lines.h"
#include "observe/metrics.h"

struct access_log;
struct access_logs;

struct access_logs_options {
	struct loop *loop;
	struct metrics *metrics;
	unsigned workers;
	uint32_t ring_bytes; /* of each worker and log; 0: 1 MiB */
	bool takes_over;     /* from a process that goes on writing for a while: until access_logs_begin no file is made to begin empty */
};

MUST_CHECK int access_logs_new(const struct access_logs_options *options, struct access_logs **logs);
/* The log of that path, made and opened the first time. Errors of log_file_open; ERROR_LIMIT: the loop has too much to do. */
MUST_CHECK int access_logs_open(struct access_logs *logs, const struct access_log_policy *policy, struct access_log **log);
/* Files that are to begin empty are emptied now, and lines written to them from now on: not before, for a process that can't start, because
 * another has its ports, must leave that one's files alone. If its loop has too much to do, the next call does it. */
void access_logs_begin(struct access_logs *logs);
/* Of one that was opened; by the path that its policy says. Control thread. */
struct access_log *access_logs_find(const struct access_logs *logs, struct slice path);
struct lines *access_log_lines(struct access_log *log, unsigned worker);
/* Files are opened anew by their path. */
void access_logs_reopen(struct access_logs *logs);
/* What waits is written first. */
void access_logs_free(struct access_logs *logs); /* NULL is allowed */

#endif
