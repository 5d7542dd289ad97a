/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attributes.h"

#include "wire/head.h"

struct putting {
	void (*put)(void *owner, const struct attribute *attribute);
	void *owner;
};

/* What is empty is not said. */
static void put_text(const struct putting *to, const char *key, struct slice text)
{
	if (text.length)
		to->put(to->owner, &(struct attribute){ .key = key, .text = text });
}

static void put_number(const struct putting *to, const char *key, int64_t number)
{
	to->put(to->owner, &(struct attribute){ .key = key, .number = number });
}

static void put_truth(const struct putting *to, const char *key)
{
	to->put(to->owner, &(struct attribute){ .key = key, .is_truth = true });
}

static void put_method(const struct putting *to, struct slice method)
{
	bool known = method_identify(method) != METHOD_OTHER;

	put_text(to, "http.request.method", known ? method : SLICE("_OTHER"));
	if (!known)
		put_text(to, "http.request.method_original", method);
}

static const char *version_text(enum version version)
{
	switch (version) {
	case VERSION_1_0:
		return "1.0";
	case VERSION_2:
		return "2";
	case VERSION_1_1:
		break;
	}
	return "1.1";
}

static void put_http(const struct putting *to, const struct span *span)
{
	put_method(to, slice_of(span->method));
	put_text(to, "url.path", slice_of(span->path));
	if (span->status)
		put_number(to, "http.response.status_code", span->status);
	if (span->kind == SPAN_CLIENT && span->resends)
		put_number(to, "http.request.resend_count", span->resends);
	if (span->kind == SPAN_SERVER && span->method[0])
		put_text(to, "network.protocol.version", slice_of(version_text((enum version)span->version)));
}

static void put_rpc(const struct putting *to, const struct span *span)
{
	struct slice method = slice_of(span->rpc_method), service;

	(void)slice_split(&method, '/', &service);
	put_text(to, "rpc.system", SLICE("grpc"));
	put_text(to, "rpc.service", service);
	if (method.at)
		put_text(to, "rpc.method", method);
	if (span->rpc_status != SPAN_NO_GRPC)
		put_number(to, "rpc.grpc.status_code", span->rpc_status);
	if (span->kind == SPAN_CLIENT && span->resends)
		put_number(to, "http.request.resend_count", span->resends);
}

/* "host", "host:port", "[::1]:port" */
static void put_authority(const struct putting *to, struct slice authority)
{
	size_t colon = authority.length;
	uint64_t port;

	while (colon > 0 && authority.at[colon - 1] >= '0' && authority.at[colon - 1] <= '9')
		colon--;
	if (colon == 0 || colon == authority.length || authority.at[colon - 1] != ':' ||
		slice_to_u64(slice_from(authority, colon), UINT16_MAX, &port)) {
		put_text(to, "server.address", authority);
		return;
	}
	put_text(to, "server.address", slice_make(authority.at, colon - 1));
	put_number(to, "server.port", (int64_t)port);
}

static void put_peer(const struct putting *to, const struct span *span)
{
	char ip[ADDRESS_TEXT];

	if (span->peer.family != ADDRESS_IP4 && span->peer.family != ADDRESS_IP6)
		return;
	address_format_ip(&span->peer, ip);
	if (span->kind == SPAN_CLIENT) {
		put_text(to, "server.address", slice_of(ip));
		put_number(to, "server.port", span->peer.port);
	} else {
		put_text(to, "client.address", slice_of(ip));
	}
	put_text(to, "network.peer.address", slice_of(ip));
	put_number(to, "network.peer.port", span->peer.port);
}

void attributes_each(const struct span *span, void (*put)(void *owner, const struct attribute *attribute), void *owner)
{
	const struct putting to = { put, owner };
	char error[SPAN_ERROR_TEXT];

	if (span->rpc)
		put_rpc(&to, span);
	else
		put_http(&to, span);
	if (span->kind == SPAN_SERVER)
		put_authority(&to, slice_of(span->authority));
	put_peer(&to, span);
	put_text(&to, "error.type", span_error_type(span, error));
	put_text(&to, "weft.router", slice_of(span->router));
	put_text(&to, "weft.service", slice_of(span->service));
	put_text(&to, "weft.client", slice_of(span->client));
	if (span->inferred)
		put_truth(&to, "weft.inferred");
}
