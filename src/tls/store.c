/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/store.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "io/loop.h"
#include "tls/client.h"
#include "tls/copy.h"
#include "tls/library.h"
#include "tls/server.h"
#include "tls/stream_parts.h"

enum { MAGIC = 0x544c5354, ROTATE_SECONDS = 3600, SWEEP_SECONDS = 60 };

/* After the last change of a file: a pair is written in two steps. */
static const int64_t settling = 200 * CLOCK_MS;

/* A directory with files of ours. */
struct folder {
	struct list link;
	char *path;
	struct watch *watch;
	bool needed; /* while they are swept */
};

/* One object. */
struct entry {
	struct list link;
	char *name;                /* of its options (tls/copy.h) */
	struct tls_server *server; /* one of the two; the store's reference */
	struct tls_client *client;
	int64_t good_at; /* by the loop, when what its files hold was taken last */
};

struct tls_store {
	uint32_t magic;
	struct loop *loop;
	struct list entries, folders;
	struct timer second, changed;
	unsigned seconds;
	struct tls_store_counters *counters; /* may be NULL */
};

static struct entry *entry_at(struct list *link)
{
	return LIST_OF(link, struct entry, link);
}

static struct folder *folder_at(struct list *link)
{
	return LIST_OF(link, struct folder, link);
}

static int64_t wall(const struct tls_store *store)
{
	return loop_wall(store->loop);
}

/* ---- watching ---- */

/* Which file it is doesn't matter: Kubernetes exchanges a link beside them (`..data`). */
static void file_changed(void *owner, struct slice name)
{
	struct tls_store *store = owner;

	(void)name;
	timer_set(store->loop, &store->changed, loop_now(store->loop) + settling);
}

static char *folder_of(struct slice path)
{
	const char *slash = memrchr(path.at, '/', path.length);

	if (!slash)
		return memory_text(SLICE("."));
	return memory_text(slice_make(path.at, slash == path.at ? 1 : (size_t)(slash - path.at)));
}

static void need_folder(struct tls_store *store, const struct tls_setting *setting)
{
	char *path;
	struct folder *folder;
	int e;

	if (setting->text.length == 0 || setting->source)
		return;
	path = folder_of(setting->text);
	LIST_EACH(&store->folders, link) {
		if (strcmp(folder_at(link)->path, path) == 0) {
			folder_at(link)->needed = true;
			memory_free(path);
			return;
		}
	}
	folder = memory_new(sizeof *folder);
	folder->path = path;
	folder->needed = true;
	e = watch_new(store->loop, path, file_changed, store, &folder->watch);
	if (e)
		LOG(LOG_WARN, "tls", "%s is not watched for changes: %s", path, error_text(e));
	list_append(&store->folders, &folder->link);
}

static void need_certificate(struct tls_store *store, const struct tls_certificate *certificate)
{
	need_folder(store, &certificate->chain);
	need_folder(store, &certificate->key);
	need_folder(store, &certificate->intermediates);
	need_folder(store, &certificate->ocsp);
}

static void need_folders(struct tls_store *store, const struct entry *entry)
{
	if (entry->server) {
		const struct tls_server_options *options = tls_server_options(entry->server);

		for (unsigned i = 0; i < options->certificate_count; i++)
			need_certificate(store, &options->certificates[i]);
		for (unsigned i = 0; i < options->trust_count; i++)
			need_folder(store, &options->trust[i]);
	} else {
		const struct tls_client_options *options = tls_client_options(entry->client);

		need_certificate(store, &options->certificate);
		for (unsigned i = 0; i < options->trust_count; i++)
			need_folder(store, &options->trust[i]);
	}
}

static void folder_free(struct folder *folder)
{
	list_remove(&folder->link);
	watch_free(folder->watch);
	memory_free(folder->path);
	memory_free(folder);
}

/* ---- entries ---- */

static void entry_free(struct entry *entry)
{
	list_remove(&entry->link);
	tls_server_unref(entry->server);
	tls_client_unref(entry->client);
	memory_free(entry->name);
	memory_free(entry);
}

static struct entry *entry_new(struct tls_store *store, const char *name)
{
	struct entry *entry = memory_new(sizeof *entry);

	entry->name = memory_text(slice_of(name));
	entry->good_at = loop_now(store->loop);
	list_append(&store->entries, &entry->link);
	return entry;
}

static struct entry *entry_find(struct tls_store *store, const char *name)
{
	LIST_EACH(&store->entries, link) {
		if (strcmp(entry_at(link)->name, name) == 0)
			return entry_at(link);
	}
	return NULL;
}

static bool is_unused(const struct entry *entry)
{
	return entry->server ? server_unused(entry->server) : client_unused(entry->client);
}

/* Loads again, and says what came of it. */
static int entry_reload(struct tls_store *store, struct entry *entry, struct problems *problems)
{
	bool changed = false;
	int e = entry->server ? tls_server_reload(entry->server, wall(store), problems, &changed)
			      : tls_client_reload(entry->client, wall(store), problems, &changed);

	if (!e)
		entry->good_at = loop_now(store->loop);
	if (changed) {
		if (store->counters)
			counter_add(&store->counters->reloads, 1);
		LOG(LOG_INFO, "tls", "certificates are loaded anew: %s",
			entry->server ? tls_server_options(entry->server)->certificates[0].chain.text.at
				: tls_client_options(entry->client)->certificate.chain.text.length
				? tls_client_options(entry->client)->certificate.chain.text.at
				: "what a client trusts");
	}
	return e;
}

/* One configuration asks for the same many times, in one turn of the loop. */
static int entry_reload_once(struct tls_store *store, struct entry *entry, struct problems *problems)
{
	return entry->good_at == loop_now(store->loop) ? 0 : entry_reload(store, entry, problems);
}

static void reload_all(void *owner)
{
	struct tls_store *store = owner;

	LIST_EACH(&store->entries, link) {
		struct problems problems;

		problem_init(&problems);
		if (entry_reload(store, entry_at(link), &problems)) {
			if (store->counters)
				counter_add(&store->counters->failures, 1);
			for (uint32_t i = 0; i < problems.count; i++)
				LOG(LOG_ERROR, "tls", "%.*s; what was loaded before stays", SLICE_ARGS(problems.items[i].text));
		}
		problem_fini(&problems);
	}
}

/* ---- time ---- */

static void sweep(struct tls_store *store)
{
	LIST_EACH(&store->folders, link)
		folder_at(link)->needed = false;
	LIST_EACH_SAFE(&store->entries, link, after) {
		if (is_unused(entry_at(link)))
			entry_free(entry_at(link));
		else
			need_folders(store, entry_at(link));
	}
	LIST_EACH_SAFE(&store->folders, link, after) {
		if (!folder_at(link)->needed)
			folder_free(folder_at(link));
	}
}

static void each_second(void *owner)
{
	struct tls_store *store = owner;

	CHECK_MAGIC(store, MAGIC);
	store->seconds++;
	LIST_EACH(&store->entries, link) {
		struct entry *entry = entry_at(link);

		if (!entry->server) {
			client_show_left(entry->client, wall(store));
			continue;
		}
		server_show_left(entry->server, wall(store));
		if (store->seconds % ROTATE_SECONDS == 0)
			tls_server_rotate(entry->server);
	}
	if (store->seconds % SWEEP_SECONDS == 0)
		sweep(store);
	if (!list_empty(&store->entries))
		timer_set(store->loop, &store->second, loop_now(store->loop) + CLOCK_SECOND);
}

/* ---- from outside ---- */

struct tls_store *tls_store_new(struct loop *loop)
{
	struct tls_store *store = memory_new(sizeof *store);

	store->magic = MAGIC;
	store->loop = loop;
	list_init(&store->entries);
	list_init(&store->folders);
	timer_init(&store->second, each_second, store);
	timer_init(&store->changed, reload_all, store);
	return store;
}

void tls_store_free(struct tls_store *store)
{
	if (!store)
		return;
	CHECK_MAGIC(store, MAGIC);
	timer_cancel(store->loop, &store->second);
	timer_cancel(store->loop, &store->changed);
	LIST_EACH_SAFE(&store->entries, link, after)
		entry_free(entry_at(link));
	LIST_EACH_SAFE(&store->folders, link, after)
		folder_free(folder_at(link));
	store->magic = 0;
	memory_free(store);
}

static void begin(struct tls_store *store)
{
	library_start();
	if (!timer_is_set(&store->second))
		timer_set(store->loop, &store->second, loop_now(store->loop) + CLOCK_SECOND);
}

int tls_store_server(
	struct tls_store *store, const struct tls_server_options *options, struct problems *problems, struct tls_server **server)
{
	struct text name = { 0 };
	struct entry *entry;
	int e;

	CHECK_MAGIC(store, MAGIC);
	begin(store);
	copy_name_server(options, &name);
	entry = entry_find(store, name.bytes);
	if (entry) {
		e = entry_reload_once(store, entry, problems);
	} else {
		struct tls_server *new;

		e = tls_server_new(options, wall(store), problems, &new);
		if (!e) {
			entry = entry_new(store, name.bytes);
			entry->server = new;
			server_show_left(new, wall(store));
			need_folders(store, entry);
		}
	}
	text_free(&name);
	if (!e)
		*server = tls_server_ref(entry->server);
	return e;
}

int tls_store_client(
	struct tls_store *store, const struct tls_client_options *options, struct problems *problems, struct tls_client **client)
{
	struct text name = { 0 };
	struct entry *entry;
	int e;

	CHECK_MAGIC(store, MAGIC);
	begin(store);
	copy_name_client(options, &name);
	entry = entry_find(store, name.bytes);
	if (entry) {
		e = entry_reload_once(store, entry, problems);
	} else {
		struct tls_client *new;

		e = tls_client_new(options, wall(store), problems, &new);
		if (!e) {
			entry = entry_new(store, name.bytes);
			entry->client = new;
			client_show_left(new, wall(store));
			need_folders(store, entry);
		}
	}
	text_free(&name);
	if (!e)
		*client = tls_client_ref(entry->client);
	return e;
}

void tls_store_count(struct tls_store *store, struct tls_store_counters *counters)
{
	store->counters = counters;
}

void tls_store_refresh(struct tls_store *store)
{
	CHECK_MAGIC(store, MAGIC);
	begin(store);
	reload_all(store);
}
