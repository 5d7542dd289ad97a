/* SPDX-License-Identifier: Apache-2.0 */
/* Watches on directories, over one inotify(7) instance for each loop.
 *
 * A watch whose directory does not exist stands on the nearest ancestor that does, and climbs down as the missing ones
 * appear. Watches on one directory share one kernel watch: inotify gives the same number for it. What happens is gathered for
 * some milliseconds and then told, each name once. */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/kernel/kernel.h"

enum {
	MASK = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
	MOST_NAMES = 256, /* more than this in one gathering: "anything" */
	READ_BYTES = 16 * 1024,
};
static const int64_t gathering_time = 10 * CLOCK_MS;

struct inotify {
	struct source source;
	struct loop *loop;
	struct list watches;
};

struct name {
	struct list link;
	struct slice bytes;
};

struct watch {
	struct list link; /* in inotify->watches */
	struct inotify *inotify;
	char *path;
	void (*changed)(void *owner, struct slice name);
	void *owner;
	int number;   /* inotify's, -1: nothing to stand on */
	bool arrived; /* it is the directory's own, not an ancestor's */
	bool anything;
	struct list names;
	unsigned name_count;
	struct timer gathering;
	bool telling, freed; /* freed while names are told: on_gathered ends it */
};

static void forget_names(struct watch *watch)
{
	struct list *link;
	while ((link = list_first(&watch->names))) {
		struct name *name = LIST_OF(link, struct name, link);
		list_remove(link);
		memory_free(name->bytes.at);
		memory_free(name);
	}
	watch->name_count = 0;
}

static void gather(struct watch *watch)
{
	struct loop *loop = watch->inotify->loop;
	if (!timer_is_set(&watch->gathering))
		timer_set(loop, &watch->gathering, clock_after(loop->now, gathering_time));
}

static void gather_anything(struct watch *watch)
{
	watch->anything = true;
	forget_names(watch);
	gather(watch);
}

static void gather_name(struct watch *watch, struct slice bytes)
{
	gather(watch);
	if (watch->anything)
		return;
	LIST_EACH(&watch->names, link)
		if (slice_equal(LIST_OF(link, struct name, link)->bytes, bytes))
			return;
	if (watch->name_count == MOST_NAMES) {
		gather_anything(watch);
		return;
	}
	struct name *name = memory_new(sizeof *name);
	name->bytes = slice_make(memory_text(bytes), bytes.length);
	list_append(&watch->names, &name->link);
	watch->name_count++;
}

static void end(struct watch *watch)
{
	forget_names(watch);
	memory_free(watch->path);
	memory_free(watch);
}

/* One call for each name. The callback may free the watch. */
static void on_gathered(void *owner)
{
	struct watch *watch = owner;
	struct list *link;
	watch->telling = true;
	if (watch->anything) {
		watch->anything = false;
		watch->changed(watch->owner, SLICE(""));
	}
	while (!watch->freed && (link = list_first(&watch->names))) {
		struct name *name = LIST_OF(link, struct name, link);
		list_remove(link);
		watch->name_count--;
		watch->changed(watch->owner, name->bytes);
		memory_free(name->bytes.at);
		memory_free(name);
	}
	watch->telling = false;
	if (watch->freed)
		end(watch);
}

/* The kernel's watch goes with the last of ours that stands on it. */
static void leave(struct watch *watch)
{
	struct inotify *inotify = watch->inotify;
	int number = watch->number;
	watch->number = -1;
	watch->arrived = false;
	if (number < 0)
		return;
	LIST_EACH(&inotify->watches, link)
		if (LIST_OF(link, struct watch, link)->number == number)
			return;
	(void)!inotify_rm_watch(inotify->source.fd, number); /* the directory may be gone already */
}

/* Cuts the last part off: "a/b" to "a", "a" to ".", "/a" to "/". False at the top. */
static bool to_parent(char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	char *slash = strrchr(path, '/');
	if (!slash)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
	return true;
}

/* Stands on the directory, or on the nearest ancestor. While that is being looked for, a missing directory may appear; so
 * what was found is looked at once more from the top. An error: there is nothing at all to stand on. */
static int stand(struct watch *watch)
{
	int e = 0;
	char *path = memory_array(strlen(watch->path) + 2, 1);
	int fd = watch->inotify->source.fd;
	for (int last = -2;;) {
		int number;
		bool arrived = true;
		strcpy(path, watch->path);
		while ((number = inotify_add_watch(fd, path, MASK)) < 0 && to_parent(path))
			arrived = false;
		e = number < 0 ? kernel_error(errno) : 0;
		if (number != watch->number)
			leave(watch);
		watch->number = number;
		watch->arrived = arrived && number >= 0;
		if (watch->arrived || number == last)
			break;
		last = number;
	}
	memory_free(path);
	return e;
}

static void on_event(struct watch *watch, const struct inotify_event *event)
{
	bool gone = event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT);
	if (event->mask & IN_IGNORED)
		watch->number = -1; /* the kernel has taken it away */
	if (watch->arrived && !gone) {
		gather_name(watch, slice_of(event->len ? event->name : ""));
		return;
	}
	bool arrived_before = watch->arrived;
	if (gone)
		leave(watch);
	(void)stand(watch);
	if (arrived_before || watch->arrived)
		gather_anything(watch);
}

static void on_events_of(struct inotify *inotify, const struct inotify_event *event)
{
	LIST_EACH(&inotify->watches, link) {
		struct watch *watch = LIST_OF(link, struct watch, link);
		if (event->mask & IN_Q_OVERFLOW) {
			(void)stand(watch);
			gather_anything(watch);
		} else if (event->wd == watch->number) {
			on_event(watch, event);
		}
	}
}

/* Nothing is told from here: on_event only gathers, so the list of watches stays as it is. */
static void on_readable(struct source *source, uint32_t events)
{
	struct inotify *inotify = LIST_OF(source, struct inotify, source);
	_Alignas(struct inotify_event) char bytes[READ_BYTES];
	(void)events;
	ssize_t n = read(source->fd, bytes, sizeof bytes);
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *event = (const void *)(bytes + at);
		on_events_of(inotify, event);
		at += (ssize_t)(sizeof *event + event->len);
	}
}

static int inotify_of(struct loop *loop, struct inotify **result)
{
	if (!loop->inotify) {
		int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (fd < 0)
			return kernel_error(errno);
		struct inotify *inotify = memory_new(sizeof *inotify);
		*inotify = (struct inotify){ .source = { .ready = on_readable, .fd = fd }, .loop = loop };
		list_init(&inotify->source.link);
		list_init(&inotify->watches);
		int e = loop_register(loop, &inotify->source, EPOLLIN);
		if (e) {
			close(fd);
			memory_free(inotify);
			return e;
		}
		loop->inotify = inotify;
	}
	*result = loop->inotify;
	return 0;
}

int watch_new(struct loop *loop, const char *path, void (*changed)(void *owner, struct slice name), void *owner, struct watch **result)
{
	struct inotify *inotify = NULL;
	int e = inotify_of(loop, &inotify);
	if (e)
		return e;
	struct watch *watch = memory_new(sizeof *watch);
	*watch = (struct watch){
		.inotify = inotify,
		.path = memory_text(slice_of(*path ? path : ".")),
		.changed = changed,
		.owner = owner,
		.number = -1,
	};
	list_init(&watch->names);
	timer_init(&watch->gathering, on_gathered, watch);
	list_append(&inotify->watches, &watch->link);
	loop->others++;
	e = stand(watch);
	if (e) { /* no right to look, or no watches left */
		watch_free(watch);
		return e;
	}
	*result = watch;
	return 0;
}

static void inotify_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct inotify, source));
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	struct inotify *inotify = watch->inotify;
	struct loop *loop = inotify->loop;
	list_remove(&watch->link);
	leave(watch);
	timer_cancel(loop, &watch->gathering);
	loop->others--;
	watch->freed = true;
	if (!watch->telling)
		end(watch);
	if (list_empty(&inotify->watches)) {
		loop->inotify = NULL;
		close(inotify->source.fd);
		loop_bury(loop, &inotify->source, inotify_gone);
	}
}
