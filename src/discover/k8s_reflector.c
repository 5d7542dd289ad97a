/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_reflector.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "client/fetch.h"
#include "discover/k8s_api.h"
#include "doc/document.h"
#include "doc/json_stream.h"
#include "io/loop.h"

enum { REFLECTOR_MAGIC = 0x6b387266, KEPT_REASON = 4096 };

static const int64_t first_pause = CLOCK_SECOND / 4, longest_pause = 30 * CLOCK_SECOND;
static const int64_t head_time = 30 * CLOCK_SECOND;   /* until an answer begins */
static const int64_t quiet_time = 150 * CLOCK_SECOND; /* bookmarks come once a minute: longer silence is a dead connection */
static const unsigned watch_least_s = 300, watch_most_s = 600;
static const int64_t good_watch = 5 * CLOCK_SECOND; /* a watch that lasted so long was none that the server turns away */

/*	state      a call is open   what happens next
 *	WAITING    no               the timer: lists (version empty), else watches
 *	LISTING    yes              its end: the next chunk, or WATCHING
 *	WATCHING   yes              its end: WATCHING again; an ERROR event: WAITING, version empty
 *	           both             a failure: WAITING with a longer pause */
enum state {
	WAITING,
	LISTING,
	WATCHING,
};

struct k8s_reflector {
	uint32_t magic;
	enum state state;
	struct k8s_api *api;
	struct loop *loop;
	const struct k8s_reflector_events *events;
	void *owner;
	struct text path, labels, fields;
	struct text other;   /* path, on servers that don't know the present one; empty: there is none */
	struct text version; /* to watch from; empty: not listed, or it has expired */
	struct text next;    /* `continue` of the list's last chunk; empty: there is no further one */
	struct k8s_call *call;
	struct json_stream stream;
	struct text reason; /* the beginning of an answer that is no success */
	struct text failure;
	struct timer timer;
	int64_t pause, watch_began;
	bool expired;     /* this watch said so */
	bool tried_other; /* since an answer was as it should be */
	struct k8s_reflector_counts *counts, own_counts;
};

static void begin(struct k8s_reflector *reflector);

/* ---- what goes wrong ---- */

static int64_t drawn(struct k8s_reflector *reflector, int64_t most)
{
	return most / 2 + (int64_t)(random_unit(loop_random(reflector->loop)) * (double)(most / 2));
}

static void wait(struct k8s_reflector *reflector, int64_t pause)
{
	reflector->state = WAITING;
	timer_set(reflector->loop, &reflector->timer, clock_after(loop_now(reflector->loop), pause));
}

static void wait_longer(struct k8s_reflector *reflector)
{
	int64_t pause = reflector->pause ? reflector->pause : first_pause;

	reflector->pause = pause * 2 < longest_pause ? pause * 2 : longest_pause;
	wait(reflector, drawn(reflector, pause));
}

/* `what` is a sentence's end. The log gets it once for each failure that is another than the one before. */
static void fail(struct k8s_reflector *reflector, struct slice what)
{
	struct text why = { 0 };

	counter_add(&reflector->counts->failures, 1);
	text_format(&why, "Kubernetes' API, %.*s: %.*s", SLICE_ARGS(text_slice(&reflector->path)), SLICE_ARGS(what));
	text_join_lines(&why);
	if (!slice_equal(text_slice(&why), text_slice(&reflector->failure))) {
		LOG(LOG_WARN, "discover", "%s", why.bytes);
		text_clear(&reflector->failure);
		text_append(&reflector->failure, text_slice(&why));
	}
	reflector->events->failed(reflector->owner, text_slice(&why));
	text_free(&why);
}

static void fail_and_wait(struct k8s_reflector *reflector, struct slice what)
{
	wait_longer(reflector);
	fail(reflector, what);
}

static struct slice error_words(int error)
{
	if (error == ERROR_DENIED)
		return SLICE("its certificate is not trusted, or is another host's");
	return slice_of(error_text(error));
}

static void worked(struct k8s_reflector *reflector)
{
	if (reflector->failure.length) {
		LOG(LOG_INFO, "discover", "Kubernetes' API, %.*s: it answers again", SLICE_ARGS(text_slice(&reflector->path)));
		text_clear(&reflector->failure);
		if (reflector->events->back)
			reflector->events->back(reflector->owner);
	}
	reflector->pause = 0;
	reflector->tried_other = false;
}

/* ---- documents ---- */

/* An object, or NULL: what begins otherwise would be taken for YAML. */
static struct document *parse(struct slice text)
{
	const struct document_limits limits = { .max_bytes = K8S_OBJECT_MOST, .max_nodes = 1000 * 1000 };
	struct document *document = NULL;

	if (!slice_starts(text, SLICE("{")))
		return NULL;
	return document_parse(text, SLICE("object"), &limits, NULL, &document) ? NULL : document;
}

static void read_text(const struct document_node *node, struct text *into)
{
	struct slice text;

	text_clear(into);
	if (document_read_text(node, &text, NULL))
		text_append(into, text);
}

/* ---- lists ---- */

static int list_item(void *owner, struct slice text)
{
	struct k8s_reflector *reflector = owner;
	struct document *object = parse(text);

	if (!object)
		return ERROR_SYNTAX;
	reflector->events->object(reflector->owner, document_root(object), false);
	document_free(object);
	return 0;
}

static int list_member(void *owner, struct slice key, struct slice value)
{
	struct k8s_reflector *reflector = owner;
	struct document *metadata;

	if (!slice_equal(key, SLICE("metadata")))
		return 0;
	metadata = parse(value);
	if (!metadata)
		return ERROR_SYNTAX;
	read_text(document_get(document_root(metadata), "resourceVersion"), &reflector->version);
	read_text(document_get(document_root(metadata), "continue"), &reflector->next);
	document_free(metadata);
	return 0;
}

static const struct json_stream_events list_events = { .item = list_item, .member = list_member };

/* ---- watches ---- */

/* 410: what changed since the version is no longer known. Anything else: the watch is over, for a reason that goes by. */
static int watch_error(struct k8s_reflector *reflector, const struct document_node *status)
{
	int64_t code = 0;

	document_read_int(document_get(status, "code"), 0, 999, &code, NULL);
	read_text(document_get(status, "message"), &reflector->reason);
	reflector->expired = code == 410;
	return ERROR_CANCELED;
}

static int watch_object(struct k8s_reflector *reflector, const struct document_node *event)
{
	const struct document_node *object = document_get(event, "object");
	const struct document_node *version = document_get(document_get(object, "metadata"), "resourceVersion");
	struct slice type, text;

	if (!document_read_text(document_get(event, "type"), &type, NULL) || !object)
		return ERROR_SYNTAX;
	if (slice_equal(type, SLICE("ERROR")))
		return watch_error(reflector, object);
	if (!document_read_text(version, &text, NULL))
		return ERROR_SYNTAX;
	if (!slice_equal(type, SLICE("BOOKMARK"))) {
		counter_add(&reflector->counts->events, 1);
		reflector->events->object(reflector->owner, object, slice_equal(type, SLICE("DELETED")));
	}
	text_clear(&reflector->version);
	text_append(&reflector->version, text);
	return 0;
}

static int watch_item(void *owner, struct slice text)
{
	struct k8s_reflector *reflector = owner;
	struct document *event = parse(text);
	int e = ERROR_SYNTAX;

	if (event)
		e = watch_object(reflector, document_root(event));
	document_free(event);
	if (!e)
		worked(reflector);
	return e;
}

static const struct json_stream_events watch_events = { .item = watch_item };

/* ---- answers ---- */

static void body_came(void *owner, unsigned status, struct slice bytes)
{
	struct k8s_reflector *reflector = owner;

	if (status != 200) {
		if (reflector->reason.length + bytes.length <= KEPT_REASON)
			text_append(&reflector->reason, bytes);
		return;
	}
	/* What is wrong stays in the stream; `ended` looks at it. But a watch doesn't end by itself. */
	if (json_stream_feed(&reflector->stream, bytes)) {
		struct k8s_call *call = reflector->call;

		reflector->call = NULL;
		k8s_call_drop(call);
		timer_set(reflector->loop, &reflector->timer, loop_now(reflector->loop));
	}
}

/* An answer that is no success is a Status object, whose message is meant for people. */
static void fail_by_status(struct k8s_reflector *reflector, unsigned status)
{
	struct document *answer = parse(text_slice(&reflector->reason));
	struct text what = { 0 }, message = { 0 };

	if (answer)
		read_text(document_get(document_root(answer), "message"), &message);
	text_format(&what, "it answers %u%s%s", status, message.length ? ": " : "", message.length ? message.bytes : "");
	fail_and_wait(reflector, text_slice(&what));
	text_free(&message);
	text_free(&what);
	document_free(answer);
}

static void forget_version(struct k8s_reflector *reflector)
{
	text_clear(&reflector->version);
	text_clear(&reflector->next);
}

/* The bytes were not what they should be, or a watch has said that it can't go on. */
static void stream_failed(struct k8s_reflector *reflector, int error)
{
	struct text what = { 0 };

	if (reflector->state == WATCHING && reflector->expired) {
		counter_add(&reflector->counts->expired, 1);
		forget_version(reflector);
		wait(reflector, drawn(reflector, first_pause));
		return;
	}
	if (reflector->state == WATCHING && error == ERROR_CANCELED)
		text_format(&what, "the watch ended: %s", reflector->reason.length ? reflector->reason.bytes : "it gives no reason");
	else
		text_format(&what, "the answer is not what it should be, at its byte %llu: %s",
			(unsigned long long)reflector->stream.offset, error_text(error));
	forget_version(reflector);
	fail_and_wait(reflector, text_slice(&what));
	text_free(&what);
}

static void list_ended(struct k8s_reflector *reflector)
{
	if (!reflector->version.length) {
		fail_and_wait(reflector, SLICE("the list has no resourceVersion"));
		return;
	}
	worked(reflector);
	if (!reflector->next.length)
		reflector->events->listed(reflector->owner);
	begin(reflector);
}

/* The server ends watches after the time that it was asked for, and when it is about to stop. */
static void watch_ended(struct k8s_reflector *reflector)
{
	if (loop_now(reflector->loop) - reflector->watch_began >= good_watch)
		reflector->pause = 0;
	wait_longer(reflector);
}

/* The server doesn't know the collection by this path. False: nor by the other one, or there is none. */
static bool go_elsewhere(struct k8s_reflector *reflector)
{
	struct text path = reflector->path;

	if (!reflector->other.length || reflector->tried_other)
		return false;
	reflector->path = reflector->other;
	reflector->other = path;
	reflector->tried_other = true;
	wait(reflector, 0);
	return true;
}

static void refused(struct k8s_reflector *reflector, unsigned status)
{
	if (reflector->state == LISTING || status == 404 || status == 410)
		forget_version(reflector);
	if (status == 404 && go_elsewhere(reflector))
		return;
	reflector->tried_other = false;
	fail_by_status(reflector, status);
}

static void ended(void *owner, unsigned status, int error)
{
	struct k8s_reflector *reflector = owner;

	reflector->call = NULL;
	if (status && status != 200) {
		refused(reflector, status);
		return;
	}
	if (!error && !(reflector->state == WATCHING && status))
		error = json_stream_end(&reflector->stream);
	if (error) {
		if (reflector->state == LISTING)
			forget_version(reflector);
		fail_and_wait(reflector, error_words(error));
	} else if (reflector->state == LISTING) {
		list_ended(reflector);
	} else {
		watch_ended(reflector);
	}
}

static const struct k8s_call_events call_events = { .body = body_came, .ended = ended };

/* ---- requests ---- */

static void add_encoded(struct text *target, struct slice value)
{
	for (size_t i = 0; i < value.length; i++) {
		unsigned char c = (unsigned char)value.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		text_format(target, plain ? "%c" : "%%%02X", c);
	}
}

static void add_selector(struct text *target, struct slice name, const struct text *selector)
{
	if (!selector->length)
		return;
	text_append(target, name);
	add_encoded(target, text_slice(selector));
}

static void add_selectors(const struct k8s_reflector *reflector, struct text *target)
{
	add_selector(target, SLICE("&labelSelector="), &reflector->labels);
	add_selector(target, SLICE("&fieldSelector="), &reflector->fields);
}

/* The version that a list without one gets is the newest, and all its chunks are of that version. */
static void write_list(struct k8s_reflector *reflector, struct text *target)
{
	text_format(target, "%s?limit=%d", reflector->path.bytes, K8S_CHUNK);
	add_selectors(reflector, target);
	if (reflector->next.length) {
		text_append(target, SLICE("&continue="));
		add_encoded(target, text_slice(&reflector->next));
	}
}

static void write_watch(struct k8s_reflector *reflector, struct text *target)
{
	unsigned seconds = watch_least_s + random_below(loop_random(reflector->loop), watch_most_s - watch_least_s);

	text_format(target, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=", reflector->path.bytes, seconds);
	add_encoded(target, text_slice(&reflector->version));
	add_selectors(reflector, target);
}

static void ask(struct k8s_reflector *reflector, const char *list, const struct json_stream_events *events, struct slice target)
{
	const struct fetch_limits limits = { .head_ns = head_time, .quiet_ns = quiet_time };
	int e;

	json_stream_fini(&reflector->stream);
	json_stream_init(&reflector->stream, list, K8S_OBJECT_MOST, events, reflector);
	text_clear(&reflector->reason);
	reflector->expired = false;
	e = k8s_call_new(reflector->api, target, &limits, &call_events, reflector, &reflector->call);
	if (e == ERROR_BUSY)
		wait(reflector, CLOCK_SECOND / 50); /* the host's name is being asked for */
	else if (e)
		fail_and_wait(reflector, slice_of(error_text(e)));
}

/* Whatever is next: a chunk of the list, or the watch. */
static void begin(struct k8s_reflector *reflector)
{
	struct text target = { 0 };
	bool more = reflector->next.length > 0;

	if (reflector->version.length && !more) {
		reflector->state = WATCHING;
		reflector->watch_began = loop_now(reflector->loop);
		counter_add(&reflector->counts->watches, 1);
		write_watch(reflector, &target);
		ask(reflector, NULL, &watch_events, text_slice(&target));
	} else {
		reflector->state = LISTING;
		write_list(reflector, &target);
		if (!more) {
			counter_add(&reflector->counts->lists, 1);
			reflector->events->listing(reflector->owner);
		}
		ask(reflector, "items", &list_events, text_slice(&target));
	}
	text_free(&target);
}

static void on_timer(void *owner)
{
	struct k8s_reflector *reflector = owner;

	CHECK_MAGIC(reflector, REFLECTOR_MAGIC);
	if (reflector->state != WAITING) /* body_came has dropped the call */
		stream_failed(reflector, reflector->stream.failed);
	else
		begin(reflector);
}

struct k8s_reflector *k8s_reflector_new(
	struct k8s_api *api, const struct k8s_collection *collection, const struct k8s_reflector_events *events, void *owner)
{
	struct k8s_reflector *reflector = memory_new(sizeof *reflector);

	reflector->magic = REFLECTOR_MAGIC;
	reflector->api = k8s_api_ref(api);
	reflector->loop = k8s_api_loop(api);
	reflector->events = events;
	reflector->owner = owner;
	reflector->counts = collection->counts ? collection->counts : &reflector->own_counts;
	text_append(&reflector->path, collection->path);
	text_append(&reflector->other, collection->older);
	text_append(&reflector->labels, collection->labels);
	text_append(&reflector->fields, collection->fields);
	timer_init(&reflector->timer, on_timer, reflector);
	wait(reflector, 0);
	return reflector;
}

void k8s_reflector_free(struct k8s_reflector *reflector)
{
	if (!reflector)
		return;
	CHECK_MAGIC(reflector, REFLECTOR_MAGIC);
	timer_cancel(reflector->loop, &reflector->timer);
	k8s_call_drop(reflector->call);
	json_stream_fini(&reflector->stream);
	text_free(&reflector->path);
	text_free(&reflector->other);
	text_free(&reflector->labels);
	text_free(&reflector->fields);
	text_free(&reflector->version);
	text_free(&reflector->next);
	text_free(&reflector->reason);
	text_free(&reflector->failure);
	k8s_api_unref(reflector->api);
	reflector->magic = 0;
	memory_free(reflector);
}

const struct k8s_reflector_counts *k8s_reflector_counts(const struct k8s_reflector *reflector)
{
	return reflector->counts;
}
