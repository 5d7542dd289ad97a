/* SPDX-License-Identifier: Apache-2.0 */
/* `client.healthCheck`: weft's own key. Its terms are Envoy's, its defaults HAProxy's. */
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"

#define HEALTH(member) offsetof(struct check_policy, member)

/* Into a text of CHECK_TEXT_MOST bytes; all of it printable and without blanks, so that it can stand in a request's head. */
static void read_text(struct linkerd_load *load, const struct document_node *node, char out[CHECK_TEXT_MOST + 1])
{
	struct slice text;

	if (!document_read_text(node, &text, load->problems))
		return;
	if (text.length > CHECK_TEXT_MOST) {
		linkerd_problem(load, node, "is longer than %d bytes", CHECK_TEXT_MOST);
		return;
	}
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] <= ' ' || text.at[i] > '~') {
			linkerd_problem(load, node, "has a character that is a blank, or none of ASCII's");
			return;
		}
	}
	memcpy(out, text.at, text.length);
	out[text.length] = '\0';
}

static void read_service(struct linkerd_load *load, const struct document_node *node, void *out)
{
	read_text(load, node, out);
}

static void read_host(struct linkerd_load *load, const struct document_node *node, void *out)
{
	char found[DOCUMENT_FOUND];
	char *host = out;

	read_text(load, node, host);
	if (strpbrk(host, "/@?#"))
		linkerd_problem(load, node, "%s is not a host", document_found(node, found));
}

static void read_path(struct linkerd_load *load, const struct document_node *node, void *out)
{
	char found[DOCUMENT_FOUND];
	char *path = out;

	read_text(load, node, path);
	if (path[0] != '/' || strchr(path, '#'))
		linkerd_problem(load, node, "%s is not a path: it begins with a slash", document_found(node, found));
}

static const struct linkerd_key check_keys[] = {
	LINKERD_KEY_KIND,
	{ "host", LINKERD_READ, HEALTH(host), .read = read_host, .says = "that is asked for (Host, :authority); the endpoint's address" },
	{ "intervalMs", LINKERD_MS, HEALTH(interval_ns), 10, .says = "from one check to the next, give or take a tenth; 2000" },
	{ "timeoutMs", LINKERD_MS, HEALTH(timeout_ns), 1, .says = "for a check with its connecting; 1000, at most intervalMs" },
	{ "unhealthyThreshold", LINKERD_COUNT, HEALTH(unhealthy_threshold), 1,
		.says = "failures in a row, then an endpoint gets no requests (the first check of all: one); 3" },
	{ "healthyThreshold", LINKERD_COUNT, HEALTH(healthy_threshold), 1, .says = "passes in a row, then it does again; 2" },
	{ 0 },
};
static const struct linkerd_key http_keys[] = {
	{ "path", LINKERD_READ, HEALTH(path), .read = read_path, .says = "of the GET, which 2xx and 3xx pass; /" },
	{ 0 },
};
static const struct linkerd_key grpc_keys[] = {
	{ "service", LINKERD_READ, HEALTH(service), .read = read_service, .says = "that must be SERVING; the server as such" },
	{ 0 },
};
static const struct linkerd_key none_keys[] = { LINKERD_KEY_KIND, { 0 } };

static const struct linkerd_block check_block = { .name = "any", .keys = check_keys };
static const struct linkerd_block http_block = { .name = "http", .keys = http_keys, .also = &check_block };
static const struct linkerd_block grpc_block = { .name = "grpc", .keys = grpc_keys, .also = &check_block };
static const struct linkerd_block none_block = { .name = "none", .keys = none_keys };

static const struct linkerd_kind check_kinds[] = {
	{ "io.l5d.http", CHECK_KIND_HTTP, &http_block, "GET of a path, as the client speaks" },
	{ "io.l5d.grpc", CHECK_KIND_GRPC, &grpc_block, "grpc.health.v1.Health/Check" },
	{ "none", CHECK_KIND_NONE, &none_block, "endpoints are not asked" },
	{ 0 },
};

const struct linkerd_choice linkerd_health_check = { .name = "healthCheck", .kinds = check_kinds };

void linkerd_read_health_check(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_health_check);
	struct check_policy *check = out;

	if (!kind)
		return;
	*check = client_policy_default().check;
	check->kind = (enum check_kind)kind->value;
	if (!linkerd_read_block(load, node, kind->block, check) || check->timeout_ns <= check->interval_ns)
		return;
	if (document_get(node, "timeoutMs"))
		linkerd_problem(
			load, document_get(node, "timeoutMs"), "is more than intervalMs, %lld", (long long)(check->interval_ns / CLOCK_MS));
	check->timeout_ns = check->interval_ns;
}
