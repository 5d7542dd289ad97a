/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/access_log.h"

#include <stdio.h>

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/channel.h"
#include "io/log_file.h"

enum {
	RING_BYTES = 1024 * 1024,
	FULL = 1024, /* how full rings are is told in parts of so many */
	INBOX = 1024,
	ROLL_TRIES = 100, /* names for what is rolled within one second */
	LAST_TRIES = 200, /* to write what is left at the end, each of some milliseconds */
};

/* A ring is looked at when it is half full: each time costs more than what lies in it. */
#define OFTEN (5 * CLOCK_MS)   /* 100 MB/s */
#define SELDOM (20 * CLOCK_MS) /* so that who reads along doesn't wait; 50 MB/s that come all at once find room */
#define RETRY CLOCK_SECOND     /* after something could not be written */
#define HOUR (60 * CLOCK_MINUTE)
#define DAY (24 * HOUR)

/* access_log/… in the metrics; the loop's. */
struct access_stats {
	struct counter written, lost, failures, rolls;
};

static const struct metric metrics[] = {
	METRIC(struct access_stats, written, METRIC_COUNTER, "written"),
	METRIC(struct access_stats, lost, METRIC_COUNTER, "lost"),
	METRIC(struct access_stats, failures, METRIC_COUNTER, "failures"),
	METRIC(struct access_stats, rolls, METRIC_COUNTER, "rolls"),
};
static const struct metric_kind access_kind = { "access_log", metrics, sizeof metrics / sizeof metrics[0], sizeof(struct access_stats), 1 };

struct access_logs {
	struct access_logs_options options;
	struct channel *inbox;
	struct scope *scope; /* NULL: no log yet */
	struct access_stats *stats;
	struct access_log *known; /* control: all, by `next` */
	struct list logs;         /* the loop's: all, by `link` */
	struct timer look;
	int64_t looked; /* loop_now, the last time */
};

struct access_log {
	struct access_log *next;
	struct list link;
	struct access_logs *logs;
	struct slice path;       /* ends in NUL */
	struct slice begin, end; /* of it, around the date of what is rolled */
	bool begins_empty;       /* control: and its loop was not told to begin */
	/* the loop's, once it has it */
	struct access_log_policy policy; /* but its path, which belongs to a snapshot */
	struct log_file *file;           /* NULL: it could not be opened */
	size_t batch;                    /* of it, or of what was there before */
	int64_t opened;                  /* wall time */
	int64_t roll_at;                 /* wall time, or CLOCK_NEVER */
	int64_t retry_at;                /* loop_now */
	int error;                       /* of the last time; 0: all is well */
	uint64_t lost;                   /* since then */
	bool waits;                      /* its file is to begin empty, once access_logs_begin says so */
	unsigned turn;                   /* the ring that is written first */
	struct ring_reader {
		struct lines *lines;
		struct lines_mark end; /* how far it is written before another's turn comes */
		uint32_t count;        /* that far: lines that were told of in the metrics */
		uint64_t lost;         /* of those that weren't yet */
	} rings[];                     /* by worker */
};

static struct loop *loop_of(const struct access_log *log)
{
	return log->logs->options.loop;
}

/* ---- when it is rolled ---- */

/* The wall time is after 1970. */
static int64_t next_roll(const struct access_log_policy *policy, int64_t wall)
{
	int64_t days = wall / DAY;
	struct clock_date date;

	switch (policy->roll) {
	case ROLL_HOURLY:
		return (wall / HOUR + 1) * HOUR;
	case ROLL_DAILY:
		return (days + 1) * DAY;
	case ROLL_WEEKLY:
		clock_split(wall, &date);
		return (days + 1 + (policy->weekday + 6 - date.weekday) % 7) * DAY;
	case ROLL_NEVER:
	case ROLL_SIZE:
		break;
	}
	return CLOCK_NEVER;
}

static void show_date(const struct access_log *log, struct text *out)
{
	struct clock_date date;

	clock_split(log->opened, &date);
	text_format(out, "%04d%02u%02u", (int)date.year, date.month, date.day);
	if (log->policy.roll == ROLL_HOURLY)
		text_format(out, "-%02u", date.hour);
	else if (log->policy.roll != ROLL_DAILY && log->policy.roll != ROLL_WEEKLY)
		text_format(out, "-%02u%02u%02u", date.hour, date.minute, date.second);
}

/* ---- opening and rolling ---- */

static void opened(struct access_log *log, int64_t wall)
{
	if (log->file)
		log->batch = log_file_batch(log->file);
	log->opened = wall;
	log->roll_at = next_roll(&log->policy, wall);
}

static int open_again(struct access_log *log)
{
	int e = log_file_open(log->path.at, &log->file);

	if (!e)
		opened(log, loop_wall(loop_of(log)));
	return e;
}

static int rename_rolled(struct access_log *log)
{
	int e = ERROR_EXISTS;

	for (unsigned i = 0; e == ERROR_EXISTS && i < ROLL_TRIES; i++) {
		struct text name = { 0 };

		text_format(&name, "%.*s", SLICE_ARGS(log->begin));
		show_date(log, &name);
		if (i)
			text_format(&name, "-%02u", i);
		text_append(&name, log->end);
		e = log_file_roll(log->path.at, name.bytes);
		text_free(&name);
	}
	return e;
}

/* What can't be renamed is written to as before, until the next time. */
static void roll(struct access_log *log)
{
	int e;

	if (!log_file_is_at(log->file, log->path.at)) { /* somebody else has rolled it: after a handover two processes write here */
		log_file_close(log->file);
		log->file = NULL;
		return;
	}
	e = rename_rolled(log);
	opened(log, loop_wall(loop_of(log)));
	if (e) {
		LOG(LOG_WARN, "observe", "cannot roll %s: %s", log->path.at, error_text(e));
		return;
	}
	counter_add(&log->logs->stats->rolls, 1);
	log_file_close(log->file);
	log->file = NULL;
	if (log->policy.rotate_count >= 0)
		(void)log_file_prune(log->begin, log->end, (unsigned)log->policy.rotate_count);
}

static void roll_if_due(struct access_log *log, size_t more)
{
	uint64_t size = log->file ? log_file_size(log->file) : 0;

	if (!size)
		return;
	if (loop_wall(loop_of(log)) >= log->roll_at || (log->policy.roll == ROLL_SIZE && size + more > log->policy.roll_bytes))
		roll(log);
}

/* ---- writing ---- */

static uint64_t count_lines(struct slice bytes)
{
	uint64_t count = 0;

	for (const char *at = bytes.at, *end = bytes.at + bytes.length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		count++;
	return count;
}

static void failed(struct access_log *log, int error)
{
	counter_add(&log->logs->stats->failures, 1);
	if (!log->error)
		LOG(LOG_ERROR, "observe", "cannot write %s: %s; requests go on, and their lines are lost", log->path.at,
			error == ERROR_LIMIT ? "the disk is full, or too many files are open" : error_text(error));
	log->error = error;
	log->retry_at = loop_now(loop_of(log)) + RETRY;
	log_file_close(log->file);
	log->file = NULL;
}

static void recovered(struct access_log *log)
{
	LOG(LOG_WARN, "observe", "%s is written to again; %llu lines were lost", log->path.at, (unsigned long long)log->lost);
	log->error = 0;
	log->lost = 0;
}

/* Writes them or, where that fails, adds how many lines are lost. False: there is no room now. */
static bool put(struct access_log *log, struct slice bytes, uint64_t *lost)
{
	int e = log->error;
	uint64_t count;

	if (!e || loop_now(loop_of(log)) >= log->retry_at) {
		roll_if_due(log, bytes.length);
		e = log->file ? 0 : open_again(log);
		if (!e)
			e = log_file_write(log->file, bytes);
		if (e == ERROR_BUSY)
			return false;
		if (e)
			failed(log, e);
	}
	if (!e) {
		if (log->error)
			recovered(log);
		return true;
	}
	count = count_lines(bytes);
	log->lost += count;
	*lost += count;
	counter_add(&log->logs->stats->lost, count);
	return true;
}

static size_t batch_of(const struct access_log *log)
{
	if (log->policy.roll != ROLL_SIZE || log->policy.roll_bytes >= log->batch)
		return log->batch;
	return log->policy.roll_bytes > LINES_MOST_LINE ? log->policy.roll_bytes : LINES_MOST_LINE;
}

/* All that its worker had written when its turn came. False: there is no room for it now. */
static bool drain_ring(struct access_log *log, struct ring_reader *reader)
{
	struct slice some;

	if (!lines_waiting(reader->lines, reader->end))
		reader->end = lines_end(reader->lines);
	while ((some = lines_peek(reader->lines, reader->end, batch_of(log))).length) {
		if (!put(log, some, &reader->lost))
			return false;
		lines_release(reader->lines, some.length);
	}
	counter_add(&log->logs->stats->written, reader->end.count - reader->count - reader->lost);
	reader->count = reader->end.count;
	reader->lost = 0;
	return true;
}

/* How full the fullest of its rings is. */
static unsigned fullness(const struct access_log *log)
{
	unsigned fullest = 0;

	for (unsigned i = 0; i < log->logs->options.workers; i++) {
		const struct lines *lines = log->rings[i].lines;
		unsigned full = (unsigned)((uint64_t)lines_waiting(lines, lines_end(lines)) * FULL / lines_capacity(lines));

		fullest = full > fullest ? full : fullest;
	}
	return fullest;
}

/* A ring whose lines found no room is the first one the next time. */
static void drain(struct access_log *log)
{
	unsigned workers = log->logs->options.workers;

	if (log->waits)
		return;
	roll_if_due(log, 0);
	for (unsigned i = 0; i < workers && drain_ring(log, &log->rings[log->turn]); i++)
		log->turn = (log->turn + 1) % workers;
}

/* Until the fullest ring will be half full, if it goes on filling as it did since the last time. */
static int64_t next_look(int64_t since, unsigned fullest)
{
	int64_t half = fullest ? since * (FULL / 2) / fullest : SELDOM;

	return half < OFTEN ? OFTEN : half > SELDOM ? SELDOM : half;
}

static void look(void *owner)
{
	struct access_logs *logs = owner;
	int64_t now = loop_now(logs->options.loop);
	unsigned fullest = 0;

	LIST_EACH(&logs->logs, link) {
		struct access_log *log = LIST_OF(link, struct access_log, link);
		unsigned full = fullness(log);

		drain(log);
		fullest = full > fullest ? full : fullest;
	}
	timer_set(logs->options.loop, &logs->look, now + next_look(now - logs->looked, fullest));
	logs->looked = now;
}

/* ---- what the control thread says ---- */

static void deliver_log(const struct message *message)
{
	struct access_logs *logs = message->owner;
	struct access_log *log = message->a;

	list_append(&logs->logs, &log->link);
	opened(log, loop_wall(logs->options.loop));
	if (!timer_is_set(&logs->look))
		look(logs);
}

static void deliver_begin(const struct message *message)
{
	struct access_log *log = message->owner;
	int e = log->file ? log_file_empty(log->file) : 0;

	log->waits = false;
	if (e)
		failed(log, e);
}

static void deliver_policy(const struct message *message)
{
	struct access_log *log = message->owner;
	struct access_log_policy *policy = message->a;

	log->policy = *policy;
	log->roll_at = next_roll(policy, loop_wall(loop_of(log)));
	memory_free(policy);
}

static void deliver_reopen(const struct message *message)
{
	struct access_logs *logs = message->owner;

	LIST_EACH(&logs->logs, link) {
		struct access_log *log = LIST_OF(link, struct access_log, link);
		int e;

		log_file_close(log->file);
		log->file = NULL;
		e = open_again(log);
		if (e)
			failed(log, e);
	}
}

struct access_log *access_logs_find(const struct access_logs *logs, struct slice path)
{
	for (struct access_log *log = logs->known; log; log = log->next)
		if (slice_equal(log->path, path))
			return log;
	return NULL;
}

/* "logs/access.log" is rolled to "logs/access-20261126.log". */
static void split_path(struct access_log *log, char *begin)
{
	struct slice path = log->path;
	size_t dot = path.length;

	for (size_t i = path.length; i > 0 && path.at[i - 1] != '/'; i--)
		if (path.at[i - 1] == '.' && i > 1 && path.at[i - 2] != '/' && dot == path.length)
			dot = i - 1;
	memcpy(begin, path.at, dot);
	begin[dot] = '-';
	log->begin = slice_make(begin, dot + 1);
	log->end = slice_from(path, dot);
}

static void log_free(struct access_log *log)
{
	for (unsigned i = 0; i < log->logs->options.workers; i++)
		lines_free(log->rings[i].lines);
	log_file_close(log->file);
	memory_free((void *)(uintptr_t)log->begin.at);
	memory_free((void *)(uintptr_t)log->path.at);
	memory_free(log);
}

static int log_new(struct access_logs *logs, const struct access_log_policy *policy, struct access_log **out)
{
	struct access_log *log = memory_new(sizeof *log + logs->options.workers * sizeof log->rings[0]);
	uint32_t bytes = logs->options.ring_bytes ? logs->options.ring_bytes : RING_BYTES;
	int e;

	log->logs = logs;
	log->policy = *policy;
	log->begins_empty = log->waits = !policy->append && !logs->options.takes_over;
	log->path = slice_of(memory_text(policy->path));
	split_path(log, memory_array(policy->path.length + 1, 1));
	list_init(&log->link);
	for (unsigned i = 0; i < logs->options.workers; i++)
		log->rings[i].lines = lines_new(bytes);
	e = log_file_open(log->path.at, &log->file);
	if (!e)
		e = channel_post(logs->inbox, (struct message){ .deliver = deliver_log, .owner = logs, .a = log });
	if (e) {
		log_free(log);
		return e;
	}
	log->next = logs->known;
	logs->known = log;
	*out = log;
	return 0;
}

static void show_metrics(struct access_logs *logs)
{
	const struct scope_label name = { SLICE("access_log"), { 0 } };

	logs->scope = metrics_scope(logs->options.metrics, &access_kind, &name, 1);
	logs->stats = scope_shard(logs->scope, 0);
}

int access_logs_open(struct access_logs *logs, const struct access_log_policy *policy, struct access_log **out)
{
	struct access_log *log = access_logs_find(logs, policy->path);
	struct access_log_policy *copy;
	int e;

	if (!logs->scope)
		show_metrics(logs);
	if (!log)
		return log_new(logs, policy, out);
	copy = memory_new(sizeof *copy);
	*copy = *policy;
	e = channel_post(logs->inbox, (struct message){ .deliver = deliver_policy, .owner = log, .a = copy });
	if (e)
		memory_free(copy);
	*out = log;
	return e;
}

void access_logs_begin(struct access_logs *logs)
{
	for (struct access_log *log = logs->known; log; log = log->next) {
		if (!log->begins_empty)
			continue;
		if (channel_post(logs->inbox, (struct message){ .deliver = deliver_begin, .owner = log }))
			return;
		log->begins_empty = false;
	}
	logs->options.takes_over = false;
}

struct lines *access_log_lines(struct access_log *log, unsigned worker)
{
	return log->rings[worker].lines;
}

void access_logs_reopen(struct access_logs *logs)
{
	if (channel_post(logs->inbox, (struct message){ .deliver = deliver_reopen, .owner = logs }))
		LOG(LOG_WARN, "observe", "the access logs are not opened anew: their thread has too much to do");
}

int access_logs_new(const struct access_logs_options *options, struct access_logs **out)
{
	struct access_logs *logs = memory_new(sizeof *logs);
	int e;

	logs->options = *options;
	list_init(&logs->logs);
	timer_init(&logs->look, look, logs);
	e = channel_new(options->loop, INBOX, &logs->inbox);
	if (e) {
		memory_free(logs);
		return e;
	}
	*out = logs;
	return 0;
}

static bool something_waits(const struct access_log *log)
{
	for (unsigned i = 0; i < log->logs->options.workers; i++)
		if (lines_waiting(log->rings[i].lines, lines_end(log->rings[i].lines)))
			return true;
	return false;
}

/* Until nothing is left, or who reads it has stood still for about a second. */
static void write_rest(struct access_log *log)
{
	for (unsigned i = 0; i < LAST_TRIES && something_waits(log); i++)
		drain(log);
	if (something_waits(log) && !log->waits)
		LOG(LOG_WARN, "observe", "%s: nobody reads it; its last lines are lost", log->path.at);
}

void access_logs_free(struct access_logs *logs)
{
	struct access_log *log;

	if (!logs)
		return;
	channel_free(logs->inbox);
	LIST_EACH(&logs->logs, link)
		write_rest(LIST_OF(link, struct access_log, link));
	timer_cancel(logs->options.loop, &logs->look);
	while ((log = logs->known)) {
		logs->known = log->next;
		log_free(log);
	}
	if (logs->scope)
		scope_unref(logs->scope);
	memory_free(logs);
}
