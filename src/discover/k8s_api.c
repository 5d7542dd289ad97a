/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_api.h"

#include "base/check.h"
#include "base/log.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "client/fetch.h"
#include "client/resolver.h"
#include "discover/kubeconfig.h"
#include "io/file.h"
#include "tls/client.h"

enum { API_MAGIC = 0x6b386170, MOST_ADDRESSES = 16, MOST_SESSIONS = 64 };

struct k8s_api {
	uint32_t magic;
	uint32_t references; /* of who may begin calls */
	uint32_t calls;      /* not over yet */
	struct loop *loop;
	struct network *network;
	struct resolver_watch *watch; /* NULL: the host is an IP address */
	struct kubeconfig config;     /* what a kubeconfig says, or what stands for one */
	struct address addresses[MOST_ADDRESSES];
	unsigned address_count, next;
	bool resolved;
	struct session_pools *pools;
	struct tls_source authority, certificate, key; /* bytes of the kubeconfig */
	struct tls_setting trust;
	struct tls_client_options tls_options;
	struct tls_pools *tls_pools;
	struct tls_client *tls_client; /* NULL: plain text */
	struct fetch_tls tls;
	struct task end;
	bool keep;
	struct list idle; /* struct k8s_call: those that are over, with their connections; the one that was used last first */
};

struct k8s_call {
	struct k8s_api *api;
	const struct k8s_call_events *events; /* NULL: nobody is to be told */
	void *owner;
	struct fetch fetch;
	struct list link; /* api->idle */
	unsigned at;      /* which of the addresses */
	/* With `keep`: to be sent anew when the connection turns out to be gone. */
	struct text target, object;
	struct fetch_limits limits;
	bool again;
};

static struct k8s_call *call_at(struct list *link)
{
	return LIST_OF(link, struct k8s_call, link);
}

static unsigned present_address(const struct k8s_api *api)
{
	return api->address_count ? api->next % api->address_count : 0;
}

/* They are over when the loop says so. */
static void close_idle(struct k8s_api *api)
{
	LIST_EACH_SAFE(&api->idle, link, after) {
		list_remove(link);
		fetch_let_go(&call_at(link)->fetch);
	}
}

static void resolved(void *owner, const struct resolution *resolution)
{
	struct k8s_api *api = owner;

	api->resolved = true;
	api->address_count = resolution->count < MOST_ADDRESSES ? resolution->count : MOST_ADDRESSES;
	for (unsigned i = 0; i < api->address_count; i++) {
		api->addresses[i] = resolution->addresses[i];
		api->addresses[i].port = api->config.port;
	}
}

static int find_host(struct k8s_api *api, struct resolver *resolver, struct text *why)
{
	struct slice host = text_slice(&api->config.host);
	int e;

	if (!address_parse(host, api->config.port, &api->addresses[0])) {
		api->address_count = 1;
		api->resolved = true;
		return 0;
	}
	e = resolver ? resolver_watch(resolver, host, resolved, api, &api->watch) : ERROR_INVALID;
	if (e)
		text_format(why, "`%.*s` as the API server's host: %s", SLICE_ARGS(host), error_text(e));
	return e;
}

/* A file, or the bytes that stand for it; the latter are called by `what`. */
static struct tls_setting setting_of(const struct kubeconfig_file *file, struct tls_source *source, struct slice what)
{
	struct tls_setting setting = { .text = text_slice(&file->path), .file = SLICE("Kubernetes' API") };

	if (file->bytes.length) {
		source->bytes = text_slice(&file->bytes);
		setting.text = what;
		setting.source = source;
	}
	return setting;
}

static int make_secure(struct k8s_api *api, struct text *why)
{
	const struct kubeconfig *config = &api->config;
	struct slice name = text_slice(config->server_name.length ? &config->server_name : &config->host);
	struct problems problems;
	int e;

	if (!config->secure)
		return 0;
	api->trust = setting_of(&config->authority, &api->authority, SLICE("certificate-authority-data"));
	api->tls_options = (struct tls_client_options){ .no_verification = config->no_verification };
	api->tls_options.certificate.chain = setting_of(&config->certificate, &api->certificate, SLICE("client-certificate-data"));
	api->tls_options.certificate.key = setting_of(&config->key, &api->key, SLICE("client-key-data"));
	if (api->trust.text.length) {
		api->tls_options.trust = &api->trust;
		api->tls_options.trust_count = 1;
	}
	problem_init(&problems);
	e = tls_client_new(&api->tls_options, loop_wall(api->loop), &problems, &api->tls_client);
	if (!e)
		e = tls_pools_new(api->loop, &(struct tls_limits){ 0 }, &api->tls_pools);
	if (e) {
		problem_print(&problems, why);
		text_join_lines(why);
	}
	problem_fini(&problems);
	api->tls = (struct fetch_tls){ .pools = api->tls_pools, .client = api->tls_client, .target = { .name = name } };
	return e;
}

static void free_api(void *owner)
{
	struct k8s_api *api = owner;

	CHECK_MAGIC(api, API_MAGIC);
	CHECK(!api->watch);
	tls_client_unref(api->tls_client);
	tls_pools_free(api->tls_pools);
	session_pools_free(api->pools);
	kubeconfig_fini(&api->config);
	api->magic = 0;
	memory_free(api);
}

/* What stands for a kubeconfig. */
static int take_options(struct k8s_api *api, const struct k8s_api_options *options, struct text *why)
{
	struct kubeconfig *config = &api->config;
	struct text path = { 0 };
	int e = 0;

	if (options->kubeconfig.length) {
		text_append(&path, options->kubeconfig);
		e = kubeconfig_read(path.bytes, config, why);
		text_free(&path);
		return e;
	}
	text_append(&config->host, options->host);
	config->port = options->port;
	config->secure = options->ca_file.length > 0;
	text_append(&config->authority.path, options->ca_file);
	text_append(&config->token_file, options->token_file);
	return 0;
}

int k8s_api_new(const struct k8s_api_options *options, struct k8s_api **out, struct text *why)
{
	struct k8s_api *api = memory_new(sizeof *api);
	unsigned sessions = options->sessions ? options->sessions : MOST_SESSIONS;
	int e;

	api->magic = API_MAGIC;
	api->references = 1;
	task_init(&api->end, free_api, api);
	list_init(&api->idle);
	api->keep = options->keep;
	api->loop = options->loop;
	api->network = options->network;
	e = session_pools_new(api->loop, sessions, sessions, &api->pools);
	if (!e)
		e = take_options(api, options, why);
	if (!e)
		e = find_host(api, options->resolver, why);
	if (!e)
		e = make_secure(api, why);
	if (e) {
		k8s_api_unref(api);
		return e;
	}
	*out = api;
	return 0;
}

struct k8s_api *k8s_api_ref(struct k8s_api *api)
{
	CHECK_MAGIC(api, API_MAGIC);
	api->references++;
	return api;
}

void k8s_api_unref(struct k8s_api *api)
{
	if (!api)
		return;
	CHECK_MAGIC(api, API_MAGIC);
	if (--api->references)
		return;
	/* The resolver may go before the connections are closed, which takes until the end of the turn. */
	resolver_unwatch(api->watch);
	api->watch = NULL;
	close_idle(api);
	if (!api->calls)
		free_api(api);
}

struct loop *k8s_api_loop(const struct k8s_api *api)
{
	return api->loop;
}

/* ---- calls ---- */

static void told_body(struct fetch *fetch, struct slice bytes)
{
	struct k8s_call *call = fetch->owner;

	call->events->body(call->owner, fetch->status, bytes);
}

/* What may have changed since, is looked at again; the next call goes elsewhere. */
static void try_otherwise(struct k8s_api *api, int error)
{
	bool changed;

	close_idle(api);
	if (api->address_count)
		api->next = (api->next + 1) % api->address_count;
	if ((error == ERROR_DENIED || !error) && api->tls_client &&
		tls_client_reload(api->tls_client, loop_wall(api->loop), NULL, &changed))
		return; /* the file is being replaced: what was read before stays */
}

static void told_end(struct fetch *fetch, int error)
{
	struct k8s_call *call = fetch->owner;
	const struct k8s_call_events *events = call->events;

	/* A connection that was kept may have been closed by the other end just then. */
	call->again = error && fetch->reused && !fetch->status && error != ERROR_TIMEOUT;
	if (call->again)
		return;
	/* 401: the file with our own certificate may be a new one. */
	if (error ? !fetch->status : fetch->status == 401)
		try_otherwise(call->api, error);
	call->events = NULL;
	events->ended(call->owner, fetch->status, error);
}

static void free_call(struct k8s_call *call)
{
	struct k8s_api *api = call->api;

	list_remove(&call->link);
	text_free(&call->target);
	text_free(&call->object);
	memory_free(call);
	/* The stream below the session may still be unwinding: what it was made of goes behind it. */
	if (--api->calls == 0 && !api->references)
		task_set(api->loop, &api->end);
}

static int send_call(struct k8s_call *call, struct slice target, struct slice object, const struct fetch_limits *limits);

/* False: it could not be sent, which is told. */
static bool send_again(struct k8s_call *call)
{
	const struct k8s_call_events *events = call->events;
	int e = send_call(call, text_slice(&call->target), text_slice(&call->object), &call->limits);

	call->again = false;
	if (!e)
		return true;
	call->events = NULL;
	events->ended(call->owner, 0, e);
	return false;
}

static void told_over(struct fetch *fetch)
{
	struct k8s_call *call = fetch->owner;
	struct k8s_api *api = call->api;

	if (call->again && call->events && send_again(call))
		return;
	if (fetch_is_over(fetch))
		free_call(call);
	else if (api->references && fetch->rests && call->at == present_address(api))
		list_prepend(&api->idle, &call->link);
	else if (fetch->rests)
		fetch_let_go(fetch);
}

static const struct fetch_events fetch_events = { .body = told_body, .ended = told_end, .over = told_over };

/* The field's value, on the heap; empty: no token is wanted. */
static int read_token(const struct k8s_api *api, struct text *value)
{
	const struct text *file = &api->config.token_file;
	struct slice bytes, token;
	int e;

	if (!file->length) {
		if (api->config.token.length)
			text_format(value, "Bearer %s", api->config.token.bytes);
		return 0;
	}
	e = file_read(file->bytes, K8S_TOKEN_MOST, &bytes);
	if (e) {
		LOG(LOG_WARN, "discover", "cannot read the token in %s: %s", file->bytes, error_text(e));
		return e;
	}
	for (token = bytes; token.length && strchr(" \t\r\n", token.at[token.length - 1]);)
		token.length--;
	text_format(value, "Bearer %.*s", SLICE_ARGS(token));
	memory_free(bytes.at);
	return 0;
}

/* `object` empty: a GET. */
static int send_call(struct k8s_call *call, struct slice target, struct slice object, const struct fetch_limits *limits)
{
	struct k8s_api *api = call->api;
	struct text token = { 0 }, path = { 0 };
	int e = read_token(api, &token);

	call->at = present_address(api);
	if (!e) {
		struct fetch_field fields[4] = { { SLICE("Accept"), SLICE("application/json") }, { SLICE("User-Agent"), SLICE("weft") } };
		unsigned count = 2;
		const struct fetch_to to = {
			.network = api->network,
			.address = &api->addresses[present_address(api)],
			.tls = api->tls_client ? &api->tls : NULL,
			.keep = api->keep,
		};
		struct fetch_request request = { .target = target, .fields = fields, .body = object };

		if (token.length)
			fields[count++] = (struct fetch_field){ SLICE("Authorization"), text_slice(&token) };
		if (object.length) {
			request.method = SLICE("POST");
			fields[count++] = (struct fetch_field){ SLICE("Content-Type"), SLICE("application/json") };
		}
		request.field_count = count;
		if (api->config.prefix.length) {
			text_append(&path, text_slice(&api->config.prefix));
			text_append(&path, target);
			request.target = text_slice(&path);
		}
		e = fetch_send(&call->fetch, &to, &request, limits);
	}
	text_free(&token);
	text_free(&path);
	return e;
}

int k8s_call_new(struct k8s_api *api, struct slice target, const struct fetch_limits *limits, const struct k8s_call_events *events,
	void *owner, struct k8s_call **out)
{
	return k8s_call_post(api, target, (struct slice){ NULL, 0 }, limits, events, owner, out);
}

/* One whose connection was kept, or another. */
static struct k8s_call *call_new(struct k8s_api *api)
{
	struct list *link = list_first(&api->idle);
	struct k8s_call *call;

	if (link) {
		list_remove(link);
		return call_at(link);
	}
	call = memory_new(sizeof *call);
	call->api = api;
	list_init(&call->link);
	fetch_init(&call->fetch, api->loop, api->pools, &fetch_events, call);
	api->calls++;
	return call;
}

int k8s_call_post(struct k8s_api *api, struct slice target, struct slice object, const struct fetch_limits *limits,
	const struct k8s_call_events *events, void *owner, struct k8s_call **out)
{
	struct k8s_call *call;
	int e;

	if (!api->address_count)
		return api->resolved ? ERROR_NOT_FOUND : ERROR_BUSY;
	call = call_new(api);
	call->events = events;
	call->owner = owner;
	if (api->keep) {
		call->limits = *limits;
		text_clear(&call->target);
		text_append(&call->target, target);
		text_clear(&call->object);
		text_append(&call->object, object);
	}
	e = send_call(call, target, object, limits);
	if (!e) {
		*out = call;
		return 0;
	}
	call->events = NULL;
	if (fetch_is_over(&call->fetch))
		free_call(call);
	else if (call->fetch.rests)
		fetch_let_go(&call->fetch); /* not even begun: the token could not be read */
	return e;
}

void k8s_call_drop(struct k8s_call *call)
{
	if (!call)
		return;
	call->events = NULL;
	fetch_stop(&call->fetch);
}
