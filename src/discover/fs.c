/* SPDX-License-Identifier: Apache-2.0 */
/* The directories and files that somebody asks about are nodes of a tree. A watch belongs to the node where its walk
 * ended: a file, something that is not there, or a directory when the name ends too early. A node exists as long as a
 * watch belongs to it or to a node below it; a directory is watched as long as its node exists. When a node changes
 * its kind, the watches at and below it walk again.
 */
#include "discover/fs.h"

#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/fs_file.h"
#include "io/file.h"
#include "io/loop.h"

enum { FS_MAGIC = 0x66732121, LONGEST_NAME = 255 };

enum node_kind {
	ABSENT,
	PLAIN_FILE,
	DIRECTORY,
	UNWATCHED, /* a directory, but it can't be watched: see message */
};

struct node {
	struct fs *fs;
	struct node *parent;    /* NULL: the root */
	struct map_entry entry; /* in the parent's children, by name */
	char *path;
	enum node_kind kind;
	struct list watches;         /* struct fs_watch.link: walks that ended here */
	struct map children;         /* directory */
	struct watch *directory;     /* directory */
	struct host_set *hosts;      /* file, unless it failed */
	struct endpoints *endpoints; /* file: counted, what is told */
	struct text message;         /* unwatched */
};

struct fs_watch {
	struct namer_watch base;
	struct list link;  /* in node->watches */
	struct list dirty; /* in fs->dirty */
	struct node *node;
	struct path name; /* heap: prefix and what is below */
	uint32_t walked;  /* segments below the prefix that led to the node */
};

struct fs {
	struct namer base;
	uint32_t magic;
	struct discover discover;
	struct node *root; /* NULL when nobody asks */
	char *root_path;
	struct list dirty; /* struct fs_watch.dirty: to be told that they have changed */
	struct task tell;
	uint32_t watch_count;
	uint64_t version; /* of the newest endpoints */
};

static void directory_changed(void *owner, struct slice name);

/* ---- telling ---- */

static void tell(void *owner)
{
	struct fs *fs = owner;
	CHECK_MAGIC(fs, FS_MAGIC);
	for (struct list *link = list_first(&fs->dirty); link; link = list_first(&fs->dirty)) {
		struct fs_watch *watch = LIST_OF(link, struct fs_watch, dirty);
		list_remove(link);
		watch->base.changed(watch->base.owner);
	}
}

static void mark(struct fs_watch *watch)
{
	struct fs *fs = (struct fs *)watch->base.namer;
	list_remove(&watch->dirty);
	list_append(&fs->dirty, &watch->dirty);
	task_set(fs->discover.loop, &fs->tell);
}

/* Makes the answer what the node says. */
static void answer(struct fs_watch *watch)
{
	uint32_t consumed = watch->base.namer->prefix.count + watch->walked;
	struct namer_answer *answer = &watch->base.answer;
	*answer = (struct namer_answer){ .state = NAMER_NEG };
	if (watch->node->kind == UNWATCHED) {
		answer->state = NAMER_FAILED;
		answer->message = text_slice(&watch->node->message);
	} else if (watch->node->kind == PLAIN_FILE) {
		answer->state = NAMER_LEAF;
		answer->id = path_first(watch->name, consumed);
		answer->residual = path_from(watch->name, consumed);
		answer->endpoints = watch->node->endpoints;
	}
}

static void node_told(struct node *node)
{
	LIST_EACH(&node->watches, link) {
		struct fs_watch *watch = LIST_OF(link, struct fs_watch, link);
		answer(watch);
		mark(watch);
	}
}

/* ---- a file's endpoints ---- */

/* Takes `endpoints`. */
static void set_endpoints(struct node *node, struct endpoints *endpoints)
{
	if (node->endpoints && endpoints_equal(node->endpoints, endpoints)) {
		endpoints_unref(endpoints);
		return;
	}
	endpoints_unref(node->endpoints);
	node->endpoints = endpoints;
	LOG(LOG_DEBUG, "discover", "%s is %s, with %u endpoints", node->path, endpoints_state_text(endpoints->state), endpoints->count);
	node_told(node);
}

static void hosts_changed(void *owner)
{
	struct node *node = owner;
	set_endpoints(node, endpoints_ref(host_set_endpoints(node->hosts)));
}

static void fail_file(struct node *node, struct slice why)
{
	struct text message = { 0 };
	text_format(&message, "%s: %.*s", node->path, SLICE_ARGS(why));
	struct endpoints *failed = endpoints_new_state(ENDPOINTS_FAILED, text_slice(&message), ++node->fs->version);
	if (!node->endpoints || !endpoints_equal(node->endpoints, failed))
		LOG(LOG_WARN, "discover", "%s", message.bytes);
	host_set_free(node->hosts);
	node->hosts = NULL;
	set_endpoints(node, failed);
	text_free(&message);
}

/* New contents. Hosts whose names aren't resolved yet don't replace endpoints that are known. */
static void read_hosts(struct node *node, struct slice bytes)
{
	struct arena arena;
	struct fs_file file;
	struct slice why;
	arena_init(&arena, NULL, 0);
	if (fs_file_parse(bytes, &arena, &file, &why)) {
		fail_file(node, why);
	} else {
		host_set_free(node->hosts);
		node->hosts = host_set_new(&node->fs->discover, file.hosts, file.count, &node->fs->version, hosts_changed, node);
		struct endpoints *endpoints = host_set_endpoints(node->hosts);
		if (!node->endpoints || endpoints->state != ENDPOINTS_PENDING)
			set_endpoints(node, endpoints_ref(endpoints));
	}
	arena_reset(&arena);
}

static struct slice read_error_text(int e)
{
	return e == ERROR_LIMIT ? SLICE("larger than 500 KB") : slice_of(error_text(e));
}

/* ---- nodes ---- */

static void close_node(struct node *node)
{
	if (node->directory)
		watch_free(node->directory);
	host_set_free(node->hosts);
	endpoints_unref(node->endpoints);
	node->directory = NULL;
	node->hosts = NULL;
	node->endpoints = NULL;
	text_clear(&node->message);
}

static struct node *new_node(struct fs *fs, struct node *parent, struct slice name)
{
	struct node *node = memory_new(sizeof *node);
	node->fs = fs;
	node->parent = parent;
	list_init(&node->watches);
	map_init(&node->children, 0);
	if (parent) {
		struct text path = { 0 };
		text_format(&path, "%s/%.*s", parent->path, SLICE_ARGS(name));
		node->path = path.bytes;
		/* The key is the path's end. */
		map_insert(&parent->children, &node->entry, slice_make(path.bytes + path.length - name.length, name.length));
	} else {
		node->path = memory_text(slice_of(fs->root_path));
	}
	return node;
}

/* A node without watches and children. */
static void free_node(struct node *node)
{
	CHECK(list_empty(&node->watches) && node->children.count == 0);
	close_node(node);
	if (node->parent)
		map_remove(&node->parent->children, &node->entry);
	else
		node->fs->root = NULL;
	map_fini(&node->children);
	text_free(&node->message);
	memory_free(node->path);
	memory_free(node);
}

/* Frees the node, and those above it, that nobody needs. */
static void prune(struct node *node)
{
	while (node && list_empty(&node->watches) && node->children.count == 0) {
		struct node *parent = node->parent;
		free_node(node);
		node = parent;
	}
}

/* Moves the watches of all that is below the node, and its own, to `list`, and frees what is below. */
static void take_watches(struct node *node, struct list *list)
{
	MAP_EACH_SAFE(&node->children, entry, after) {
		struct node *child = MAP_OF(entry, struct node, entry);
		take_watches(child, list);
		free_node(child);
	}
	LIST_EACH_SAFE(&node->watches, link, next) {
		list_remove(link);
		list_append(list, link);
	}
}

static void open_directory(struct node *node)
{
	int e = watch_new(node->fs->discover.loop, node->path, directory_changed, node, &node->directory);
	node->kind = DIRECTORY;
	if (e) {
		node->kind = UNWATCHED;
		text_format(&node->message, "cannot watch the directory %s: %s", node->path, error_text(e));
		LOG(LOG_WARN, "discover", "%s", node->message.bytes);
	}
}

/* Looks at what is there now, for the first time or again. */
static enum node_kind look(struct node *node, struct slice *bytes, int *e)
{
	*e = file_read(node->path, FS_MAX_FILE, bytes);
	if (*e == ERROR_INVALID)
		return DIRECTORY;
	return *e == ERROR_NOT_FOUND ? ABSENT : PLAIN_FILE;
}

static void become(struct node *node, enum node_kind kind, struct slice bytes, int e)
{
	node->kind = kind;
	if (kind == DIRECTORY)
		open_directory(node);
	else if (kind == PLAIN_FILE && e)
		fail_file(node, read_error_text(e));
	else if (kind == PLAIN_FILE)
		read_hosts(node, bytes);
	if (kind == PLAIN_FILE && !e)
		memory_free(bytes.at);
}

/* ---- walking ---- */

static bool can_be_name(struct slice name)
{
	return name.length <= LONGEST_NAME && memchr(name.at, '/', name.length) == NULL && memchr(name.at, '\0', name.length) == NULL &&
		!slice_equal(name, SLICE(".")) && !slice_equal(name, SLICE(".."));
}

static struct node *child_of(struct node *node, struct slice name)
{
	struct map_entry *found = map_find(&node->children, name);
	if (found)
		return MAP_OF(found, struct node, entry);
	struct node *child = new_node(node->fs, node, name);
	struct slice bytes;
	int e;
	enum node_kind kind = look(child, &bytes, &e);
	become(child, kind, bytes, e);
	return child;
}

static void walk(struct fs *fs, struct fs_watch *watch)
{
	struct path below = path_from(watch->name, fs->base.prefix.count);
	if (!fs->root) {
		fs->root = new_node(fs, NULL, SLICE(""));
		open_directory(fs->root);
	}
	watch->node = fs->root;
	watch->walked = 0;
	while (watch->node->kind == DIRECTORY && watch->walked < below.count) {
		struct slice name = below.segments[watch->walked];
		if (!can_be_name(name))
			break; /* neg, as every walk that ends at a directory */
		watch->node = child_of(watch->node, name);
		watch->walked++;
	}
	list_append(&watch->node->watches, &watch->link);
	answer(watch);
}

/* The node may have become something else. */
static void look_again(struct node *node)
{
	struct slice bytes;
	int e;
	enum node_kind kind = look(node, &bytes, &e);
	if (kind == node->kind && kind != PLAIN_FILE)
		return;
	if (kind == PLAIN_FILE && node->kind == PLAIN_FILE) {
		become(node, kind, bytes, e);
		return;
	}
	struct list moved;
	list_init(&moved);
	take_watches(node, &moved);
	close_node(node);
	become(node, kind, bytes, e);
	for (struct list *link = list_first(&moved); link; link = list_first(&moved)) {
		struct fs_watch *watch = LIST_OF(link, struct fs_watch, link);
		list_remove(link);
		walk(node->fs, watch);
		mark(watch);
	}
}

static void directory_changed(void *owner, struct slice name)
{
	struct node *node = owner;
	CHECK_MAGIC(node->fs, FS_MAGIC);
	/* Kubernetes swaps a whole mounted directory by renaming "..data", to which all names in it lead. */
	if (name.length == 0 || slice_starts(name, SLICE(".."))) {
		MAP_EACH_SAFE(&node->children, entry, after)
			look_again(MAP_OF(entry, struct node, entry));
		return;
	}
	struct map_entry *found = map_find(&node->children, name);
	if (found)
		look_again(MAP_OF(found, struct node, entry));
}

/* ---- the namer ---- */

static struct namer_watch *fs_lookup(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner)
{
	struct fs *fs = (struct fs *)namer;
	struct fs_watch *watch = memory_new(sizeof *watch);
	struct arena arena;
	struct path name;
	CHECK_MAGIC(fs, FS_MAGIC);
	arena_init(&arena, NULL, 0);
	if (path_concat(&arena, namer->prefix, below, &name))
		check_out_of_memory("a name of a file");
	watch->name = path_new(name);
	arena_reset(&arena);
	watch->base = (struct namer_watch){ .namer = namer, .changed = changed, .owner = owner };
	list_init(&watch->link);
	list_init(&watch->dirty);
	fs->watch_count++;
	walk(fs, watch);
	return &watch->base;
}

static void fs_cancel(struct namer_watch *base)
{
	struct fs_watch *watch = (struct fs_watch *)base;
	struct fs *fs = (struct fs *)base->namer;
	CHECK_MAGIC(fs, FS_MAGIC);
	list_remove(&watch->link);
	list_remove(&watch->dirty);
	prune(watch->node);
	path_free(&watch->name);
	memory_free(watch);
	fs->watch_count--;
}

static void fs_free(struct namer *namer)
{
	struct fs *fs = (struct fs *)namer;
	CHECK_MAGIC(fs, FS_MAGIC);
	CHECK(fs->watch_count == 0);
	task_cancel(fs->discover.loop, &fs->tell);
	path_free(&fs->base.prefix);
	memory_free(fs->root_path);
	fs->magic = 0;
	memory_free(fs);
}

static const struct namer_ops ops = {
	.kind = "io.l5d.fs",
	.lookup = fs_lookup,
	.cancel = fs_cancel,
	.free = fs_free,
};

int fs_new(const struct fs_options *options, struct namer **namer)
{
	if (!options->root || !options->root[0])
		return ERROR_INVALID;
	struct fs *fs = memory_new(sizeof *fs);
	fs->base.ops = &ops;
	fs->base.prefix = path_new(options->prefix);
	fs->magic = FS_MAGIC;
	fs->discover = options->discover;
	fs->root_path = memory_text(slice_of(options->root));
	list_init(&fs->dirty);
	task_init(&fs->tell, tell, fs);
	*namer = &fs->base;
	return 0;
}
