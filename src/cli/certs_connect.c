/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certs_connect.h"

#include "base/memory.h"
#include "cli/cli.h"
#include "client/resolver.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/process.h"
#include "tls/library.h"

enum { MOST_ADDRESSES = 16 };

/* Both are spoken by weft's listeners; who speaks neither agrees on nothing, and is looked at all the same. */
static const char alpn[] = "\x02h2\x08http/1.1";

struct certs_endpoint {
	const struct certs_question *question;
	struct slice host, name;
	uint16_t port;
	struct loop *loop;
	struct resolver *resolver;
	struct resolver_watch *watch;
	struct address addresses[MOST_ADDRESSES];
	unsigned count, next;
	struct task step;
	struct probe *probe;
	const char *complaint; /* NULL: the probe's result says it */
};

static void end(struct certs_endpoint *endpoint, const char *complaint)
{
	endpoint->complaint = complaint;
	loop_stop(endpoint->loop);
}

/* ---- the handshake ---- */

static void done(void *owner)
{
	struct certs_endpoint *endpoint = owner;
	int error = probe_result(endpoint->probe)->error;

	if ((error == ERROR_REFUSED || error == ERROR_UNREACHABLE) && endpoint->next < endpoint->count)
		task_set(endpoint->loop, &endpoint->step);
	else
		loop_stop(endpoint->loop);
}

static void try_next(void *owner)
{
	struct certs_endpoint *endpoint = owner;
	const struct certs_question *question = endpoint->question;
	const struct probe_options options = {
		.server_name = endpoint->name,
		.certificate = question->certificate,
		.key = question->key,
		.alpn = slice_make(alpn, sizeof alpn - 1),
	};
	struct address *address = &endpoint->addresses[endpoint->next++];
	struct stream *stream;
	struct text why = { 0 };

	probe_free(endpoint->probe);
	endpoint->probe = NULL;
	address->port = endpoint->port;
	if (network_connect(network_host(), endpoint->loop, address, &(struct socket_options){ 0 }, &stream)) {
		end(endpoint, "there are no resources for a connection");
	} else if (probe_new(stream, &options, done, endpoint, &endpoint->probe, &why)) {
		cli_complain("weft certs: --cert and --key: %s", why.bytes ? why.bytes : "cannot be used");
		end(endpoint, "nothing was asked of it");
	}
	text_free(&why);
}

/* ---- its address ---- */

static void resolved(void *owner, const struct resolution *resolution)
{
	struct certs_endpoint *endpoint = owner;

	resolver_unwatch(endpoint->watch);
	endpoint->watch = NULL;
	endpoint->count = resolution->count < MOST_ADDRESSES ? resolution->count : MOST_ADDRESSES;
	for (unsigned i = 0; i < endpoint->count; i++)
		endpoint->addresses[i] = resolution->addresses[i];
	if (endpoint->count)
		task_set(endpoint->loop, &endpoint->step);
	else
		end(endpoint, resolution->reason);
}

static bool is_literal(struct slice host)
{
	struct address address;

	return address_parse(host, 0, &address) == 0;
}

static bool read_target(struct certs_endpoint *endpoint)
{
	struct slice text = slice_of(endpoint->question->target);
	size_t colon = text.length;
	uint64_t port;

	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (colon < 2 || slice_to_u64(slice_from(text, colon), UINT16_MAX, &port) || port == 0) {
		cli_complain("weft certs: --connect takes HOST:PORT, e.g. web.example:443 or [::1]:443, not `%s`", text.at);
		return false;
	}
	endpoint->host = slice_make(text.at, colon - 1);
	endpoint->port = (uint16_t)port;
	if (endpoint->question->server_name)
		endpoint->name = slice_of(endpoint->question->server_name);
	else if (!is_literal(endpoint->host))
		endpoint->name = endpoint->host;
	return true;
}

/* ---- all of it ---- */

static int run(struct certs_endpoint *endpoint)
{
	int e;

	process_start();
	library_start();
	e = loop_new(&(struct loop_options){ .name = "certs" }, &endpoint->loop);
	if (e)
		return e;
	task_init(&endpoint->step, try_next, endpoint);
	e = resolver_new(endpoint->loop, network_host(), &(struct resolver_options){ 0 }, &endpoint->resolver);
	if (!e)
		e = resolver_watch(endpoint->resolver, endpoint->host, resolved, endpoint, &endpoint->watch);
	if (!e)
		loop_run(endpoint->loop);
	return e;
}

/* `result`: NULL when no handshake was begun. */
static const char *why_not(const struct certs_endpoint *endpoint, const struct probe_result *result, int error)
{
	if (error)
		return error_text(error);
	if (endpoint->complaint)
		return endpoint->complaint;
	return result && result->reason.length ? result->reason.bytes : "it shows none";
}

struct certs_endpoint *certs_connect(const struct certs_question *question)
{
	struct certs_endpoint *endpoint = memory_new(sizeof *endpoint);
	const struct probe_result *result;
	int e;

	endpoint->question = question;
	if (!read_target(endpoint)) {
		memory_free(endpoint);
		return NULL;
	}
	e = run(endpoint);
	result = endpoint->probe ? probe_result(endpoint->probe) : NULL;
	if (result && result->chain.length)
		return endpoint;
	cli_complain("%s: no certificate was seen: %s", question->target, why_not(endpoint, result, e));
	certs_disconnect(endpoint);
	return NULL;
}

const struct probe_result *certs_shown(const struct certs_endpoint *endpoint)
{
	return probe_result(endpoint->probe);
}

struct slice certs_name(const struct certs_endpoint *endpoint)
{
	return endpoint->name;
}

void certs_disconnect(struct certs_endpoint *endpoint)
{
	probe_free(endpoint->probe);
	if (endpoint->resolver) {
		resolver_unwatch(endpoint->watch);
		resolver_free(endpoint->resolver);
	}
	if (endpoint->loop)
		loop_free(endpoint->loop);
	memory_free(endpoint);
}
