/* SPDX-License-Identifier: Apache-2.0 */
/* `servers[].cors`: weft's own key. Its terms are Envoy's. */
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"

/* What gRPC-Web's callers send, and what they must be able to read. */
#define USUAL_HEADERS SLICE("content-type, x-grpc-web, x-user-agent, grpc-timeout")
#define USUAL_EXPOSED SLICE("grpc-status, grpc-message, grpc-status-details-bin")

#define AT(member) offsetof(struct cors_policy, member)

/* Scheme, host and perhaps a port, as browsers write it in Origin (RFC 6454 section 7). `*.` may stand before the host. */
static bool is_origin(struct slice text)
{
	size_t colon = slice_find(text, ':'), star = slice_find(text, '*');

	if (colon == 0 || text.length < colon + 4 || memcmp(text.at + colon, "://", 3) != 0)
		return false;
	struct slice host = slice_from(text, colon + 3);
	if (star < text.length && (star != colon + 3 || host.length < 3 || host.at[1] != '.' || memchr(host.at + 1, '*', host.length - 1)))
		return false;
	for (size_t i = 0; i < host.length; i++)
		if (host.at[i] <= ' ' || host.at[i] > '~' || strchr("/@?#,", host.at[i]))
			return false;
	return true;
}

static void read_origin(struct linkerd_load *load, const struct document_node *node, void *out)
{
	char found[DOCUMENT_FOUND];
	struct slice text;

	if (!document_read_text(node, &text, load->problems))
		return;
	if (!slice_equal(text, SLICE("*")) && !is_origin(text))
		linkerd_problem(load, node, "%s is not an origin: https://HOST, https://*.DOMAIN or *", document_found(node, found));
	*(struct slice *)out = linkerd_copy(load, text);
}

/* "*" is taken out of the list, and means all. */
static void read_origins(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct cors_policy *cors = out;
	unsigned count, kept = 0;
	struct slice *origins = linkerd_read_list(load, list, sizeof *origins, read_origin, &count);

	for (unsigned i = 0; i < count; i++) {
		if (slice_equal(origins[i], SLICE("*")))
			cors->any_origin = true;
		else
			origins[kept++] = origins[i];
	}
	cors->origins = origins;
	cors->origin_count = kept;
}

static void read_header(struct linkerd_load *load, const struct document_node *node, void *out)
{
	linkerd_read_field_name(load, node, out);
}

/* `names` of the list behind those that there are always. */
static struct slice join(struct linkerd_load *load, struct slice usual, const struct slice *names, unsigned count)
{
	size_t length = usual.length;
	char *at;

	for (unsigned i = 0; i < count; i++)
		length += 2 + names[i].length;
	char *all = at = linkerd_memory(load, length + 1);
	memcpy(at, usual.at, usual.length);
	at += usual.length;
	for (unsigned i = 0; i < count; i++) {
		memcpy(at, ", ", 2);
		memcpy(at + 2, names[i].at, names[i].length);
		at += 2 + names[i].length;
	}
	return slice_make(all, length);
}

static void read_headers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct cors_policy *cors = out;
	unsigned count;
	struct slice *names = linkerd_read_list(load, list, sizeof *names, read_header, &count);

	for (unsigned i = 0; i < count; i++)
		cors->any_header |= slice_equal(names[i], SLICE("*"));
	cors->headers = join(load, USUAL_HEADERS, names, count);
}

static void read_exposed(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct cors_policy *cors = out;
	unsigned count;
	struct slice *names = linkerd_read_list(load, list, sizeof *names, read_header, &count);

	cors->exposed = join(load, USUAL_EXPOSED, names, count);
}

static const struct linkerd_key cors_keys[] = {
	{ "allowOrigins", LINKERD_READ, 0, .read = read_origins, .required = true,
		.says = "a list of https://HOST, https://*.DOMAIN, or `*` for all" },
	{ "allowHeaders", LINKERD_READ, 0, .read = read_headers,
		.says = "that requests may have besides content-type, x-grpc-web, x-user-agent and grpc-timeout; `*` "
			"for all; none" },
	{ "exposeHeaders", LINKERD_READ, 0, .read = read_exposed,
		.says = "of responses that pages may read besides grpc-status, grpc-message and "
			"grpc-status-details-bin; none" },
	{ "allowCredentials", LINKERD_BOOL, AT(credentials), .says = "requests may have cookies; not with `*` as an origin; false" },
	{ "maxAgeSecs", LINKERD_SECONDS, AT(max_age_ns), .says = "how long browsers may remember a preflight's answer; 600" },
	{ 0 },
};
const struct linkerd_block linkerd_cors = { .name = "cors", .keys = cors_keys };

void linkerd_read_cors(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct cors_policy *cors = linkerd_memory(load, sizeof *cors);

	*cors = (struct cors_policy){ .headers = USUAL_HEADERS, .exposed = USUAL_EXPOSED, .max_age_ns = 600 * CLOCK_SECOND };
	*(const struct cors_policy **)out = cors;
	if (!linkerd_read_block(load, node, &linkerd_cors, cors))
		return;
	if (!cors->any_origin && cors->origin_count == 0)
		linkerd_problem(load, document_get(node, "allowOrigins"), "must not be empty");
	if (cors->any_origin && cors->credentials)
		linkerd_problem(
			load, document_get(node, "allowCredentials"), "would let any web page act as its visitor: name the origins");
}
