/* SPDX-License-Identifier: Apache-2.0 */
#include "client/resolver.h"

#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "client/lookup.h"
#include "io/file.h"

enum {
	NAME_MAGIC = 0x6e616d65,
	MAX_CONF = 64 * 1024,
	MAX_HOSTS = 4 * 1024 * 1024,
	DEFAULT_NAMES = 4096,
	DEFAULT_QUESTIONS = 128,
};

static const int64_t files_ns = 5 * CLOCK_SECOND; /* between two looks at the files */
static const int64_t retry_least_ns = CLOCK_SECOND, retry_most_ns = 30 * CLOCK_SECOND;

struct resolver {
	struct loop *loop;
	struct resolver_options options; /* filled in */
	struct resolver_counts *counts, own_counts;
	struct question_servers servers;
	struct resolv_conf conf;
	struct slice hosts; /* heap, or {NULL, 0} */
	int64_t files_at;   /* when they were read */
	bool files_read;
	struct map names;
	struct list unwatched; /* least recently used first */
};

/* A name is unknown, or known (found, negative, failed) until `timer`; beside that it may be being looked up. Its
 * timer is set exactly when it is known, not being looked up, and not true for ever. */
struct resolver_name {
	uint32_t magic;
	struct map_entry entry;
	struct resolver *resolver;
	char *text;
	struct list unwatched; /* in the resolver's list, if nobody watches it */
	struct list watches;   /* that were told */
	struct list untold;    /* that are to be told */
	bool telling;
	struct task tell;
	struct timer timer;
	struct lookup *lookup; /* NULL: none is going on */
	unsigned failures;     /* in a row */
	bool known;
	enum resolver_state state;
	const char *reason;
	struct address *addresses;
	unsigned count;
};

struct resolver_watch {
	struct list link; /* in watches or untold */
	struct resolver_name *name;
	void (*changed)(void *owner, const struct resolution *resolution);
	void *owner;
};

static void timer_fired(void *owner);
static void tell(void *owner);
static void looked_up(struct lookup *lookup);

/* --- files --- */

static bool read_file(const char *path, size_t max, struct slice *bytes)
{
	int e = file_read(path, max, bytes);
	if (e == ERROR_NOT_FOUND) {
		*bytes = (struct slice){ 0 };
		return true;
	}
	if (e)
		LOG(LOG_WARN, "client", "cannot read %s: %s; going on with what it said before", path, error_text(e));
	return !e;
}

static void read_files(struct resolver *resolver)
{
	struct slice bytes;
	int64_t now = loop_now(resolver->loop);
	if (resolver->files_read && now - resolver->files_at < files_ns)
		return;
	resolver->files_at = now;
	if (read_file(resolver->options.resolv_conf, MAX_CONF, &bytes)) {
		resolv_conf_parse(bytes, &resolver->conf);
		memory_free(bytes.at);
	} else if (!resolver->files_read) {
		resolv_conf_parse((struct slice){ 0 }, &resolver->conf);
	}
	if (read_file(resolver->options.hosts, MAX_HOSTS, &bytes)) {
		memory_free(resolver->hosts.at);
		resolver->hosts = bytes;
	}
	resolver->files_read = true;
}

/* --- names --- */

static bool is_watched(struct resolver_name *name)
{
	return !list_empty(&name->watches) || !list_empty(&name->untold);
}

/* Names are the same whatever their case. */
static char *lower_text(struct slice s)
{
	char *text = memory_text(s);
	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return text;
}

/* Takes the text. */
static struct resolver_name *name_new(struct resolver *resolver, char *text)
{
	struct resolver_name *name = memory_new(sizeof *name);
	name->magic = NAME_MAGIC;
	name->resolver = resolver;
	name->text = text;
	list_init(&name->unwatched);
	list_init(&name->watches);
	list_init(&name->untold);
	task_init(&name->tell, tell, name);
	timer_init(&name->timer, timer_fired, name);
	map_insert(&resolver->names, &name->entry, slice_of(text));
	return name;
}

static void name_free(struct resolver_name *name)
{
	struct resolver *resolver = name->resolver;
	CHECK(!is_watched(name) && !name->telling);
	lookup_free(name->lookup);
	timer_cancel(resolver->loop, &name->timer);
	task_cancel(resolver->loop, &name->tell);
	map_remove(&resolver->names, &name->entry);
	list_remove(&name->unwatched);
	memory_free(name->addresses);
	memory_free(name->text);
	name->magic = 0;
	memory_free(name);
}

/* Room for one more name, if need be by forgetting one that nobody watches. */
static int make_room(struct resolver *resolver)
{
	if (resolver->names.count < resolver->options.max_names)
		return 0;
	LIST_EACH(&resolver->unwatched, link) {
		struct resolver_name *name = LIST_OF(link, struct resolver_name, unwatched);
		if (name->telling)
			continue;
		counter_add(&resolver->counts->evicted, 1);
		name_free(name);
		return 0;
	}
	counter_add(&resolver->counts->refused, 1);
	return ERROR_LIMIT;
}

/* --- telling --- */

/* One after the other from a list that only shrinks here, so that watches may come and go in every call. */
static void tell(void *owner)
{
	struct resolver_name *name = owner;
	struct list *link;
	CHECK_MAGIC(name, NAME_MAGIC);
	const struct resolution resolution = {
		.state = name->state,
		.addresses = name->addresses,
		.count = name->count,
		.reason = name->reason,
	};
	name->telling = true;
	while ((link = list_first(&name->untold))) {
		struct resolver_watch *watch = LIST_OF(link, struct resolver_watch, link);
		list_remove(link);
		list_append(&name->watches, link);
		watch->changed(watch->owner, &resolution);
	}
	name->telling = false;
}

static void tell_all(struct resolver_name *name)
{
	struct list *link;
	while ((link = list_first(&name->watches))) {
		list_remove(link);
		list_append(&name->untold, link);
	}
	if (!list_empty(&name->untold))
		task_set(name->resolver->loop, &name->tell);
}

/* --- looking up --- */

static bool is_same(const struct resolver_name *name, enum resolver_state state, const struct lookup_result *result)
{
	if (!name->known || name->state != state)
		return false;
	if (state != RESOLVER_FOUND)
		return true;
	if (name->count != result->count)
		return false;
	for (unsigned i = 0; i < result->count; i++) {
		if (!address_equal(&name->addresses[i], &result->addresses[i]))
			return false;
	}
	return true;
}

static void set_known(struct resolver_name *name, enum resolver_state state, const struct lookup_result *result)
{
	bool same = is_same(name, state, result);
	name->known = true;
	name->state = state;
	name->reason = state == RESOLVER_FOUND ? NULL : result->reason;
	if (!same) {
		memory_free(name->addresses);
		name->addresses = NULL;
		name->count = state == RESOLVER_FOUND ? result->count : 0;
		if (name->count) {
			name->addresses = memory_array(name->count, sizeof *name->addresses);
			memcpy(name->addresses, result->addresses, name->count * sizeof *name->addresses);
		}
		tell_all(name);
	} else if (!list_empty(&name->untold)) {
		task_set(name->resolver->loop, &name->tell);
	}
}

static int64_t bounded_ttl(const struct resolver *resolver, uint32_t ttl, int64_t most)
{
	int64_t ns = (int64_t)ttl * CLOCK_SECOND;
	if (ns > most)
		ns = most;
	return ns < resolver->options.min_ttl_ns ? resolver->options.min_ttl_ns : ns;
}

static int64_t retry_after(unsigned failures)
{
	int64_t ns = retry_least_ns << (failures < 6 ? failures - 1 : 5);
	return ns < retry_most_ns ? ns : retry_most_ns;
}

/* A failure leaves what was known before, for as long as the servers fail. */
static int64_t take_failure(struct resolver_name *name, const struct lookup_result *result)
{
	struct resolver *resolver = name->resolver;
	counter_add(&resolver->counts->failed, 1);
	name->failures++;
	if (name->known && name->state != RESOLVER_FAILED) {
		counter_add(&resolver->counts->stale, 1);
		if (name->failures == 1)
			LOG(LOG_WARN, "client", "%s: %s; its last answer stays in use", name->text, result->reason);
		if (!list_empty(&name->untold))
			task_set(resolver->loop, &name->tell);
	} else {
		set_known(name, RESOLVER_FAILED, result);
	}
	return retry_after(name->failures);
}

/* Takes what the lookup has found; returns how long it is true. */
static int64_t take_result(struct resolver_name *name, const struct lookup_result *result)
{
	struct resolver *resolver = name->resolver;
	if (result->outcome == LOOKUP_FAILED)
		return take_failure(name, result);
	name->failures = 0;
	if (result->outcome == LOOKUP_NEGATIVE) {
		counter_add(&resolver->counts->negative, 1);
		set_known(name, RESOLVER_NEGATIVE, result);
		return bounded_ttl(resolver, result->ttl, resolver->options.max_negative_ns);
	}
	counter_add(&resolver->counts->found, 1);
	set_known(name, RESOLVER_FOUND, result);
	if (result->source == LOOKUP_LITERAL)
		return CLOCK_NEVER;
	return result->source == LOOKUP_FILE ? files_ns : bounded_ttl(resolver, result->ttl, resolver->options.max_ttl_ns);
}

static void looked_up(struct lookup *lookup)
{
	struct resolver_name *name = lookup->owner;
	CHECK_MAGIC(name, NAME_MAGIC);
	struct loop *loop = name->resolver->loop;
	int64_t ns = take_result(name, &lookup->result);
	name->lookup = NULL;
	lookup_free(lookup);
	if (ns != CLOCK_NEVER)
		timer_set(loop, &name->timer, clock_after(loop_now(loop), ns));
}

static void look_up(struct resolver_name *name)
{
	struct resolver *resolver = name->resolver;
	if (name->lookup)
		return;
	read_files(resolver);
	counter_add(&resolver->counts->lookups, 1);
	name->lookup = lookup_new(&resolver->servers, looked_up, name);
	if (lookup_start(name->lookup, slice_of(name->text), &resolver->conf, resolver->hosts))
		looked_up(name->lookup);
}

/* What was known has had its time. */
static void timer_fired(void *owner)
{
	struct resolver_name *name = owner;
	CHECK_MAGIC(name, NAME_MAGIC);
	if (is_watched(name))
		look_up(name);
	else
		name_free(name);
}

/* --- for users --- */

static void fill_in(struct resolver_options *options)
{
	if (!options->resolv_conf)
		options->resolv_conf = "/etc/resolv.conf";
	if (!options->hosts)
		options->hosts = "/etc/hosts";
	if (!options->min_ttl_ns)
		options->min_ttl_ns = CLOCK_SECOND;
	if (!options->max_ttl_ns)
		options->max_ttl_ns = 300 * CLOCK_SECOND;
	if (!options->max_negative_ns)
		options->max_negative_ns = 30 * CLOCK_SECOND;
	if (!options->max_names)
		options->max_names = DEFAULT_NAMES;
	if (!options->max_questions)
		options->max_questions = DEFAULT_QUESTIONS;
}

int resolver_new(struct loop *loop, struct network *network, const struct resolver_options *options, struct resolver **result)
{
	struct resolver *resolver = memory_new(sizeof *resolver);
	resolver->loop = loop;
	resolver->options = *options;
	resolver->counts = options->counts ? options->counts : &resolver->own_counts;
	fill_in(&resolver->options);
	resolver->options.resolv_conf = memory_text(slice_of(resolver->options.resolv_conf));
	resolver->options.hosts = memory_text(slice_of(resolver->options.hosts));
	question_servers_init(&resolver->servers, loop, network, &resolver->counts->questions, resolver->options.max_questions);
	map_init(&resolver->names, random_u64(loop_random(loop)));
	list_init(&resolver->unwatched);
	*result = resolver;
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	MAP_EACH_SAFE(&resolver->names, e, after)
		name_free(MAP_OF(e, struct resolver_name, entry));
	map_fini(&resolver->names);
	memory_free(resolver->hosts.at);
	memory_free(resolver->options.resolv_conf);
	memory_free(resolver->options.hosts);
	memory_free(resolver);
}

static int name_get(struct resolver *resolver, struct slice text, struct resolver_name **name)
{
	if (!lookup_is_name(text) || text.length >= DNS_NAME_TEXT)
		return ERROR_INVALID;
	char *lower = lower_text(text);
	struct map_entry *entry = map_find(&resolver->names, slice_of(lower));
	if (entry) {
		memory_free(lower);
		*name = MAP_OF(entry, struct resolver_name, entry);
		return 0;
	}
	int e = make_room(resolver);
	if (e) {
		memory_free(lower);
		return e;
	}
	*name = name_new(resolver, lower);
	return 0;
}

int resolver_watch(struct resolver *resolver, struct slice text, void (*changed)(void *owner, const struct resolution *resolution),
	void *owner, struct resolver_watch **result)
{
	struct resolver_name *name;
	int e = name_get(resolver, text, &name);
	if (e)
		return e;
	struct resolver_watch *watch = memory_new(sizeof *watch);
	*watch = (struct resolver_watch){ .name = name, .changed = changed, .owner = owner };
	list_remove(&name->unwatched);
	list_append(&name->untold, &watch->link);
	*result = watch;
	if (name->known) {
		counter_add(&resolver->counts->cached, 1);
		task_set(resolver->loop, &name->tell);
	} else {
		look_up(name);
	}
	return 0;
}

void resolver_unwatch(struct resolver_watch *watch)
{
	if (!watch)
		return;
	struct resolver_name *name = watch->name;
	list_remove(&watch->link);
	memory_free(watch);
	if (!is_watched(name))
		list_append(&name->resolver->unwatched, &name->unwatched);
}

const struct resolver_counts *resolver_counts(const struct resolver *resolver)
{
	return resolver->counts;
}
