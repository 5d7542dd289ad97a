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

int forwarded_write(struct exchange *exchange)
{
	const struct listener_policy *policy = exchange->listener->policy;
	const struct head *request = exchange->request;
	struct slice by, from, line;

	by = node(exchange, &policy->forwarded_by, &exchange->down->session->local);
	from = node(exchange, &policy->forwarded_for, &exchange->down->session->remote);
	if (!by.at || !from.at)
		return ERROR_NO_MEMORY;
	/* An authority holds nothing that would have to be escaped inside quotes. */
	const char *quote = is_token(request->authority) ? "" : "\"";
	line = arena_format(&exchange->arena, "Forwarded: by=%.*s;for=%.*s%s%s%.*s%s%s%.*s\r\n", SLICE_ARGS(by), SLICE_ARGS(from),
	                    request->authority.length ? ";host=" : "", quote, SLICE_ARGS(request->authority), quote,
	                    request->scheme.length ? ";proto=" : "", SLICE_ARGS(request->scheme));
	if (!line.at)
		return ERROR_NO_MEMORY;
	return head_add_line(exchange->request, FIELD_FORWARDED, line, sizeof "Forwarded" - 1, sizeof "Forwarded: " - 1);
}
