/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a host, in memory, and watches on their directories. */
#include "io/sim/world.h"

enum { PATH_MOST = 1024, GATHER_NS = 20 * 1000 * 1000 };

struct file {
	struct list link; /* in its host */
	char *path;       /* clean */
	char *bytes;
	size_t length;
};

/* A name to tell, until the watch's time to gather has passed. */
struct change {
	struct list link;
	char *name;
};

struct watch {
	struct list link; /* in its process */
	struct loop *loop;
	char *path;
	struct ready ready;
	struct timer gather; /* the world's */
	struct list changes;
	void (*changed)(void *owner, struct slice name);
	void *owner;
	bool telling, freed; /* freed while it tells: its memory behind that */
};

/* "/a//b/./c/" → "/a/b/c"; "" for the directory where relative paths begin. */
static char *path_clean(const char *path)
{
	char clean[PATH_MOST];
	size_t length = 0;
	struct slice rest = slice_of(path), part;
	CHECK(rest.length < PATH_MOST);
	bool absolute = rest.length > 0 && rest.at[0] == '/';
	while (slice_split(&rest, '/', &part)) {
		if (part.length == 0 || slice_equal(part, SLICE(".")))
			continue;
		if (length > 0 || absolute)
			clean[length++] = '/';
		memcpy(clean + length, part.at, part.length);
		length += part.length;
	}
	return memory_text(slice_make(clean, length));
}

static struct file *file_find(struct network *host, const char *clean)
{
	LIST_EACH(&host->files, link) {
		struct file *file = LIST_OF(link, struct file, link);
		if (strcmp(file->path, clean) == 0)
			return file;
	}
	return NULL;
}

/* What of `path` lies inside `directory`: "b/c" of "/a/b/c" inside "/a"; NULL when it does not. */
static const char *path_inside(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	if (length == 0)
		return path[0] == '/' ? NULL : path;
	return strncmp(path, directory, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static unsigned count_inside(struct network *host, const char *directory)
{
	unsigned count = 0;
	LIST_EACH(&host->files, link)
		count += path_inside(LIST_OF(link, struct file, link)->path, directory) != NULL;
	return count;
}

static void file_free(struct file *file)
{
	list_remove(&file->link);
	memory_free(file->path);
	memory_free(file->bytes);
	memory_free(file);
}

void files_free(struct network *host)
{
	LIST_EACH_SAFE(&host->files, link, after)
		file_free(LIST_OF(link, struct file, link));
}

/* --- watches --- */

static void change_free(struct change *change)
{
	list_remove(&change->link);
	memory_free(change->name);
	memory_free(change);
}

static void watch_note(struct watch *watch, struct slice name)
{
	struct sim *sim = watch->loop->sim;
	LIST_EACH(&watch->changes, link) {
		if (slice_equal(slice_of(LIST_OF(link, struct change, link)->name), name))
			return;
	}
	struct change *change = memory_new(sizeof(*change));
	change->name = memory_text(name);
	list_append(&watch->changes, &change->link);
	if (!timer_is_set(&watch->gather))
		timers_set(&sim->events, &watch->gather, sim->now + world_draw(sim, GATHER_NS));
}

static void gathered(void *owner)
{
	struct watch *watch = owner;
	loop_ready(watch->loop, &watch->ready);
}

static void tell(struct ready *ready)
{
	struct watch *watch = LIST_OF(ready, struct watch, ready);
	struct loop *loop = watch->loop;
	watch->telling = true;
	while (!watch->freed && !list_empty(&watch->changes) && !loop_dead(loop)) {
		struct change *change = LIST_OF(list_first(&watch->changes), struct change, link);
		char *name = change->name;
		change->name = NULL;
		change_free(change);
		world_say(loop->sim, EVENT_FILE, name, strlen(name));
		watch->changed(watch->owner, slice_of(name));
		memory_free(name);
		loop_run_tasks(loop);
	}
	watch->telling = false;
	if (watch->freed)
		memory_free(watch);
}

int watch_new(struct loop *loop, const char *path, void (*changed)(void *owner, struct slice name), void *owner, struct watch **result)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	struct watch *watch = memory_new(sizeof(*watch));
	*watch = (struct watch){
		.loop = loop,
		.path = path_clean(path),
		.ready = { .tell = tell },
		.changed = changed,
		.owner = owner,
	};
	list_init(&watch->ready.link);
	list_init(&watch->changes);
	timer_init(&watch->gather, gathered, watch);
	list_append(&loop->process->watches, &watch->link);
	*result = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch->freed = true;
	timers_cancel(&watch->loop->sim->events, &watch->gather);
	loop_unready(watch->loop, &watch->ready);
	LIST_EACH_SAFE(&watch->changes, link, after)
		change_free(LIST_OF(link, struct change, link));
	list_remove(&watch->link);
	memory_free(watch->path);
	if (!watch->telling)
		memory_free(watch);
}

/* The first `length` bytes of `path` are a directory that came, or goes, with this one file. */
static bool is_alone_in(struct network *host, const char *path, size_t length)
{
	char *directory = memory_text(slice_make(path, length));
	unsigned count = count_inside(host, directory);
	memory_free(directory);
	return count == 1;
}

static void watches_hear(struct network *host, const char *path, bool made_or_removed)
{
	LIST_EACH(&host->processes, at) {
		struct sim_process *process = LIST_OF(at, struct sim_process, link);
		if (process->crashed)
			continue;
		LIST_EACH(&process->watches, link) {
			struct watch *watch = LIST_OF(link, struct watch, link);
			const char *name = path_inside(path, watch->path);
			if (!name)
				continue;
			/* The first file made, or the last removed: the directory came or went with it. */
			if (made_or_removed && count_inside(host, watch->path) == 1)
				watch_note(watch, SLICE(""));
			size_t length = strcspn(name, "/");
			size_t end = (size_t)(name - path) + length;
			if (name[length] == '\0' || (made_or_removed && is_alone_in(host, path, end)))
				watch_note(watch, slice_make(name, length));
		}
	}
}

/* --- files --- */

void sim_file_put(struct network *host, const char *path, struct slice bytes)
{
	char *clean = path_clean(path);
	struct file *file = file_find(host, clean);
	bool made = !file;
	if (made) {
		file = memory_new(sizeof(*file));
		file->path = clean;
		list_append(&host->files, &file->link);
	} else {
		memory_free(clean);
	}
	/* First, for it may be this file's own bytes. */
	char *copy = memory_text(bytes);
	memory_free(file->bytes);
	file->bytes = copy;
	file->length = bytes.length;
	world_say(host->sim, EVENT_FILE, file->path, strlen(file->path));
	watches_hear(host, file->path, made);
}

void sim_file_remove(struct network *host, const char *path)
{
	char *clean = path_clean(path);
	struct file *file = file_find(host, clean);
	if (file) {
		world_say(host->sim, EVENT_FILE, clean, strlen(clean));
		watches_hear(host, clean, true);
		file_free(file);
	}
	memory_free(clean);
}

struct slice sim_file(struct network *host, const char *path)
{
	char *clean = path_clean(path);
	struct file *file = file_find(host, clean);
	memory_free(clean);
	return file ? slice_make(file->bytes, file->length) : (struct slice){ 0 };
}

int file_read(const char *path, size_t max, struct slice *bytes)
{
	struct network *host = process_current()->host;
	if (world_fails(host->sim, SIM_CALL_FILE_READ))
		return ERROR_IO;
	char *clean = path_clean(path);
	struct file *file = file_find(host, clean);
	unsigned inside = file ? 0 : count_inside(host, clean);
	memory_free(clean);
	if (!file)
		return inside ? ERROR_INVALID : ERROR_NOT_FOUND;
	if (file->length > max)
		return ERROR_LIMIT;
	*bytes = slice_make(memory_text(slice_make(file->bytes, file->length)), file->length);
	return 0;
}

int file_write(const char *path, struct slice bytes, unsigned mode)
{
	(void)mode;
	sim_file_put(process_current()->host, path, bytes);
	return 0;
}

int file_replace(const char *path, const char *temporary, struct slice bytes, unsigned mode)
{
	(void)temporary;
	return file_write(path, bytes, mode);
}

int file_make_directory(const char *path, unsigned mode)
{
	(void)path;
	(void)mode;
	return 0;
}

/* --- locks --- */

struct file_lock {
	struct list link; /* in its process */
	char *path;       /* clean */
};

static bool is_locked(struct network *host, const char *clean)
{
	LIST_EACH(&host->processes, at) {
		struct sim_process *process = LIST_OF(at, struct sim_process, link);
		if (process->crashed)
			continue;
		LIST_EACH(&process->file_locks, link) {
			if (strcmp(LIST_OF(link, struct file_lock, link)->path, clean) == 0)
				return true;
		}
	}
	return false;
}

int file_lock_take(const char *path, struct file_lock **result)
{
	struct sim_process *process = process_current();
	char *clean = path_clean(path);
	if (is_locked(process->host, clean)) {
		memory_free(clean);
		return ERROR_BUSY;
	}
	struct file_lock *lock = memory_new(sizeof(*lock));
	lock->path = clean;
	list_append(&process->file_locks, &lock->link);
	*result = lock;
	return 0;
}

void file_lock_release(struct file_lock *lock)
{
	if (!lock)
		return;
	list_remove(&lock->link);
	memory_free(lock->path);
	memory_free(lock);
}

/* What a crashed process held. */
void file_locks_forget(struct sim_process *process)
{
	LIST_EACH_SAFE(&process->file_locks, link, after)
		file_lock_release(LIST_OF(link, struct file_lock, link));
}

void file_print(bool error, struct slice bytes)
{
	(void)error;
	world_say(world_current(), EVENT_PRINT, bytes.at, bytes.length);
}
