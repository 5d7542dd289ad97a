/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/kubeconfig.h"

#include "base/memory.h"
#include "doc/document.h"
#include "doc/problem.h"
#include "io/file.h"
#include "wire/grpc.h"

enum { MOST_BYTES = 1024 * 1024, HTTPS_PORT = 443, HTTP_PORT = 80 };

/* One file being read. */
struct reading {
	struct kubeconfig *config;
	struct slice folder; /* with the slash at its end; empty: the present one */
	struct text *why;
};

static int refuse(const struct reading *reading, const char *what, struct slice found)
{
	text_format(reading->why, "%s", what);
	if (found.length)
		text_format(reading->why, ": `%.*s`", SLICE_ARGS(found));
	return ERROR_INVALID;
}

static struct slice text_at(const struct document_node *node, const char *key)
{
	struct slice text = SLICE("");

	document_read_text(document_get(node, key), &text, NULL);
	return text;
}

/* The member `what` of the one of a list that has this name; NULL: there is none. */
static const struct document_node *named(const struct document_node *list, struct slice name, const char *what)
{
	for (uint32_t i = 0; document_expect(list, DOCUMENT_SEQUENCE, NULL) && i < list->count; i++) {
		if (slice_equal(text_at(list->items[i], "name"), name))
			return document_get(list->items[i], what);
	}
	return NULL;
}

/* ---- values ---- */

/* Base64 (RFC 4648 section 4), with line ends as YAML may leave them. False: it is none. */
static bool decode(struct slice from, struct text *into)
{
	struct grpc_text state = { .have = 0 };
	struct slice line;
	char bytes[1024];

	while (slice_split(&from, '\n', &line)) {
		for (line = slice_trim(line); line.length;) {
			int count = grpc_text_decode(&state, &line, bytes, sizeof bytes);

			if (count < 0)
				return false;
			text_append(into, slice_make(bytes, (size_t)count));
		}
	}
	return state.have == 0 && into->length > 0;
}

static void put_path(const struct reading *reading, struct slice path, struct text *into)
{
	if (!path.length)
		return;
	if (path.at[0] != '/')
		text_append(into, reading->folder);
	text_append(into, path);
}

static int read_file_or_data(const struct reading *reading, const struct document_node *node, const char *key, const char *data_key,
	struct kubeconfig_file *file)
{
	struct slice data = text_at(node, data_key);

	if (!data.length)
		put_path(reading, text_at(node, key), &file->path);
	else if (!decode(data, &file->bytes))
		return refuse(reading, "what should be base64 isn't", slice_of(data_key));
	return 0;
}

/* "https://host:port/prefix" */
static int read_server(const struct reading *reading, struct slice url)
{
	struct kubeconfig *config = reading->config;
	struct slice rest = url, host;
	uint64_t port;
	size_t end, colon;

	config->secure = slice_starts(url, SLICE("https://"));
	if (!config->secure && !slice_starts(url, SLICE("http://")))
		return refuse(reading, "`server` must begin with https:// or http://", url);
	rest = slice_from(url, config->secure ? 8 : 7);
	end = slice_find(rest, '/');
	host = slice_make(rest.at, end);
	rest = slice_from(rest, end);
	while (slice_ends(rest, SLICE("/")))
		rest.length--;
	text_append(&config->prefix, rest);
	colon = host.length && host.at[0] == '[' ? slice_find(host, ']') + 1 : slice_find(host, ':');
	port = config->secure ? HTTPS_PORT : HTTP_PORT;
	if (colon > host.length ||
		(colon < host.length && (host.at[colon] != ':' || slice_to_u64(slice_from(host, colon + 1), UINT16_MAX, &port))))
		return refuse(reading, "`server` is no URL", url);
	host.length = colon;
	if (host.length > 1 && host.at[0] == '[')
		host = slice_make(host.at + 1, host.length - 2);
	if (!host.length || !port)
		return refuse(reading, "`server` is no URL", url);
	text_append(&config->host, host);
	config->port = (uint16_t)port;
	return 0;
}

/* ---- the file ---- */

static int read_cluster(const struct reading *reading, const struct document_node *cluster)
{
	struct kubeconfig *config = reading->config;
	int e;

	if (text_at(cluster, "proxy-url").length) {
		refuse(reading, "its cluster is reached through a proxy (proxy-url), which weft doesn't do", SLICE(""));
		return ERROR_UNSUPPORTED;
	}
	e = read_server(reading, text_at(cluster, "server"));
	if (e)
		return e;
	document_read_bool(document_get(cluster, "insecure-skip-tls-verify"), &config->no_verification, NULL);
	text_append(&config->server_name, text_at(cluster, "tls-server-name"));
	return read_file_or_data(reading, cluster, "certificate-authority", "certificate-authority-data", &config->authority);
}

static int read_user(const struct reading *reading, const struct document_node *user)
{
	static const char *const others[] = { "exec", "auth-provider", "username" };
	struct kubeconfig *config = reading->config;
	int e;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (document_get(user, others[i])) {
			refuse(reading, "its user is told by a way that weft doesn't know; it knows certificates and tokens",
				slice_of(others[i]));
			return ERROR_UNSUPPORTED;
		}
	}
	e = read_file_or_data(reading, user, "client-certificate", "client-certificate-data", &config->certificate);
	if (!e)
		e = read_file_or_data(reading, user, "client-key", "client-key-data", &config->key);
	if (e)
		return e;
	if (!config->certificate.path.length + !config->certificate.bytes.length != !config->key.path.length + !config->key.bytes.length)
		return refuse(reading, "its user has a certificate without a key, or a key without a certificate", SLICE(""));
	/* kubectl takes the file, if both are there. */
	put_path(reading, text_at(user, "tokenFile"), &config->token_file);
	if (!config->token_file.length)
		text_append(&config->token, text_at(user, "token"));
	return 0;
}

static int read_root(const struct reading *reading, const struct document_node *root)
{
	struct slice name = text_at(root, "current-context");
	const struct document_node *context = named(document_get(root, "contexts"), name, "context"), *cluster, *user;
	int e;

	if (!name.length)
		return refuse(reading, "it has no current-context", SLICE(""));
	if (!context)
		return refuse(reading, "its current-context is none of its contexts", name);
	cluster = named(document_get(root, "clusters"), text_at(context, "cluster"), "cluster");
	if (!cluster)
		return refuse(reading, "the context's cluster is none of its clusters", text_at(context, "cluster"));
	user = named(document_get(root, "users"), text_at(context, "user"), "user");
	if (!user && text_at(context, "user").length)
		return refuse(reading, "the context's user is none of its users", text_at(context, "user"));
	e = read_cluster(reading, cluster);
	return !e && user ? read_user(reading, user) : e;
}

static int read_document(const struct reading *reading, struct slice bytes, const char *path)
{
	struct document *document = NULL;
	struct problems problems;
	int e;

	problem_init(&problems);
	e = document_parse(bytes, slice_of(path), NULL, &problems, &document);
	if (e) {
		problem_print(&problems, reading->why);
		text_join_lines(reading->why);
	} else {
		e = read_root(reading, document_root(document));
	}
	document_free(document);
	problem_fini(&problems);
	return e;
}

int kubeconfig_read(const char *path, struct kubeconfig *config, struct text *why)
{
	struct text what = { 0 };
	struct reading reading = { .config = config, .why = &what };
	struct slice bytes;
	int e = file_read(path, MOST_BYTES, &bytes);

	*config = (struct kubeconfig){ 0 };
	if (e) {
		text_format(why, "%s: %s", path, error_text(e));
		return e;
	}
	for (reading.folder = slice_of(path); reading.folder.length && !slice_ends(reading.folder, SLICE("/"));)
		reading.folder.length--;
	e = read_document(&reading, bytes, path);
	if (e) {
		text_format(why, "%s: %s", path, what.bytes);
		kubeconfig_fini(config);
	}
	text_free(&what);
	memory_free(bytes.at);
	return e;
}

static void file_fini(struct kubeconfig_file *file)
{
	text_free(&file->path);
	text_free(&file->bytes);
}

void kubeconfig_fini(struct kubeconfig *config)
{
	text_free(&config->host);
	text_free(&config->prefix);
	text_free(&config->server_name);
	file_fini(&config->authority);
	file_fini(&config->certificate);
	file_fini(&config->key);
	text_free(&config->token);
	text_free(&config->token_file);
	*config = (struct kubeconfig){ 0 };
}
