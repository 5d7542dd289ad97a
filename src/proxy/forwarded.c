/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/forwarded.h"

enum { NODE_TEXT = ADDRESS_TEXT + 4, RANDOM_DIGITS = 6 };

/* An obfuscated identifier (RFC 7239 section 6.3). */
static void put_random(char text[NODE_TEXT], uint64_t bits)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	*text++ = '_';
	for (unsigned i = 0; i < RANDOM_DIGITS; i++, bits /= 62)
		*text++ = digits[bits % 62];
	*text = 0;
}

/* The same for all requests of one connection, and for nobody else to foresee: the worker's key is random. */
static uint64_t connection_bits(const struct exchange *exchange)
{
	const struct session *session = exchange->down->session;
	int64_t began = session->began;

	return slice_hash(slice_make((const char *)&began, sizeof began), address_hash(&session->remote, exchange->worker->hash_key));
}

static void put_address(struct arena *arena, struct slice *out, const struct address *address, bool with_port)
{
	char text[ADDRESS_TEXT];

	if (address->family == ADDRESS_NONE || address_is_any(address)) {
		*out = SLICE("unknown");
		return;
	}
	if (with_port) {
		address_format(address, text);
		*out = arena_format(arena, "\"%s\"", text);
		return;
	}
	address_format_ip(address, text);
	*out = arena_format(arena, address->family == ADDRESS_IP6 ? "\"[%s]\"" : "%s", text);
}

/* {NULL, 0}: no room. */
static struct slice node(struct exchange *exchange, const struct forwarded_label *label, const struct address *address)
{
	struct arena *arena = &exchange->arena;
	struct slice out = { 0 };
	char text[NODE_TEXT];

	switch (label->kind) {
	case FORWARDED_REQUEST_RANDOM:
		put_random(text, random_u64(loop_random(exchange->worker->loop)));
		return arena_copy(arena, slice_of(text));
	case FORWARDED_CONNECTION_RANDOM:
		put_random(text, connection_bits(exchange));
		return arena_copy(arena, slice_of(text));
	case FORWARDED_IP:
		put_address(arena, &out, address, false);
		return out;
	case FORWARDED_IP_PORT:
		put_address(arena, &out, address, true);
		return out;
	case FORWARDED_ROUTER:
		return arena_format(arena, "_%.*s", SLICE_ARGS(exchange->listener->router->router->label));
	case FORWARDED_STATIC:
		return arena_format(arena, "_%.*s", SLICE_ARGS(label->label));
	}
	return out;
}

static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.length; i++)
		if (s.at[i] == ':' || s.at[i] == '[' || s.at[i] == ']')
			return false;
	return true;
}

/* What the caller spoke. Over TLS that is https whatever its target says; in plain text only the target tells, if it does. */
static struct slice protocol(const struct exchange *exchange)
{
	const struct stream *stream = exchange->down->session->stream;

	return stream && stream_security(stream) ? SLICE("https") : exchange->request->scheme;
}

int forwarded_write(struct exchange *exchange)
{
	const struct listener_policy *policy = exchange->listener->policy;
	const struct head *request = exchange->request;
	struct slice by, from, line, proto = protocol(exchange);

	by = node(exchange, &policy->forwarded_by, &exchange->down->session->local);
	from = node(exchange, &policy->forwarded_for, &exchange->down->session->remote);
	if (!by.at || !from.at)
		return ERROR_NO_MEMORY;
	/* An authority holds nothing that would have to be escaped inside quotes. */
	const char *quote = is_token(request->authority) ? "" : "\"";
	line = arena_format(&exchange->arena, "Forwarded: by=%.*s;for=%.*s%s%s%.*s%s%s%.*s\r\n", SLICE_ARGS(by), SLICE_ARGS(from),
		request->authority.length ? ";host=" : "", quote, SLICE_ARGS(request->authority), quote, proto.length ? ";proto=" : "",
		SLICE_ARGS(proto));
	if (!line.at)
		return ERROR_NO_MEMORY;
	return head_add_line(exchange->request, FIELD_FORWARDED, line, sizeof "Forwarded" - 1, sizeof "Forwarded: " - 1);
}

/* ---- x-forwarded-client-cert ---- */

/* Room for `subject` with each quote and backslash escaped. */
static struct slice escaped(struct arena *arena, struct slice subject)
{
	char *out = arena_get(arena, 2 * subject.length + 1);
	size_t length = 0;

	if (!out)
		return (struct slice){ 0 };
	for (size_t i = 0; i < subject.length; i++) {
		if (subject.at[i] == '"' || subject.at[i] == '\\')
			out[length++] = '\\';
		out[length++] = subject.at[i];
	}
	return slice_make(out, length);
}

/* ";KEY=value", or nothing. */
static struct slice part(struct arena *arena, const char *key, struct slice value)
{
	return value.length ? arena_format(arena, ";%s=%.*s", key, SLICE_ARGS(value)) : SLICE("");
}

/* NULL: the caller showed no certificate that was verified. */
static const struct stream_security *verified(const struct exchange *exchange)
{
	const struct stream *stream = exchange->down->session->stream;
	const struct stream_security *security = stream ? stream_security(stream) : NULL;

	return security && security->peer_hash.length ? security : NULL;
}

/* `before` is what came, or empty. */
static int add_certificate(struct exchange *exchange, const struct stream_security *security, struct slice before)
{
	struct arena *arena = &exchange->arena;
	struct slice uri, dns, subject, line;

	uri = part(arena, "SAN", security->peer_uri);
	dns = part(arena, "DNS", security->peer_dns);
	subject = escaped(arena, security->peer_subject);
	if (!uri.at || !dns.at || !subject.at)
		return ERROR_NO_MEMORY;
	line = arena_format(arena, "x-forwarded-client-cert: %.*s%sHash=%.*s%.*s%.*s;Subject=\"%.*s\"\r\n", SLICE_ARGS(before),
		before.length ? "," : "", SLICE_ARGS(security->peer_hash), SLICE_ARGS(uri), SLICE_ARGS(dns), SLICE_ARGS(subject));
	if (!line.at)
		return ERROR_NO_MEMORY;
	return head_add_line(exchange->request, FIELD_X_FORWARDED_CLIENT_CERT, line, sizeof "x-forwarded-client-cert" - 1,
		sizeof "x-forwarded-client-cert: " - 1);
}

/* What came, in one line. */
static int gather(struct exchange *exchange, struct slice *all)
{
	struct head *head = exchange->request;

	*all = SLICE("");
	if (!head_has(head, FIELD_X_FORWARDED_CLIENT_CERT))
		return 0;
	for (struct field *f = head_find(head, FIELD_X_FORWARDED_CLIENT_CERT); f; f = head_find_next(head, f)) {
		*all = arena_format(&exchange->arena, "%.*s%s%.*s", SLICE_ARGS(*all), all->length ? "," : "", SLICE_ARGS(field_value(f)));
		if (!all->at)
			return ERROR_NO_MEMORY;
	}
	return 0;
}

int forwarded_take_certificate(struct exchange *exchange)
{
	enum client_certificate how = exchange->listener->policy->client_certificate;
	const struct stream_security *security = how == CLIENT_CERTIFICATE_SANITIZE ? NULL : verified(exchange);
	struct slice before;
	int e;

	if (security && how == CLIENT_CERTIFICATE_FORWARD)
		return 0;
	if (!security) {
		head_drop_all(exchange->request, FIELD_X_FORWARDED_CLIENT_CERT);
		return 0;
	}
	e = gather(exchange, &before);
	head_drop_all(exchange->request, FIELD_X_FORWARDED_CLIENT_CERT);
	return e ? e : add_certificate(exchange, security, before);
}

int forwarded_write_certificate(struct exchange *exchange)
{
	const struct stream_security *security = verified(exchange);

	if (!security || exchange->listener->policy->client_certificate != CLIENT_CERTIFICATE_SANITIZE)
		return 0;
	return add_certificate(exchange, security, SLICE(""));
}
